"""Measure a model on a folder of labelled pictures.

    python -m model.evaluate model/pretrained/model.onnx DATA --out report

DATA holds a folder per class; a folder whose name the model does not know counts as `other`.
Prints a table, or JSON; with --out also writes the figures, the plots and the worst mistakes.

With a file DATA/weights.csv (file,weight), as `python -m model.dataset --from-stack` writes it,
each share is also printed with every picture counted by its weight: the estimate for all decisions
that the pictures were drawn from. It has no interval; `python -m ops quality` gives that of the
decisions themselves.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser, fraction
from cli.errors import CommandError, guarded
from model.training.rounding import none_threshold

if TYPE_CHECKING:
    from model.training.export import Model
    from model.training.figures import Floats
    from model.training.pictures import Pictures


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.evaluate", __doc__ or "")
    found.add_argument("model", type=Path, help="model.onnx as python -m model.train wrote it")
    found.add_argument("data", type=Path, help="folder with a folder of pictures per class")
    found.add_argument(
        "--threshold", type=fraction, help="least confidence to accept, 0..1 (default: the card's)"
    )
    found.add_argument("--out", type=Path, help="folder for figures.json and the plots")
    found.add_argument(
        "--card", metavar="NAME", help="record the figures in the model's card under this name"
    )
    found.add_argument("--json", action="store_true", help="print the figures as JSON")
    return found


def main(words: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    arguments = parser().parse_args(words)
    return guarded(lambda: run(arguments), "train")


def run(arguments: argparse.Namespace) -> int:
    """Measure the model, print the figures, and write what the options ask for."""
    from model.training.card import as_json, write_card
    from model.training.export import Model
    from model.training.figures import measure, table, weighted
    from model.training.pictures import load, weights
    from model.training.plots import draw

    model = Model(arguments.model)
    threshold, none_threshold = thresholds(arguments.model, arguments.threshold)
    pictures = load(arguments.data, model.labels)
    probabilities = predict(model, pictures)
    seen = probabilities, pictures.truth, pictures.labels, threshold
    figures = measure(*seen, none_threshold)
    given = weights(arguments.data, pictures)
    by_weight = None if given is None else weighted(*seen, given, none_threshold)
    record = as_json(
        {"model": model.version, "labels": model.labels, **figures}
        | ({"weighted": by_weight} if by_weight else {})
    )
    if arguments.json:
        print(record, end="")
    else:
        drawn = "" if given is None else f", {int((given > 0).sum())} with a weight"
        print(f"model {model.version}, {len(pictures)} pictures of {arguments.data}{drawn}")
        print(table(figures, pictures.labels, by_weight))
    notes = sys.stderr if arguments.json else sys.stdout
    if arguments.out:
        arguments.out.mkdir(parents=True, exist_ok=True)
        (arguments.out / "figures.json").write_text(record)
        draw(probabilities, pictures, threshold, none_threshold, arguments.out)
        print(f"plots in {arguments.out}", file=notes)
    if arguments.card:
        path = arguments.model.with_name("card.json")
        card = json.loads(path.read_text())
        card["figures"][arguments.card] = figures
        write_card(path.parent, card)
        print(f"figures recorded as `{arguments.card}` in {path}", file=notes)
    return 0


def predict(model: "Model", pictures: "Pictures") -> "Floats":
    """Return (n, classes) probabilities; show progress on a terminal."""
    import numpy as np
    from tqdm import tqdm

    from model.training.pictures import pixels

    steps = [range(i, min(i + 50, len(pictures))) for i in range(0, len(pictures), 50)]
    bar = tqdm(steps, "measuring", unit_scale=50, unit="picture", disable=None, leave=False)
    return np.concatenate([model.probabilities(pixels(pictures, part, model.size)) for part in bar])


def thresholds(model: Path, given: float | None) -> tuple[float, float | None]:
    """Return the thresholds to accept and for none of the classes, by the card beside the model.

    given: used instead of the card's. Raises CommandError without either.
    """
    path = model.with_name("card.json")
    card = json.loads(path.read_text()) if path.is_file() else {}
    if given is None and not card:
        raise CommandError(f"there is no {path}: give --threshold, for instance 0.9")
    accept = card["threshold"]["value"] if given is None else given
    return float(accept), none_threshold(card)


if __name__ == "__main__":
    sys.exit(main())
