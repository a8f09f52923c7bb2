"""From folders of labelled pictures to a model folder: train, calibrate, export, check, measure."""

import hashlib
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from model.training import plots
from model.training.calibration import (
    LEVEL,
    NONE_RISK,
    RISK,
    choose_none_threshold,
    choose_threshold,
    fit_temperature,
)
from model.training.card import baseline, write_card
from model.training.cross_validation import CrossValidation
from model.training.export import ExportError, Model, check, export, milliseconds
from model.training.figures import Floats, accepted, measure, softmax, table
from model.training.fit import TrainingError, logits
from model.training.network import Classifier
from model.training.pictures import (
    OTHER,
    Pictures,
    folds,
    load,
    pixels,
    refuse_duplicates,
    usual,
)
from model.training.rounding import rounded_up
from model.training.settings import Settings
from model.training.telemetry import say

# int8 rounds each layer to 256 levels: 0.02 is what that costs on average when all is well; an
# unsuited range shows as 0.1 and more. fp32 differs from torch by rounding only.
GAP_INT8, GAP_FP32 = 0.03, 1e-4
CALIBRATION_PICTURES = 200  # that measure the int8 ranges; twice as many change nothing

# Without the path of a Python: it stands in the card, which travels.
WITHOUT_OTHER = (
    "It was trained without a folder `other`. It has no answer for what is none of its classes: a"
    " picture of a cat gets the label of a class, and is accepted if the confidence reaches the"
    " threshold. The promise of the threshold holds for pictures of the classes alone. Add a folder"
    " `other` with pictures of whatever else cameras see, and train again; python -m model.dataset"
    " writes one, data/train/other."
)


@dataclass(frozen=True)
class Calibration:
    """What is chosen on out-of-fold predictions, and the figures that it gives there.

    none_threshold: None without a promise. probabilities: (n, classes). accuracy: of all pictures.
    per_seed: figures of each seed alone.
    """

    temperature: float
    threshold: float
    promise: str
    none_threshold: float | None
    none_promise: str
    probabilities: Floats
    accuracy: float
    figures: dict[str, Any]
    per_seed: list[dict[str, float]]


def train(
    data: Path,
    test: Path | None,
    out: Path,
    checkpoints: Path,
    count: int,
    seeds: int,
    settings: Settings,
) -> None:
    """Train on the class folders of `data` and write a model folder that can be served to `out`.

    test: class folders measured once at the end. checkpoints: folder of finished trainings. count:
    folds. seeds: repetitions of the folds. Raises DatasetError, TrainingError or ExportError.
    """
    started = time.monotonic()
    for folder in (out, checkpoints):
        folder.mkdir(parents=True, exist_ok=True)
    pictures, held_out = read(data, test, count)  # all of them: a broken one is found now
    warnings = [] if OTHER in pictures.labels else [WITHOUT_OTHER]
    warn(warnings)

    trainings = CrossValidation(pictures, settings, count, checkpoints)
    outputs = [trainings.out_of_fold(seed) for seed in range(seeds)]
    plots.curves(trainings.history, out / "curves.png")
    chosen = usual(pictures)
    sample = pictures.only(chosen)
    calibration = calibrate([output[chosen] for output in outputs], sample)
    thresholds = calibration.threshold, calibration.none_threshold
    plots.draw(calibration.probabilities, sample, *thresholds, out)

    # The network that is served is the mean of the folds' weights. It has learnt from every
    # picture, costs no further training, and is flatter, so steadier, than any of them.
    network = trainings.average()
    check_average(network, pictures, calibration.accuracy, settings.trunk_rate)
    version = f"{datetime.now(UTC):%Y.%m.%d}-{digest(network, calibration.temperature)[:8]}"
    some = np.random.default_rng(0).permutation(len(pictures))[:CALIBRATION_PICTURES]
    samples = pixels(pictures, some, settings.size)
    images = pixels(held_out, range(len(held_out)), settings.size) if held_out else samples
    files = {"fp32": out / "model-fp32.onnx", "int8": out / "model.onnx"}
    say("exporting")
    export(network, calibration.temperature, pictures.labels, version, samples, *files.values())
    agreement = check_files(network, calibration.temperature, files, images)

    figures: dict[str, Any] = {"out_of_fold": calibration.figures, "seeds": calibration.per_seed}
    if len(sample) < len(pictures):
        every = softmax(np.mean(outputs, axis=0), calibration.temperature)
        measured = measure(every, pictures.truth, pictures.labels, *thresholds)
        figures["out_of_fold_with_all_strangers"] = measured
    if held_out:
        probabilities = Model(files["int8"]).probabilities(images)
        figures["test"] = measure(probabilities, held_out.truth, held_out.labels, *thresholds)
        say("test set\n" + table(figures["test"], held_out.labels))
        say("", **metrics("test", figures["test"]))
    card = {
        "version": version,
        "labels": list(pictures.labels),
        "warnings": warnings,
        "created": f"{datetime.now(UTC):%Y-%m-%d}",
        "input": {"name": "image", "size": settings.size},
        "threshold": {
            "value": calibration.threshold,
            "risk": RISK,
            "level": LEVEL,
            "promise": calibration.promise,
        },
        "none": {
            "value": calibration.none_threshold,
            "risk": NONE_RISK,
            "level": LEVEL,
            "promise": calibration.none_promise,
        },
        "temperature": calibration.temperature,
        "data": {
            "pictures": pictures.counts(),
            "calibrated_on": sample.counts(),
            "folds": count,
        },
        "recipe": asdict(settings),
        "figures": figures,
        "agreement": agreement,
        "size_bytes": {kind: files[kind].stat().st_size for kind in agreement},
        "latency_ms": {kind: milliseconds(files[kind]) for kind in agreement},
        "training_seconds": round(time.monotonic() - started),
        "baseline": baseline(
            calibration.probabilities, sample, calibration.threshold, settings.size
        ),
    }
    write_card(out, card)
    warn(warnings)  # the first one has scrolled away
    seconds = f"{time.monotonic() - started:.0f} s"
    say(f"model {version} in {out}; threshold {rounded_up(calibration.threshold)}, {seconds}")


