"""Classify pictures through the whole workflow: a table, or one line of JSON each.

    python -m local classify photos/ a.heic --json

Folders are searched for files. A line of JSON has image, decision, label, confidence, reason,
detail, execution, milliseconds and states (empty: classify does not ask for them). A file that
cannot be read or uploaded has no decision and the reason unreadable; the others go on. The exit
code is 0 also when pictures are rejected, and 1 if one has no recorded outcome.
"""

import argparse
import sys
from pathlib import Path

from cli.terminal import Progress
from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.follow import Followed, Follower, find_files
from local.table import print_table


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE", help="file or folder")
    parser.add_argument("--json", action="store_true", help="one line of JSON per picture")
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upload every picture and print its outcome as it comes."""
    from local.cloud import embedded_aws

    options, parameters = cloud_options(arguments), stack_parameters(arguments)
    paths = find_files(arguments.images)
    pictures: list[Followed] = []
    with embedded_aws(**options) as aws, Progress() as progress:
        follower = Follower(aws, aws.deploy(parameters=parameters))
        for picture in follower.follow(paths):
            pictures.append(picture)
            if arguments.json:
                progress.clear()
                print(picture.as_json(), flush=True)
            progress.tell(f"{len(pictures):,} of {len(paths):,} decided")
    if not arguments.json:
        print_table(sorted(pictures, key=lambda picture: picture.image))
    undecided = sum(picture.decision is None for picture in pictures)
    if undecided:
        print(f"{undecided} of {len(paths)} pictures have no recorded outcome", file=sys.stderr)
    return 1 if undecided else 0
