"""Lay out pictures to train with: CIFAR-100's, CIFAR-10's, drawn ones, and your own.

    python -m model.dataset                     download, verify, lay out in data/
    python -m model.dataset --own MINE          the same, with the class folders of MINE
    python -m model.dataset --check MINE/train MINE/test

Writes data/train and data/test, each with bicycle/ motorcycle/ other/, and two folders of what
training never sees: data/withheld, twenty classes, one of each CIFAR-100 superclass, and
data/unseen, three kinds of drawn pictures. An interrupted download continues where it stopped.

The promise of a threshold (at most 1 % of the accepted are wrong, with 95 % confidence) takes 299
accepted pictures without an error, or 473 with one: so give at least 250 pictures of each class.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser, integer_between
from cli.errors import guarded

if TYPE_CHECKING:
    from model.training.cifar import Source

DRAWN = 60  # pictures of each drawn kind to train with
UNSEEN = 200  # of each kept back


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.dataset", __doc__ or "")
    found.add_argument("--out", type=Path, default=Path("data"), help="default: data")
    found.add_argument(
        "--others",
        type=integer_between(1, 5000),  # CIFAR-10 has 5,000 training pictures of each class
        default=100,
        metavar="N",
        help="pictures of each other class to train with, at most 500 of CIFAR-100's, 5,000 of"
        " CIFAR-10's (default: 100)",
    )
    found.add_argument(
        "--own",
        type=Path,
        metavar="DIR",
        help="folder with a folder of photos per class, to add to the training pictures; they are"
        " reduced to 32-256 pixels at random, so that their size does not tell their class",
    )
    found.add_argument(
        "--check",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="only check these folders of class folders: every picture readable,"
        " no class empty, no picture in two of them",
    )
    found.add_argument(
        "--json", action="store_true", help="print the pictures of each folder and class as JSON"
    )
    return found


def main(words: Sequence[str] | None = None, sources: "Sequence[Source] | None" = None) -> int:
    """Run the command; return its exit code. sources: the archives (default: CIFAR-100, -10)."""
    arguments = parser().parse_args(words)
    return guarded(lambda: run(arguments, sources), "train", "run the same command to continue")


def run(arguments: argparse.Namespace, sources: "Sequence[Source] | None") -> int:
    """Lay out the data set, unless own folders are given; check the folders, print their counts."""
    from model.training import cifar, own_pictures, strangers

    folders = arguments.check
    if not folders:
        archives = {}
        for source in sources or (cifar.CIFAR100, cifar.CIFAR10):
            archives[source] = arguments.out / source.url.rsplit("/", 1)[1]
            cifar.download(source, archives[source])
        cifar.lay_out(archives, arguments.out, arguments.others)
        strangers.lay_out(arguments.out, DRAWN, UNSEEN)
        folders = [arguments.out / "train", arguments.out / "test"]
        if arguments.own:
            own_pictures.add(arguments.own, folders[0])
    counts = check(folders)
    if arguments.json:
        print(json.dumps(counts, indent=2))
    else:
        for folder, classes in counts.items():
            print(f"{folder}: " + ", ".join(f"{n} {name}" for name, n in classes.items()))
    return 0


def check(folders: Sequence[Path]) -> dict[str, dict[str, int]]:
    """Read every picture of the folders; return how many there are by folder and class.

    Raises DatasetError for what training would refuse: an unreadable picture, an empty class, one
    picture in two folders.
    """
    from model.training.pictures import load, refuse_duplicates

    splits = {str(folder): load(folder) for folder in folders}
    refuse_duplicates(splits)
    return {folder: pictures.counts() for folder, pictures in splits.items()}


if __name__ == "__main__":
    sys.exit(main())
