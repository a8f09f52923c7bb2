"""Three classes that the project never saw, from folders to a model folder that can be served."""

import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="training needs the extra `train`")
pytest.importorskip("efficientnet_lite_pytorch", reason="training needs the extra `train`")

import torch

from model import evaluate, train
from model.training import fit as fitting
from model.training import pipeline
from model.training.export import ExportError, Model, check
from model.training.fit import Progress, TrainingError, fit, rate_share, turn
from model.training.network import Classifier
from model.training.pictures import load, pixels
from model.training.settings import Settings
from model.training.telemetry import METRIC_DEFINITIONS
from tests.support.project import ROOT, SHARED

TRIAL = ["--network", "lite0", "--frozen", "3", "--epochs", "3", "--folds", "2", "--size", "64"]
TRIAL += ["--batch", "12", "--threads", "1"]
SMALL = Settings(network="lite0", frozen=3, size=32, batch=9, epochs=1)


def shapes(folder: Path, count: int = 12) -> Path:
    """Write pictures of three classes that a few steps tell apart: stripes and plain ones."""
    rng = np.random.default_rng(0)
    for name in ("across", "down", "other"):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            pixels = rng.integers(0, 60, (32, 32, 3)) + rng.integers(60, 120, 3)
            if name == "across":
                pixels[::4] += 70
            if name == "down":
                pixels[:, ::4] += 70
            Image.fromarray(pixels.astype(np.uint8)).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shapes(tmp_path_factory.mktemp("labelled"))


