"""Train a classifier on folders of labelled pictures; write a model folder that can be served.

    python -m model.train --data data/train --test data/test --out out/model
    python -m model.train --data labelled --out out/quick --epochs 1 --folds 2     (a trial)

DATA holds a folder per class (bicycle/ motorcycle/ other/, or any other names, at least two);
`other` is reserved for "none of the classes". The same file is the entry point of a SageMaker
training job in script mode: there the SM_* variables are the defaults of --data, --test, --out.

What happens, in this order: folds of the training data give predictions of unseen pictures;
on these the temperature and the threshold are chosen; the folds' networks are then averaged
into one, exported as int8 and fp32, and checked; int8 is served unless it lost too much. Finished
trainings are kept as checkpoints: the same command goes on where an interrupted one stopped.
"""

import argparse
import copy
import hashlib
import os
import shutil
import sys
import time
from dataclasses import asdict, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from model.evaluate import draw, pixels
from model.training import plots
from model.training.calibration import LEVEL, RISK, NoThreshold, temperature, threshold
from model.training.card import baseline, write_card
from model.training.export import ExportError, Model, check, export, milliseconds
from model.training.figures import Floats, accepted, measure, rounded_up, softmax, table
from model.training.fit import Progress, Settings, TrainingError, channels_last, fit, logits
from model.training.network import Classifier
from model.training.pictures import DatasetError, Pictures, folds, load, refuse_duplicates
from model.training.telemetry import say

# int8 rounds each layer to 256 levels: 0.02 is what that costs on average when all is well; an
# unsuited range shows as 0.1 and more. fp32 differs from torch by rounding only.
GAP_INT8, GAP_FP32 = 0.03, 1e-4
CALIBRATION_PICTURES = 200  # that measure the int8 ranges; twice as many change nothing

History = dict[str, list[tuple[int, float, float]]]


