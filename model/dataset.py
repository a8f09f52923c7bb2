"""Lay out pictures to train with: CIFAR's, drawn ones, your own, and those labelled in a stack.

    python -m model.dataset                     download, verify, lay out in data/
    python -m model.dataset --own MINE          the same, with the class folders of MINE
    python -m model.dataset --check MINE/train MINE/test
    python -m model.dataset --from-stack NAME --out out/labels

The first two write data/train and data/test, each with bicycle/ motorcycle/ other/, and two folders
of what training never sees: data/withheld, twenty classes, one of each CIFAR-100 superclass, and
data/unseen, three kinds of drawn pictures. An interrupted download continues where it stopped.

The last takes what people have labelled and audited in a deployed stack; it needs the extra `ops`
and the stack's ViewerPolicy. Run it again when there are more labels: it fetches what is new, moves
what has another label, removes what has none any more. A picture, known by its bytes, is for ever
in test/ or in train/. Train with these and others, measure on those held out:

    python -m model.dataset --own out/labels/train
    python -m model.train --data data/train --test out/labels/test --out out/model
    python -m model.evaluate out/model/model.onnx out/labels/test

Beside the classes stands weights.csv: how many of the stack's decisions each picture stands for, 1
if it was doubtful, 100 / AuditShare if it was audited, 0 if it was corrected without an audit.
Training does not weight by it; model.evaluate does. It is right if all that was doubtful, and all
audits that were due, have been looked at.

The promise of a threshold (at most 1 % of the accepted are wrong, with 95 % confidence) takes 299
accepted pictures without an error, or 473 with one: so give at least 250 pictures of each class.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cli.arguments import Parser, integer_between, number_between
from cli.errors import CommandError, guarded
from cli.terminal import own_command

if TYPE_CHECKING:
    from model.training.cifar import Source

DRAWN = 60  # pictures of each drawn kind to train with
UNSEEN = 200  # of each kept back
CONTINUE = "run the same command to continue"
VIEWER = "attach the policy in the stack's output ViewerPolicyArn"
SHOWN = 5  # reasons, of pictures that are left out


def parser() -> argparse.ArgumentParser:
    """Return the command line."""
    found = Parser("python -m model.dataset", __doc__ or "")
    found.add_argument(
        "--out",
        type=Path,
        help="folder to write (default: data; --from-stack needs one of its own)",
    )
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
        help="folder with a folder of photos per class, to add to the training pictures instead of"
        " those of the last --own; they are reduced to 32-256 pixels at random, so that their size"
        " does not tell their class",
    )
    found.add_argument(
        "--check",
        type=Path,
        nargs="+",
        metavar="DIR",
        help="only check these folders of class folders: every picture readable,"
        " no class empty, no picture in two of them",
    )
    stack = found.add_argument_group("labels of a stack")
    stack.add_argument("--from-stack", metavar="NAME", help="the stack whose labels to take")
    stack.add_argument("--region", help="of the stack (default: that of your AWS configuration)")
    stack.add_argument(
        "--held-out",
        type=number_between(0, 90),
        default=20,
        metavar="PERCENT",
        help="share of the pictures that training never sees (default: %(default)s)",
    )
    found.add_argument(
        "--json", action="store_true", help="print the pictures of each folder and class as JSON"
    )
    return found


def main(words: Sequence[str] | None = None, sources: "Sequence[Source] | None" = None) -> int:
    """Run the command; return its exit code. sources: the archives (default: CIFAR-100, -10)."""
    arguments = parser().parse_args(words)
    if not arguments.from_stack:
        return guarded(lambda: run(arguments, sources), "train", CONTINUE)
    if arguments.own or arguments.check:
        parser().error("--from-stack goes without --own and --check: run the command twice")
    if not arguments.out:
        parser().error("--from-stack needs --out: a folder of its own, for instance out/labels")
    return guarded(lambda: take(arguments), "ops", CONTINUE, VIEWER)


def run(arguments: argparse.Namespace, sources: "Sequence[Source] | None") -> int:
    """Lay out the data set, unless own folders are given; check the folders, print their counts."""
    from model.training import cifar, own_pictures, pictures, strangers

    folders, out = arguments.check, arguments.out or Path("data")
    if not folders:
        if arguments.own:
            pictures.files(arguments.own)  # a mistyped name is found before the download
        archives = {}
        for source in sources or (cifar.CIFAR100, cifar.CIFAR10):
            archives[source] = out / source.url.rsplit("/", 1)[1]
            cifar.download(source, archives[source])
        cifar.lay_out(archives, out, arguments.others)
        strangers.lay_out(out, DRAWN, UNSEEN)
        folders = [out / "train", out / "test"]
        if arguments.own:
            own_pictures.add(arguments.own, folders[0])
    tell(check(folders), arguments.json)
    return 0


def take(arguments: argparse.Namespace) -> int:
    """Bring a folder to the labels of a stack; print what is there, and what is not."""
    from model.training.stack_labels import LabelledStack, lay_out

    stack = LabelledStack(arguments.from_stack, arguments.region)
    taken = lay_out(stack, arguments.out, arguments.held_out)
    counts = {
        str(arguments.out / part): dict(sorted(classes.items()))
        for part, classes in taken.pictures.items()
    }
    tell(counts, arguments.json)
    print(f"{taken.fetched:,} fetched now, {taken.removed:,} removed", file=sys.stderr)
    if taken.gone:
        print(
            f"{taken.gone:,} labelled pictures were deleted or overwritten, or are in a bucket that"
            " the reviewer could not read",
            file=sys.stderr,
        )
    for reason in taken.left_out[:SHOWN]:
        print(f"left out: {reason}", file=sys.stderr)
    if (more := len(taken.left_out) - SHOWN) > 0:
        print(f"left out: {more:,} more", file=sys.stderr)
    if not any(counts.values()):
        raise CommandError(
            f"{stack.name} has no labelled picture yet: label some with"
            f" `{own_command('ops', 'review', '--serve')}`"
        )
    return 0


def tell(counts: Mapping[str, Mapping[str, int]], as_json: bool) -> None:
    """Print how many pictures there are by folder and class."""
    if as_json:
        print(json.dumps(counts, indent=2))
        return
    for folder, classes in counts.items():
        listed = ", ".join(f"{n} {name}" for name, n in classes.items())
        print(f"{folder}: {listed or 'none'}")


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
