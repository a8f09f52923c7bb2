"""Announce again what the ledger recorded in a time: for announcements that nobody kept.

    python -m ops announce --since 2026-11-23T06:00 --until 2026-11-24T18:00 --dry-run
    python -m ops announce --since 2d

The pipe announces every change by itself, and `redrive` what waits as a dead letter. This is for a
pipe that stood still for longer than the table remembers its changes (24 hours), and for a consumer
that comes late. Of each upload it announces the last change, under its own upload and revision: who
has seen that already knows it again. Exit code 2 if an announcement was refused; run it again.
"""

import argparse
from collections.abc import Iterator

from cli.arguments import add_since, point_in_time
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
    parser.add_argument("--dry-run", action="store_true", help="count, announce nothing")


def run(arguments: argparse.Namespace) -> int:
    """Announce, and tell how many."""
    stack = Stack.of(arguments)
    bounds = [moment(each) for each in (arguments.since, arguments.until) if each]
    details = recorded(stack, *bounds)
    with Progress() as progress:
        told = _told(details, progress)
        count = sum(1 for _ in told) if arguments.dry_run else announce(stack, told)
    print(f"{count:,} {'to announce' if arguments.dry_run else 'announced'}")
    return 0


def _told(details: Iterator[str], progress: Progress) -> Iterator[str]:
    for number, detail in enumerate(details, 1):
        progress.tell(f"{number:,} of the ledger")
        yield detail
