"""Classify pictures through the whole workflow: a table, or one line of JSON each.

    python -m local classify photos/ a.heic --json

Folders are searched for files. Every line of JSON tells image, decision, label, confidence, reason,
detail, execution and milliseconds. The exit code is 0 also when pictures are rejected, and 1 if
one has no recorded outcome.
"""

import argparse
import sys
from pathlib import Path

from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.cloud import embedded_aws
from local.follow import Followed, Follower, UnreadablePictureError
from local.table import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="file or folder")
    parser.add_argument("--json", action="store_true", help="one line of JSON per picture")
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upload every picture and print its outcome as it comes."""
    paths = files(arguments.images)
    undecided = 0
    with embedded_aws(**cloud_options(arguments)) as aws:
        follower = Follower(aws, aws.deploy(parameters=stack_parameters(arguments)))
        everything: list[Followed] = []
        for count, followed in enumerate(follower.follow(paths), start=1):
            undecided += followed.decision is None
            if arguments.json:
                print(followed.as_json(), flush=True)
            else:
                everything.append(followed)
            if sys.stderr.isatty():
                print(f"\r{count:,} of {len(paths):,} decided", end="", file=sys.stderr)
    if sys.stderr.isatty():
        print(file=sys.stderr)
    if not arguments.json:
        print_table(sorted(everything, key=lambda followed: followed.image))
    if undecided:
        print(f"{undecided} of {len(paths)} pictures have no recorded outcome", file=sys.stderr)
    return 1 if undecided else 0


def files(images: list[Path]) -> list[Path]:
    """Return the files that are named, and those in the folders that are.

    Raises UnreadablePictureError if there is none, or a name does not exist.
    """
    found: list[Path] = []
    for image in images:
        if image.is_dir():
            found += sorted(
                path for path in image.rglob("*") if path.is_file() and path.name[0] != "."
            )
        elif image.is_file():
            found.append(image)
        else:
            raise UnreadablePictureError(f"{image}: there is no such file or folder")
    if not found:
        raise UnreadablePictureError(f"no files in {', '.join(map(str, images))}")
    return list(dict.fromkeys(found))
