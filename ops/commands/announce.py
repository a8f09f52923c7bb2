"""Announce again what the ledger recorded in a period: for announcements that nobody kept.

    python -m ops announce --since 2026-11-23 --until 2026-11-25 --dry-run
    python -m ops announce --since 2d

The pipe announces every change by itself, and `redrive` what waits as a dead letter. This is for a
pipe that stood still for longer than the table remembers its changes (24 hours), and for a consumer
that comes late. Of each upload it announces the last change, under its own upload and revision: a
consumer that has seen that already knows it again. Exit code 2 if an announcement was refused; run
it again.
"""

import argparse
import json
from collections.abc import Iterator

from cli.arguments import add_dry_run, add_json, add_since, point_in_time
from cli.errors import CommandError
from cli.terminal import Progress
from ops.stack.announcements import announce, recorded
from ops.stack.ledger import moment
from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_since(parser, "what was recorded since then", required=True)
    parser.add_argument(
        "--until", type=point_in_time, metavar="WHEN", help="and before that (default: now)"
    )
    add_dry_run(parser)
    add_json(parser, "the count")


def run(arguments: argparse.Namespace) -> int:
    """Announce, and print how many."""
    bounds = [moment(bound) for bound in (arguments.since, arguments.until) if bound]
    if bounds != sorted(bounds):
        raise CommandError(
            f"--since {bounds[0]}Z is later than --until {bounds[1]}Z: exchange them"
        )
    stack = Stack.of(arguments)
    with Progress() as progress:
        details = counted(recorded(stack, *bounds), progress)
        count = sum(1 for _ in details) if arguments.dry_run else announce(stack, details)
    done = "to announce" if arguments.dry_run else "announced"
    print(json.dumps({done.replace(" ", "_"): count}) if arguments.json else f"{count:,} {done}")
    return 0


def counted(details: Iterator[str], progress: Progress) -> Iterator[str]:
    """Yield the announcements, and show how many have been read."""
    for number, detail in enumerate(details, 1):
        progress.tell(f"{number:,} of the ledger")
        yield detail
