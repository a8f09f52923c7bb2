"""python -m model.compare on real models: one that sees colours, and the shipped one."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch", reason="models are read by the extra `train`")

from model import compare, evaluate
from tests.support.models import SHIPPED, changed_model, labelled_photos, model_of_colours

COLOURS = {"red": (200, 40, 40), "green": (40, 200, 40), "other": (40, 40, 200)}
PROMISE = {"value": 0.9, "risk": 0.01, "level": 0.95, "promise": "at most 1% are wrong"}
SWAPPED = ("green", "red", "other")


def colours(folder: Path, count: int = 8) -> Path:
    for name, colour in COLOURS.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (20 + number, 20), colour).save(folder / name / f"{number}.png")
    return folder


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return colours(tmp_path / "data")


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return model_of_colours(tmp_path / "old", version="1")


def report(capsys: pytest.CaptureFixture[str], *words: str | Path, code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert compare.main([*map(str, words), "--json"]) == code
    found = json.loads(capsys.readouterr().out)
    assert isinstance(found, dict)
    return found


def refused(capsys: pytest.CaptureFixture[str], *words: str | Path) -> str:
    assert compare.main([*map(str, words)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_model_beside_itself_changes_nothing_and_is_no_winner(
    old: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(capsys, old, old, data)
    assert found["changed"] == []
    assert found["verdict"][0] == "No winner: p below 0.05 is needed."
    assert found["old"]["accuracy"]["hits"] == 16
    assert found["tests"]["right"]["p"] == 1


def test_a_model_that_mixes_up_two_classes_is_worse_and_the_other_way_round_better(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED, version="2")
    found = report(capsys, old, mixed, data, code=1)
    assert found["tests"]["right"] | {"more": 0} == {
        "worse": 16,
        "better": 0,
        "p": pytest.approx(2 / 2**16),
        "more": 0,
        "shown": "worse",
    }
    assert "16 of 16 accepted pictures are wrong" in found["broken_promises"][0]
    assert {"old": "accepted right", "new": "accepted wrong", "pictures": 16} in found["kinds"]
    back = report(capsys, mixed, old, data)
    assert back["tests"]["decided rightly by software"]["shown"] == "better"
    assert back["verdict"] == ["NEW is shown to be better: right and decided rightly by software."]


def test_each_model_decides_by_its_own_card(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = {"threshold": PROMISE | {"value": 0.6}, "none": PROMISE | {"value": 0.5}}
    unsure = model_of_colours(tmp_path / "unsure", gain=2, card=card)
    found = report(capsys, old, unsure, data)
    assert (found["old"]["none_threshold"], found["new"]["none_threshold"]) == (None, 0.5)
    assert [found[side]["accepted"]["hits"] for side in ("old", "new")] == [16, 16]
    assert [found[side]["none"]["hits"] for side in ("old", "new")] == [0, 8]
    assert found["tests"]["right"]["shown"] == ""
    assert found["tests"]["decided rightly by software"]["shown"] == "better"
    back = report(capsys, unsure, old, data, code=1)
    assert back["tests"]["decided rightly by software"]["worse"] == 8


def test_figures_are_those_of_evaluate(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = model_of_colours(tmp_path / "model", SWAPPED)
    found = report(capsys, model, model, data, code=1)["new"]
    assert evaluate.main([str(model / "model.onnx"), str(data), "--json"]) == 0
    measured = json.loads(capsys.readouterr().out)
    for name in ("accuracy", "none", "lost"):
        assert found[name].items() >= measured[name].items(), name
    assert measured["accuracy"]["of"] == 16


def test_each_model_sees_pictures_in_its_own_size(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    larger = model_of_colours(tmp_path / "larger", size=64)
    found = report(capsys, old, larger, data)
    assert [found[side]["input_size"] for side in ("old", "new")] == [32, 64]
    assert found["agreement"]["same_decision"]["hits"] == 24


def test_other_classes_are_refused_and_another_order_or_no_other_is_not(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    foreign = model_of_colours(tmp_path / "foreign", ("red", "yellow", "other"))
    said = refused(capsys, old, foreign, data)
    assert "green, red apart, the new one red, yellow" in said
    for labels in (("green", "red", "other"), ("red", "other", "green")):
        turned = model_of_colours(tmp_path / "-".join(labels), labels)
        assert report(capsys, old, turned, data, code=1)["tests"]["right"]["worse"] == 16
    # A model without `other`, which calls blue green.
    three = model_of_colours(tmp_path / "three", ("red", "green", "green"))
    found = report(capsys, old, three, data, code=1)
    assert found["tests"]["right"]["worse"] == 8  # all that is blue
    assert found["new"]["right_of_accepted"]["hits"] == 16


def test_what_cannot_be_read_is_named_and_the_rest_compared(
    old: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name = "caf\N{LATIN SMALL LETTER E WITH ACUTE} \x1b[31m\n.png"
    (data / "red" / name).write_bytes(b"no picture")
    (data / "red/9.png").write_bytes((data / "red/1.png").read_bytes()[:60])
    assert compare.main([str(old), str(old), str(data)]) == 0
    out = capsys.readouterr().out
    assert "24 pictures of" in out and "left out: 2" in out
    assert "\x1b" not in out
    left_out = report(capsys, old, old, data)["left_out"]
    assert set(left_out) == {f"red/{name}", "red/9.png"}
    assert "not a picture" in left_out[f"red/{name}"]


def test_names_that_are_no_text_are_printed_and_kept_in_json(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = data / "red/0.png"
    source.rename(os.fsdecode(bytes(source.parent) + b"/\xff\xfe.png"))
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED)
    assert compare.main([str(old), str(mixed), str(data)]) == 1
    assert "red/\\udcff\\udcfe.png" in capsys.readouterr().out
    names = {entry["picture"] for entry in report(capsys, old, mixed, data, code=1)["changed"]}
    assert "red/\udcff\udcfe.png" in names


def test_a_folder_of_no_class_counts_as_other_and_all_of_them_are_refused(
    old: Path, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (data / "other").rename(data / "sky")
    found = report(capsys, old, old, data)
    assert found["counted_as_other"] == {"sky": 8}
    assert (found["new"]["accuracy"]["of"], found["new"]["none"]["of"]) == (16, 8)
    for name in ("red", "green"):
        (data / name).rename(data / f"{name}s")
    assert "or give --unlabelled if folders are no classes" in refused(capsys, old, old, data)
    found = report(capsys, old, old, data, "--unlabelled")
    assert (found["labelled"], found["pictures"]) == (False, 24)


def captured(picture: bytes, time: str = "2026-11-24T12:00:00Z") -> str:
    sent = {"data": base64.b64encode(picture).decode(), "encoding": "BASE64"}
    output = {"data": '{"inferences": [], "model": "1"}', "encoding": "JSON"}
    record = {
        "captureData": {"endpointInput": sent, "endpointOutput": output},
        "eventMetadata": {"inferenceTime": time},
    }
    return json.dumps(record)


def test_captures_show_what_would_change_and_judge_nothing(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hour = tmp_path / "captures/endpoint/AllTraffic/2026/11/24/12"
    hour.mkdir(parents=True)
    lines = [captured((data / f"{name}/0.png").read_bytes()) for name in ("red", "other")]
    text = "\n".join([lines[0], "", "{", lines[1], '{"captureData": {}}']) + "\n"
    (hour / "a.jsonl").write_text(text)
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED)
    sheet = tmp_path / "sheet.png"
    found = report(capsys, old, mixed, tmp_path / "captures", "--sheet", sheet)
    place = "endpoint/AllTraffic/2026/11/24/12/a.jsonl"
    assert set(found["left_out"]) == {f"{place}:3", f"{place}:5"}
    [changed] = found["changed"]
    assert changed["picture"] == f"{place}:1"
    assert changed["is"] is None
    assert (changed["old"]["label"], changed["new"]["label"]) == ("red", "green")
    assert found["tests"] == {}
    assert "label the 1 changed pictures" in found["verdict"][1]
    with Image.open(sheet) as drawn:
        assert drawn.convert("RGB").getpixel((80, 80)) == COLOURS["red"]


def test_the_sheet_shows_the_changed_pictures_with_both_answers(
    old: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED)
    sheet = tmp_path / "sheet.png"
    assert compare.main([str(old), str(mixed), str(data), "--sheet", str(sheet)]) == 1
    assert f"{sheet}: 16 of 16 changed pictures of 24" in capsys.readouterr().out
    with Image.open(sheet) as drawn:
        assert drawn.format == "PNG"
        pixels = np.asarray(drawn.convert("RGB")).reshape(-1, 3)
    shown = {name: int((pixels == colour).all(1).sum()) for name, colour in COLOURS.items()}
    assert shown["red"] > 0 < shown["green"]
    assert shown["other"] == 0
    assert (pixels < 60).all(1).any()  # the captions


def test_the_text_fits_80_columns_and_names_the_first_twenty(
    old: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = colours(tmp_path / "many", 15)
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED, version="2026.11.26-" + "long" * 9)
    assert compare.main([str(old), str(mixed), str(data)]) == 1
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if len(line) > 80 and str(data) not in line] == []
    assert out.count("red/") + out.count("green/") == 20
    assert "\n10 more: --json names them all\n" in out
    assert len(report(capsys, old, mixed, data, code=1)["changed"]) == 30


def test_promises_are_not_judged_on_pictures_that_stand_for_others(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mixed = model_of_colours(tmp_path / "mixed", SWAPPED)
    (data / "weights.csv").write_text("file,weight\nred/0.png,50\n")
    found = report(capsys, mixed, mixed, data)
    assert found["broken_promises"] == []
    assert "weights.csv" in found["verdict"][-1]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        pytest.param(["nowhere", "OLD", "DATA"], "nowhere holds no model.onnx", id="no model"),
        pytest.param(["OLD", "OLD", "nowhere"], "nowhere is not a folder", id="no data"),
        pytest.param(["OLD", "BARE", "DATA"], "holds no card.json: it tells", id="no card"),
        pytest.param(["OLD", "TORN", "DATA"], "card.json: it tells no threshold", id="torn card"),
        pytest.param(
            ["OLD", "OLD", "EMPTY"],
            "holds no folders; it needs a folder of pictures for each class",
            id="no pictures",
        ),
        pytest.param(["OLD", "OLD", "BROKEN"], "none of 2 pictures can be read", id="all broken"),
    ],
)
def test_what_cannot_be_compared_is_one_line(
    words: list[str],
    message: str,
    old: Path,
    data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("BARE", "TORN"):
        model_of_colours(tmp_path / name)
    (tmp_path / "BARE/card.json").unlink()
    (tmp_path / "TORN/card.json").write_text('{"threshold": 3}')
    (tmp_path / "EMPTY").mkdir()
    (tmp_path / "BROKEN").mkdir()
    for name in ("a.png", "b.jpg"):
        (tmp_path / "BROKEN" / name).write_bytes(b"x")
    places = {"OLD": old, "DATA": data} | {
        name: tmp_path / name for name in ("BARE", "TORN", "EMPTY", "BROKEN")
    }
    assert message in refused(capsys, *(places.get(word, word) for word in words))


def test_the_shipped_model_is_better_than_one_that_calls_all_a_bicycle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No figure of the shipped model matters but that it knows these photos."""
    data = labelled_photos(tmp_path / "data")
    tilted = changed_model(tmp_path / "tilted", bias=(30, -30, -30))
    found = report(capsys, SHIPPED, tilted, data, code=1)
    assert found["tests"]["right"]["shown"] == "worse"
    assert found["new"]["accuracy"]["hits"] < found["old"]["accuracy"]["hits"]
    assert found["broken_promises"]
    back = report(capsys, tilted, SHIPPED, data)
    assert back["tests"]["right"]["shown"] == "better"
