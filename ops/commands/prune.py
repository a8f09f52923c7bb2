"""Delete what the ledger has recorded long ago.

    python -m ops prune --older-than 400d               tells what would go, then asks
    python -m ops prune --older-than 400d --pictures    their pictures too
    python -m ops prune --older-than 400d --yes         does not ask

Pictures that a reviewer has labelled stay under labelled/; `forget` deletes them too. Without
--pictures the objects stay, and reconcile would call them missing: give it --newer-than. What
still waits for a person, or for a redrive, is deleted like the rest. Nothing is announced.
"""

import argparse
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from itertools import islice

from cli.arguments import duration
from cli.terminal import Progress, confirmed
from ops.stack.ledger import OUTCOMES, Decision, Ledger, moment
from ops.stack.outputs import Stack
from ops.stack.uploads import Pictures

AT_ONCE = 8
CHUNK = 200  # items held in memory


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--older-than",
        type=duration,
        required=True,
        metavar="AGE",
        help="recorded before, as in 400d",
    )
    parser.add_argument("--pictures", action="store_true", help="delete their pictures too")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Tell, ask, delete."""
    stack = Stack.of(arguments)
    ledger, pictures = Ledger(stack), Pictures(stack)
    until = moment(datetime.now(UTC) - arguments.older_than)
    counts = {outcome: ledger.count(outcome, until=until) for outcome in OUTCOMES}
    total = sum(counts.values())
    told = ", ".join(f"{number:,} {outcome}" for outcome, number in counts.items() if number)
    if not total:
        print(f"nothing was recorded before {until}Z")
        return 0
    what = "items and their pictures" if arguments.pictures else "items; their pictures stay"
    print(f"{total:,} {what}: recorded before {until}Z ({told})")
    if not confirmed("Delete them for good?", arguments.yes):
        return 1

    def delete(item: Decision) -> tuple[int, int]:
        # The picture first: what is interrupted is still in the ledger, to be pruned again.
        gone = pictures.delete(item.s3_key, item.etag) if arguments.pictures else 0
        return int(ledger.delete_unchanged(item)), gone

    def chosen() -> Iterator[Decision]:
        for outcome in OUTCOMES:
            yield from ledger.of_outcome(outcome, until=until)

    items = objects = 0
    remaining = chosen()
    with Progress() as progress, ThreadPoolExecutor(AT_ONCE) as pool:
        while chunk := list(islice(remaining, CHUNK)):
            for one, gone in pool.map(delete, chunk):
                items, objects = items + one, objects + gone
            progress.tell(f"{items:,} of {total:,} deleted")
    print(f"deleted {items:,} items, {objects:,} pictures")
    return 0
