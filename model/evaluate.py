"""Measure a model on a folder of labelled pictures.

    python -m model.evaluate model/pretrained/model.onnx DATA --out report

DATA holds a folder per class; a folder whose name the model does not know counts as `other`.
Prints a table; with --out also writes it as JSON, with the plots and the worst mistakes.
"""

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from model.training import plots
from model.training.calibration import RISK
from model.training.card import as_json, write_card
from model.training.export import ExportError, Model
from model.training.figures import Floats, accepted, measure, table
from model.training.pictures import DatasetError, Pictures, load, squashed

WORST = 24  # mistakes on the contact sheet


def pixels(pictures: Pictures, chosen: Iterable[int], size: int) -> NDArray[np.float32]:
    """(n, 3, size, size) float32 0..1: what the server makes of each chosen picture."""
    images = [np.asarray(squashed(pictures.images[i], size)) for i in chosen]
    stacked = np.stack(images).transpose(0, 3, 1, 2).astype(np.float32) / 255
    return np.ascontiguousarray(stacked)


def predict(model: Model, pictures: Pictures) -> Floats:
    """(n, classes) probabilities, with a progress bar where there is a terminal."""
    steps = [range(i, min(i + 50, len(pictures))) for i in range(0, len(pictures), 50)]
    bar = tqdm(steps, "measuring", unit_scale=50, unit="picture", disable=None, leave=False)
    return np.concatenate([model.probabilities(pixels(pictures, part, model.size)) for part in bar])


def draw(probabilities: Floats, pictures: Pictures, threshold: float, out: Path) -> None:
    """Write reliability.png, risk-coverage.png, confusion.png and mistakes.png into `out`."""
    guess, confidence = probabilities.argmax(1), probabilities.max(1)
    right = guess == pictures.truth
    plots.reliability(confidence, right, out / "reliability.png")
    named = accepted(probabilities, pictures.labels, 0)
    plots.risk(confidence[named], right[named], threshold, RISK, out / "risk-coverage.png")
    figures = measure(probabilities, pictures.truth, pictures.labels, threshold)
    plots.confusion(figures["confusion"], pictures.labels, out / "confusion.png")
    wrong = np.flatnonzero(~right)
    worst = wrong[np.argsort(-confidence[wrong])][:WORST]
    captions = [
        (
            pictures.paths[i],
            f"is {pictures.labels[pictures.truth[i]]}\n"
            f"{pictures.labels[guess[i]]} {confidence[i]:.2f}",
        )
        for i in worst
    ]
    plots.contact_sheet(captions, out / "mistakes.png")


def default_threshold(model: Path) -> float | None:
    """Return the threshold of the card beside the model, if there is one."""
    card = model.with_name("card.json")
    if not card.is_file():
        return None
    return float(json.loads(card.read_text())["threshold"]["value"])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m model.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", type=Path, help="model.onnx as python -m model.train wrote it")
    parser.add_argument("data", type=Path, help="folder with a folder of pictures per class")
    parser.add_argument(
        "--threshold", type=float, help="confidence to accept at, 0..1 (default: the card's)"
    )
    parser.add_argument("--out", type=Path, help="folder for figures.json and the plots")
    parser.add_argument(
        "--card", metavar="NAME", help="record the figures in the model's card under this name"
    )
    options = parser.parse_args(arguments)
    try:
        model = Model(options.model)
        threshold = options.threshold or default_threshold(options.model)
        if threshold is None or not 0 < threshold <= 1:
            raise ExportError(
                f"threshold {threshold} is not in 0..1; give --threshold, for instance 0.9"
            )
        pictures = load(options.data, model.labels)
        probabilities = predict(model, pictures)
        figures = measure(probabilities, pictures.truth, pictures.labels, threshold)
        print(f"model {model.version}, {len(pictures)} pictures of {options.data}")
        print(table(figures, pictures.labels))
        if options.out:
            options.out.mkdir(parents=True, exist_ok=True)
            record = {"model": model.version, "labels": model.labels, **figures}
            (options.out / "figures.json").write_text(as_json(record))
            draw(probabilities, pictures, threshold, options.out)
            print(f"plots in {options.out}")
        if options.card:
            path = options.model.with_name("card.json")
            card = json.loads(path.read_text())
            card["figures"][options.card] = figures
            write_card(path.parent, card)
            print(f"figures recorded as `{options.card}` in {path}")
    except (DatasetError, ExportError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