@pytest.fixture(scope="module")
def trained(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Return the model folder of a trial training, and what it printed."""
    out = tmp_path_factory.mktemp("out") / "model"
    command = [sys.executable, "-m", "model.train", "--data", str(data), "--out", str(out), *TRIAL]
    ran = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    (out.parent / "stderr").write_text(ran.stderr)
    return out, ran.stdout


def test_nothing_is_said_of_libraries_that_training_does_not_use(
    trained: tuple[Path, str],
) -> None:
    assert "torchvision" not in (trained[0].parent / "stderr").read_text()


def test_the_model_folder_keeps_the_contract_of_the_server(trained: tuple[Path, str]) -> None:
    out, _ = trained
    model = Model(out / "model.onnx", threads=1)
    assert model.labels == ["across", "down", "other"]
    assert re.fullmatch(r"\d{4}\.\d{2}\.\d{2}-[0-9a-f]{8}", model.version)
    entry, exit_ = model.session.get_inputs()[0], model.session.get_outputs()[0]
    assert (entry.name, entry.type, entry.shape[1:]) == ("image", "tensor(float)", [3, 64, 64])
    assert (exit_.name, exit_.type) == ("probabilities", "tensor(float)")
    for count in (1, 3):
        probabilities = model.probabilities(np.full((count, 3, 64, 64), 0.5, np.float32))
        assert probabilities.shape == (count, 3)
        assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_the_card_tells_threshold_figures_and_a_baseline(trained: tuple[Path, str]) -> None:
    out, _ = trained
    card: dict[str, Any] = json.loads((out / "card.json").read_text())
    assert card["version"] == Model(out / "model.onnx", threads=1).version
    assert 0 < card["threshold"]["value"] <= 1
    assert card["threshold"]["promise"].startswith("no promise: ")  # 36 pictures prove nothing
    assert card["warnings"] == []
    assert card["figures"]["out_of_fold"]["accuracy"]["of"] == 24
    histogram = card["baseline"]["confidence"]
    assert sum(histogram["share"]) == pytest.approx(1)
    assert len(histogram["edges"]) == len(histogram["share"]) + 1
    assert set(card["baseline"]["labels"]) == {"across", "down", "other"}
    readable = (out / "README.md").read_text()
    assert card["version"] in readable
    assert "no promise" in readable
    for name in ("curves", "reliability", "risk-coverage", "confusion", "mistakes"):
        with Image.open(out / f"{name}.png") as plot:
            assert min(plot.size) > 100


def test_sagemakers_regexes_find_the_metrics(trained: tuple[Path, str]) -> None:
    _, printed = trained
    found = {
        entry["Name"]: re.findall(entry["Regex"], printed)
        for entry in METRIC_DEFINITIONS
        if not entry["Name"].startswith("test:")
    }
    assert all(found.values()), found
    assert all(0 <= float(value) < 20 for values in found.values() for value in values)


def test_the_same_command_takes_the_finished_trainings_and_gives_the_same_version(
    trained: tuple[Path, str], data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, _ = trained
    before = Model(out / "model.onnx", threads=1).version
    assert train.main(["--data", str(data), "--out", str(out), "--test", str(data), *TRIAL]) == 2
    assert "are in two splits" in capsys.readouterr().err  # the test pictures were trained on
    other = shapes(out.parent / "test", count=13)
    for path in other.rglob("?.png"):
        path.unlink()
    for path in other.rglob("1[01].png"):
        path.unlink()
    assert train.main(["--data", str(data), "--out", str(out), "--test", str(other), *TRIAL]) == 0
    printed = capsys.readouterr().out
    assert printed.count("taken from") == 2
    assert "train:loss" not in printed
    assert "test:accuracy=" in printed
    assert Model(out / "model.onnx", threads=1).version.split("-")[1] == before.split("-")[1]


def test_evaluate_prints_and_draws_the_figures_of_a_folder(
    trained: tuple[Path, str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = trained[0] / "model.onnx"
    assert evaluate.main([str(model), str(data), "--out", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    assert "accuracy, named classes" in printed
    assert "of 24" in printed
    figures = json.loads((tmp_path / "report/figures.json").read_text())
    assert figures["pictures"] == np.sum(figures["confusion"]) == 36
    assert (tmp_path / "report/mistakes.png").is_file()
    assert evaluate.main([str(model), str(data), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == figures


def test_evaluate_prints_the_figures_by_weight_beside_the_plain_ones(
    trained: tuple[Path, str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = shutil.copytree(data, tmp_path / "weighted")
    names = [path.relative_to(folder).as_posix() for path in load(folder).paths]
    (folder / "weights.csv").write_text("file,weight\n" + "".join(f"{n},1\n" for n in names))
    words = [str(trained[0] / "model.onnx"), str(folder), "--threshold", "0.5"]
    assert evaluate.main([*words, "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["weighted"]["accuracy"] == figures["accuracy"]["value"]
    (folder / "weights.csv").write_text("file,weight\nother/nothing.png,1\n")
    assert evaluate.main(words) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first.endswith(f"36 pictures of {folder}, 0 with a weight")
    [line] = [line for line in lines if "accuracy, named" in line]
    assert line.endswith("of 24   weighted nan")  # nothing here has a weight


def test_no_file_of_a_model_names_a_path_of_the_machine(trained: tuple[Path, str]) -> None:
    shipped = ROOT / "model" / "pretrained" / "model.onnx"
    for path in (trained[0] / "model.onnx", trained[0] / "model-fp32.onnx", shipped):
        assert b"training/export.py" not in path.read_bytes()


@pytest.mark.parametrize(
    ("option", "value", "bounds"),
    [
        ("--other", "1", "from 0.01 to 0.99"),
        ("--epochs", "-1", "from 0.01 to 10000"),
        ("--average", "5", "from 0 to 0.9999"),
        ("--trunk-rate", "nan", "from 0 to 1"),
    ],
)
def test_a_setting_out_of_its_bounds_is_refused(
    option: str, value: str, bounds: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        train.main(["--data", str(data), option, value])
    assert refused.value.code == 2
    assert f"{option}: '{value}': write a number {bounds}" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["none.onnx", "."], "none.onnx is not a model of this project", id="no model"),
        pytest.param(["MODEL", "nowhere"], "nowhere is not a folder", id="no data"),
        pytest.param(
            ["MODEL", ".", "--threshold", "7"],
            "--threshold: '7': write a number from 0 to 1",
            id="threshold",
        ),
    ],
)
def test_evaluate_names_what_is_wrong(
    arguments: list[str],
    message: str,
    trained: tuple[Path, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = str(trained[0] / "model.onnx")
    try:
        code = evaluate.main([model if word == "MODEL" else word for word in arguments])
    except SystemExit as refused:  # argparse's own
        code = int(refused.code or 0)
    assert code == 2
    assert message in capsys.readouterr().err


def test_a_model_without_a_card_needs_a_threshold(
    trained: tuple[Path, str], data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(trained[0] / "model.onnx", tmp_path)
    assert evaluate.main([str(tmp_path / "model.onnx"), str(data)]) == 2
    assert f"{tmp_path}/card.json: give --threshold" in capsys.readouterr().err


def test_an_exported_file_of_another_network_is_refused(
    trained: tuple[Path, str], data: Path
) -> None:
    images = pixels(load(data), range(6), 64)
    with pytest.raises(ExportError, match=r"model\.onnx differs from the network by 0\."):
        check(
            Classifier(3, replace(SMALL, size=64)).eval(),
            0.05,
            trained[0] / "model.onnx",
            images,
            0.01,
        )


def test_what_loses_too_much_as_int8_is_served_as_fp32(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pipeline, "GAP_INT8", 0.0)
    assert train.main(["--data", str(data), "--out", str(tmp_path / "model"), *TRIAL]) == 0
    assert "model.onnx is fp32 instead" in capsys.readouterr().out
    served, whole = (tmp_path / "model" / name for name in ("model.onnx", "model-fp32.onnx"))
    assert served.read_bytes() == whole.read_bytes()
    card = json.loads((tmp_path / "model" / "card.json").read_text())
    assert list(card["agreement"]) == list(card["size_bytes"]) == list(card["latency_ms"])
    assert list(card["agreement"]) == ["fp32"]


def test_training_without_other_warns_in_the_log_and_in_the_card(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("across", "down"):
        shutil.copytree(data / name, tmp_path / "labelled" / name)
    out = tmp_path / "model"
    assert train.main(["--data", str(tmp_path / "labelled"), "--out", str(out), *TRIAL]) == 0
    warned = capsys.readouterr().err
    assert warned.count("WARNING: It was trained without a folder `other`") == 2  # first and last
    assert "a picture of a cat gets the label of a class" in warned
    assert "python -m model.dataset writes one" in warned
    card = json.loads((out / "card.json").read_text())
    assert card["warnings"] == [pipeline.WITHOUT_OTHER]
    assert card["figures"]["out_of_fold"]["false_acceptance_rate"]["of"] == 0
    assert f"> **Warning.** {pipeline.WITHOUT_OTHER}" in (out / "README.md").read_text()


def test_a_loss_that_is_not_a_number_stops_the_training(data: Path, tmp_path: Path) -> None:
    pictures = load(data)
    settings = replace(SMALL, batch=6, epochs=5, trunk_rate=float("inf"))
    with pytest.raises(TrainingError, match=r"the loss is nan at step \d+ of \d+; lower"):
        fit(pictures, np.arange(len(pictures)), settings, 0, tmp_path / "unfinished")


def test_predicting_one_class_for_everything_stops_the_training(data: Path, tmp_path: Path) -> None:
    pictures = load(data)
    # Nothing to learn from: every picture is the same.
    uniform = replace(pictures, images=(pictures.images[0],) * len(pictures))
    settings = replace(SMALL, epochs=4, trunk_rate=0, bias_rate=0, head_rate=0)
    with pytest.raises(TrainingError, match="predicts across for every picture"):
        fit(uniform, np.arange(len(pictures)), settings, 0, tmp_path / "unfinished")


def test_progress_is_reported_at_every_step(data: Path, tmp_path: Path) -> None:
    pictures = load(data)
    seen: list[Progress] = []
    fit(pictures, np.arange(len(pictures)), SMALL, 0, tmp_path / "unfinished", seen.append)
    assert [at.step for at in seen] == list(range(1, seen[0].steps + 1))


class Interrupted(Exception):
    """Stands for a power cut."""


def test_a_training_that_was_interrupted_in_the_middle_gives_the_same_network(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fitting, "SAVED_EVERY", -1)  # after every step
    pictures, unfinished = load(data), tmp_path / "a.unfinished"
    every, settings = np.arange(len(pictures)), replace(SMALL, epochs=2)

    def cut(at: Progress) -> None:
        if at.step == 3:
            raise Interrupted

    with pytest.raises(Interrupted):
        fit(pictures, every, settings, 0, unfinished, cut)
    assert unfinished.is_file()
    seen: list[Progress] = []
    resumed = fit(pictures, every, settings, 0, unfinished, seen.append)
    assert seen[0].step == 3  # the report of a step comes before it is kept
    assert not unfinished.exists()
    whole = fit(pictures, every, settings, 0, tmp_path / "b.unfinished")
    for name, tensor in whole.state_dict().items():
        assert torch.allclose(tensor, resumed.state_dict()[name], atol=1e-6), name


@pytest.mark.parametrize(
    ("classes", "share", "counts"),
    [
        pytest.param(3, 0.5, [300, 300, 600], id="half-strangers"),
        pytest.param(3, 0.25, [450, 450, 300], id="a-quarter"),
        pytest.param(2, 0.0, [600, 600], id="without-strangers"),
    ],
)
def test_named_classes_share_what_other_leaves_evenly(
    classes: int, share: float, counts: list[int]
) -> None:
    drawn = [turn(number, classes, share) for number in range(1200)]
    assert np.bincount(drawn).tolist() == counts
    # In every batch, not only in the long run.
    for first in range(0, 1200, 48):
        assert abs(drawn[first : first + 48].count(classes - 1) / 48 - counts[-1] / 1200) < 0.05


def test_the_learning_rate_rises_and_falls() -> None:
    rates = [rate_share(step, 100) for step in range(100)]
    assert max(rates) == pytest.approx(1, abs=0.01)
    assert rates.index(max(rates)) == 20
    assert rates[0] < 0.1
    assert rates[-1] < 0.01


@pytest.mark.parametrize(("network", "size"), [("lite0", 128), ("lite1", 144), ("lite2", 160)])
def test_folding_the_normalisation_changes_no_output(network: str, size: int) -> None:
    from efficientnet_lite_pytorch import EfficientNet

    from model.training.network import MEAN, SCALE, weights_of

    original = EfficientNet.from_pretrained(
        f"efficientnet-{network}", weights_path=weights_of(network), image_size=size
    ).eval()
    folded = Classifier(1000, Settings(network=network, size=size)).eval()
    image = torch.rand(2, 3, size, size)
    with torch.inference_mode():
        folded.head.load_state_dict(original._fc.state_dict())
        assert torch.allclose(folded(image), original((image - MEAN) / SCALE), atol=1e-4)


def test_a_training_without_data_says_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main([])
    assert stopped.value.code == 2
    assert "--data is needed" in capsys.readouterr().err


@pytest.mark.skipif(
    not (SHARED / "cifar10-other").is_dir(), reason=f"needs CIFAR-10 pictures in {SHARED}"
)
def test_three_classes_of_real_pictures_are_learnt_in_seconds(tmp_path: Path) -> None:
    for name in ("automobile", "frog", "ship"):
        target = tmp_path / "labelled" / name
        target.mkdir(parents=True)
        for path in sorted((SHARED / "cifar10-other" / name).iterdir())[:40]:
            (target / path.name).symlink_to(path.resolve())
    out = tmp_path / "model"
    assert train.main(["--data", str(tmp_path / "labelled"), "--out", str(out), *TRIAL]) == 0
    card = json.loads((out / "card.json").read_text())
    assert card["labels"] == ["automobile", "frog", "ship"]  # no `other`: every class is named
    assert card["warnings"] == [pipeline.WITHOUT_OTHER]
    assert card["figures"]["out_of_fold"]["accuracy"]["value"] > 0.6  # a third by chance
