"""Get CIFAR-100 from its home page and lay it out as folders of pictures; or check own folders.

    python -m model.dataset                     download, verify, lay out in data/
    python -m model.dataset --check MINE/train MINE/test

Writes data/train and data/test, each with bicycle/ motorcycle/ other/, and data/withheld:
twenty classes, one of each CIFAR-100 superclass, that training never sees. An interrupted
download continues where it stopped.
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


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.dataset", __doc__ or "")
    found.add_argument("--out", type=Path, default=Path("data"), help="default: data")
    found.add_argument(
        "--others",
        type=integer_between(1, 500),  # CIFAR-100 has 500 training pictures of each class
        default=20,
        metavar="N",
        help="pictures of each other class to train with, 1-500 (default: 20)",
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


def main(words: Sequence[str] | None = None, source: "Source | None" = None) -> int:
    """Run the command; return its exit code. source: the archive (default: CIFAR-100's)."""
    arguments = parser().parse_args(words)
    return guarded(lambda: run(arguments, source), "train", "run the same command to continue")


def run(arguments: argparse.Namespace, source: "Source | None") -> int:
    """Lay out CIFAR-100, unless own folders are given; check the folders and print their counts."""
    from model.training import cifar

    folders = arguments.check
    if not folders:
        source = source or cifar.CIFAR
        archive = arguments.out / source.url.rsplit("/", 1)[1]
        cifar.download(source, archive)
        cifar.lay_out(archive, arguments.out, arguments.others)
        folders = [arguments.out / "train", arguments.out / "test"]
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