def read(data: Path, test: Path | None, count: int) -> tuple[Pictures, Pictures | None]:
    """Return the pictures to train and to test with; raise DatasetError for what cannot be used."""
    pictures = load(data)
    held_out = load(test, pictures.labels) if test else None
    if held_out:
        refuse_duplicates({"train": pictures, "test": held_out})
    counts = ", ".join(f"{number} {label}" for label, number in pictures.counts().items())
    say(f"{len(pictures)} pictures: {counts}")
    folds(pictures, count, 0)  # raises if a class is too small for them
    return pictures, held_out


def warn(warnings: Sequence[str]) -> None:
    """Print warnings on standard error."""
    for warning in warnings:
        print(f"WARNING: {warning}", file=sys.stderr, flush=True)


def calibrate(outputs: list[Floats], pictures: Pictures) -> Calibration:
    """Choose temperature and thresholds on raw outputs (n, classes) of each seed; print figures.

    With several seeds the mean of the outputs of the networks that had not seen a picture stands
    for the output of the mean of their weights.
    """
    truth, labels = pictures.truth, pictures.labels
    mean = np.mean(outputs, axis=0)
    temperature = fit_temperature(mean, truth)
    probabilities = softmax(mean, temperature)
    confidence, right = probabilities.max(1), probabilities.argmax(1) == truth
    named = accepted(probabilities, labels, 0)
    limit, promise = choose_threshold(confidence[named], right[named])
    of_class = np.array(labels)[truth] != OTHER
    none_limit, none_promise = choose_none_threshold(
        confidence[~named], of_class[~named], int(of_class.sum())
    )
    figures = measure(probabilities, truth, labels, limit, none_limit)
    say(table(figures, labels) + "\n")
    per_seed = []
    for seed, output in enumerate(outputs):
        found = measure(softmax(output, fit_temperature(output, truth)), truth, labels, limit)
        per_seed.append(summary(found))
        say(f"seed {seed}: " + ", ".join(f"{n} {value:.4f}" for n, value in per_seed[-1].items()))
    say("", **metrics("oof", figures), oof__auroc=figures["auroc"])
    say(promise, calibration__temperature=temperature, calibration__threshold=limit)
    say(f"none: {none_promise}")
    return Calibration(
        temperature=temperature,
        threshold=limit,
        promise=promise,
        none_threshold=none_limit,
        none_promise=none_promise,
        probabilities=probabilities,
        accuracy=float(right.mean()),
        figures=figures,
        per_seed=per_seed,
    )


def check_average(network: Classifier, pictures: Pictures, unseen: float, rate: float) -> None:
    """Raise TrainingError if the folds' networks are too far apart to be averaged.

    unseen: their accuracy on pictures that they had not seen. rate: the setting trunk_rate.
    """
    guess = logits(network, pictures, np.arange(len(pictures))).argmax(1)
    seen = (guess == pictures.truth).mean()
    if seen < unseen - 0.02:
        raise TrainingError(
            f"the mean of the folds' networks is right on {seen:.3f} of the training"
            f" pictures, its members on {unseen:.3f} of unseen ones; lower --trunk-rate ({rate:g})"
        )


def check_files(
    network: Classifier, temperature: float, files: dict[str, Path], images: NDArray[np.float32]
) -> dict[str, Any]:
    """Return how each file agrees with the network on images (n, 3, size, size), by kind.

    An int8 file that differs too much is replaced by a copy of fp32, and left out. Raises
    ExportError if fp32 differs.
    """
    agreement = {"fp32": asdict(check(network, temperature, files["fp32"], images, GAP_FP32))}
    try:
        agreement["int8"] = asdict(check(network, temperature, files["int8"], images, GAP_INT8))
    except ExportError as error:  # a network that is unsure of much loses the most
        say(f"{error}. model.onnx is fp32 instead: larger and slower, the card says how much")
        shutil.copyfile(files["fp32"], files["int8"])
    return agreement


def metrics(prefix: str, found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the figures that telemetry prints under a prefix."""
    names = ("accuracy", "accepted", "false_acceptance_rate", "ece")
    return {f"{prefix}__{name}": found[name]["value"] for name in names}


def summary(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Return the figures that the card keeps of each seed."""
    names = ("accuracy", "accepted", "right_of_accepted", "false_acceptance_rate", "ece")
    return {name: found[name]["value"] for name in names}


def digest(network: Classifier, temperature: float) -> str:
    """Return the SHA-256 of weights and temperature: the same training gives the same version."""
    whole = hashlib.sha256(repr(temperature).encode())
    for tensor in network.state_dict().values():
        whole.update(tensor.contiguous().numpy().tobytes())
    return whole.hexdigest()