def parser() -> argparse.ArgumentParser:
    found = argparse.ArgumentParser(
        prog="python -m model.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    env = os.environ.get
    default = Settings()
    where = found.add_argument_group("where")
    where.add_argument(
        "--data", default=env("SM_CHANNEL_TRAINING"), help="training pictures, a folder per class"
    )
    where.add_argument(
        "--test",
        default=env("SM_CHANNEL_TEST"),
        help="pictures measured once at the end; none of them may be in --data",
    )
    where.add_argument(
        "--out",
        default=env("SM_MODEL_DIR", "out/model"),
        help="model folder to write (default: %(default)s)",
    )
    where.add_argument(
        "--checkpoints", help="folder of finished trainings (default: OUT/../checkpoints)"
    )
    how = found.add_argument_group("how (defaults were chosen on out-of-fold pictures)")
    how.add_argument("--folds", type=int, default=3, help="2 or more (default: 3)")
    how.add_argument("--seeds", type=int, default=1, help="repeat the folds (default: 1)")
    how.add_argument("--threads", type=int, default=0, help="0: as many as cores (default)")
    for field in fields(Settings):
        flag = "--" + field.name.replace("_", "-")
        kind = type(getattr(default, field.name))
        how.add_argument(
            flag,
            type=kind,
            default=getattr(default, field.name),
            metavar="N",
            help=f"(default: {getattr(default, field.name)})",
        )
    return found


def main(arguments: list[str] | None = None) -> int:
    options = parser().parse_args(arguments)
    if not options.data:
        parser().error("--data is needed: a folder with a folder of pictures per class")
    if options.threads:
        torch.set_num_threads(options.threads)
    settings = Settings(**{f.name: getattr(options, f.name) for f in fields(Settings)})
    out = Path(options.out)
    try:
        return train(options, settings, out)
    except (DatasetError, TrainingError, ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; run the same command to go on", file=sys.stderr)
        return 130


def train(options: argparse.Namespace, settings: Settings, out: Path) -> int:
    started = time.monotonic()
    out.mkdir(parents=True, exist_ok=True)
    checkpoints = Path(options.checkpoints or out.parent / "checkpoints")
    checkpoints.mkdir(parents=True, exist_ok=True)

    # 1. Read everything, so that a broken picture is found now and not in an hour.
    pictures = load(Path(options.data))
    test = load(Path(options.test), pictures.labels) if options.test else None
    if test:
        splits = {"train": pictures, "test": test}
        refuse_duplicates(
            {name: zip(part.paths, part.images, strict=True) for name, part in splits.items()}
        )
    counts = dict(zip(pictures.labels, np.bincount(pictures.truth).tolist(), strict=True))
    say(f"{len(pictures)} pictures: " + ", ".join(f"{n} {label}" for label, n in counts.items()))
    folds(pictures, options.folds, 0)  # raises if a class is too small for them

    # 2. Predictions of pictures that the predicting network has not seen, per seed.
    history: History = {}
    members: list[Classifier] = []
    outputs = [
        out_of_fold(pictures, settings, options.folds, seed, checkpoints, history, members)
        for seed in range(options.seeds)
    ]
    plots.curves(history, out / "curves.png")

    # 3. Temperature and threshold. With several seeds the mean of the outputs of the networks
    #    that had not seen a picture stands for what the mean of their weights would say.
    heats = [temperature(output, pictures.truth) for output in outputs]
    together = np.mean(outputs, axis=0)
    heat = temperature(together, pictures.truth)
    chances = softmax(together, heat)
    named = accepted(chances, pictures.labels, 0)
    confidence, right = chances.max(1), chances.argmax(1) == pictures.truth
    limit, promise = choose(confidence[named], right[named])
    per_seed = [
        measure(softmax(output, own), pictures.truth, pictures.labels, limit)
        for output, own in zip(outputs, heats, strict=True)
    ]
    whole_oof = measure(chances, pictures.truth, pictures.labels, limit)
    say(table(whole_oof, pictures.labels) + "\n")
    for seed, found in enumerate(per_seed):
        say(
            f"seed {seed}: "
            + ", ".join(f"{name} {value:.4f}" for name, value in brief(found).items())
        )
    say("", **metrics("oof", whole_oof), oof__auroc=whole_oof["auroc"])
    say(promise, calibration__temperature=heat, calibration__threshold=limit)

    # 4. The network that is served: the mean of the folds' weights. It has learnt from every
    #    picture, costs no further training, and is flatter, so steadier, than any of them.
    network = blended(members)
    seen = logits(network, pictures, np.arange(len(pictures))).argmax(1) == pictures.truth
    if seen.mean() < right.mean() - 0.02:  # members too far apart to be averaged
        raise TrainingError(
            f"the mean of the folds' networks is right on {seen.mean():.3f} of the training"
            f" pictures, its members on {right.mean():.3f} of unseen ones; lower --trunk-rate"
            f" ({settings.trunk_rate:g})"
        )

    # 5. Export, and check each file against the network: on the test pictures if there are any.
    version = f"{datetime.now(UTC):%Y.%m.%d}-{digest(network, heat)[:8]}"
    rng = np.random.default_rng(0)
    sample = rng.permutation(len(pictures))[:CALIBRATION_PICTURES]
    served, whole = out / "model.onnx", out / "model-fp32.onnx"
    say("exporting")
    samples = pixels(pictures, sample, settings.size)
    export(network, heat, pictures.labels, version, samples, whole, served)
    images = pixels(test, range(len(test)), settings.size) if test else samples
    agreement = {"fp32": asdict(check(network, heat, whole, images, GAP_FP32))}
    try:
        agreement["int8"] = asdict(check(network, heat, served, images, GAP_INT8))
    except ExportError as error:  # a network that is unsure of much loses the most
        say(f"{error}. model.onnx is fp32 instead: larger and slower, the card says how much")
        shutil.copyfile(whole, served)

    # 6. The card, with the test figures of the file that is served.
    files = {"fp32": whole, "int8": served}
    briefs = [brief(found) for found in per_seed]
    figures: dict[str, Any] = {"out_of_fold": whole_oof, "seeds": briefs}
    draw(chances, pictures, limit, out)
    if test:
        chances_test = Model(served).probabilities(images)
        figures["test"] = measure(chances_test, test.truth, test.labels, limit)
        say("test set\n" + table(figures["test"], test.labels))
        say("", **metrics("test", figures["test"]))
    write_card(
        out,
        {
            "version": version,
            "labels": list(pictures.labels),
            "created": f"{datetime.now(UTC):%Y-%m-%d}",
            "input": {"name": "image", "size": settings.size},
            "threshold": {"value": limit, "risk": RISK, "level": LEVEL, "promise": promise},
            "temperature": heat,
            "data": {"pictures": counts, "folds": options.folds},
            "recipe": asdict(settings),
            "figures": figures,
            "agreement": agreement,
            "size_bytes": {kind: files[kind].stat().st_size for kind in agreement},
            "latency_ms": {kind: milliseconds(files[kind]) for kind in agreement},
            "training_seconds": round(time.monotonic() - started),
            "baseline": baseline(chances, pictures, limit, settings.size),
        },
    )
    seconds = f"{time.monotonic() - started:.0f} s"
    say(f"model {version} in {out}; threshold {rounded_up(limit)}, {seconds}")
    return 0


def out_of_fold(
    pictures: Pictures,
    settings: Settings,
    count: int,
    seed: int,
    checkpoints: Path,
    history: History,
    members: list[Classifier],
) -> Floats:
    """(n, classes) raw outputs, each by the network of the fold that had not seen the picture.

    Adds the curves of the trainings to `history` and the networks to `members`.
    """
    fold = folds(pictures, count, seed)
    outputs = np.zeros((len(pictures), len(pictures.labels)), np.float32)
    for k in range(count):
        unseen = np.flatnonzero(fold == k)
        name = f"seed {seed} fold {k + 1}/{count}"
        seen = np.flatnonzero(fold != k)
        network, path = trained(pictures, seen, settings, seed * 10 + k, name, checkpoints, history)
        predicted = path.with_suffix(".npy")
        if not predicted.is_file():
            np.save(predicted, logits(network, pictures, unseen))
        outputs[unseen] = np.load(predicted)
        members.append(network)
    return outputs


def blended(members: list[Classifier]) -> Classifier:
    """Return a network with the mean of the members' weights (Wortsman et al. 2022, "soups").

    It works because all start from the same pretrained weights and stay near them.
    """
    network = copy.deepcopy(members[0])
    states = [member.state_dict() for member in members]
    network.load_state_dict(
        {name: torch.stack([state[name] for state in states]).mean(0) for name in states[0]}
    )
    network.eval()
    return network


def trained(
    pictures: Pictures,
    chosen: NDArray[np.int64],
    settings: Settings,
    seed: int,
    name: str,
    checkpoints: Path,
    history: History,
) -> tuple[Classifier, Path]:
    """Train, or take the checkpoint of the same training of the same pictures; and its path."""
    names = [f"{pictures.truth[i]}/{pictures.paths[i].name}" for i in chosen]
    key = hashlib.sha256(repr((settings, seed, pictures.labels, names)).encode()).hexdigest()[:16]
    path = checkpoints / f"{key}.pt"
    if path.is_file():
        kept = torch.load(path, weights_only=True)
        network = Classifier(len(pictures.labels), settings.size, settings.frozen)
        network.load_state_dict(kept["weights"])
        history[name] = kept["history"]
        say(f"{name}: taken from {path}")
        network.eval()
        return channels_last(network), path
    rows: list[tuple[int, float, float]] = []
    started = time.monotonic()

    def report(at: Progress) -> None:
        rows.append((at.step, at.loss, at.accuracy))
        if at.step % max(1, at.steps // 20) == 0 or at.step == at.steps:
            spent = time.monotonic() - started
            left = spent / at.step * (at.steps - at.step)
            say(
                f"{name} step={at.step}/{at.steps} left={left:.0f}s",
                train__loss=at.loss,
                train__accuracy=at.accuracy,
            )

    network = fit(pictures, chosen, settings, seed, report)
    partial = path.with_suffix(".partial")
    torch.save({"weights": network.state_dict(), "history": rows}, partial)
    partial.replace(path)
    history[name] = rows
    return network, path


def choose(confidence: Floats, right: NDArray[np.bool_]) -> tuple[float, str]:
    """(threshold, what it promises); without enough pictures for a promise, the best guess."""
    try:
        return threshold(confidence, right), (
            f"at most {RISK:.0%} of the accepted are wrong, with {LEVEL:.0%} confidence"
        )
    except NoThreshold as error:
        wrong = confidence[~right]
        guess = min(0.999, float(np.nextafter(wrong.max(), 1))) if len(wrong) else 0.9
        return guess, f"no promise: {error}"


def metrics(prefix: str, found: dict[str, dict[str, float]]) -> dict[str, float]:
    names = ("accuracy", "accepted", "strangers_accepted", "ece")
    return {f"{prefix}__{name}": found[name]["value"] for name in names}


def brief(found: dict[str, dict[str, float]]) -> dict[str, float]:
    names = ("accuracy", "accepted", "right_of_accepted", "strangers_accepted", "ece")
    return {name: found[name]["value"] for name in names}


def digest(network: Classifier, heat: float) -> str:
    """SHA-256 of weights and temperature: the same training gives the same version."""
    whole = hashlib.sha256(repr(heat).encode())
    for tensor in network.state_dict().values():
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()


if __name__ == "__main__":
    sys.exit(main())
