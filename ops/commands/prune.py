"""Delete what the ledger has recorded long ago.

    python -m ops prune --older-than 400d             shows what goes, asks
    python -m ops prune --older-than 400d --pictures  their pictures too
    python -m ops prune --older-than 400d --yes       does not ask

Pictures that a reviewer has labelled stay under labelled/; `forget` deletes them too. Without
--pictures the objects stay, and reconcile would call them missing: give it --newer-than. What
still waits for a person, or for a redrive, is deleted like the rest. Nothing is announced.
"""

import argparse
import json
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from functools import partial
from itertools import chain, islice

from cli.arguments import add_deletion, add_json, duration
from cli.terminal import Progress, confirmed
from ops.stack.ledger import OUTCOMES, Decision, Ledger, moment
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads

WORKERS = 8
BATCH_SIZE = 200  # items held in memory


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
    add_deletion(parser)
    add_json(parser, "what was deleted")


def run(arguments: argparse.Namespace) -> int:
    """Show, ask, delete."""
    stack = Stack.of(arguments)
    ledger = Ledger(stack)
    until = moment(datetime.now(UTC) - arguments.older_than)
    counts = {outcome: ledger.count(outcome, until=until) for outcome in OUTCOMES}
    total = sum(counts.values())
    say = partial(print, file=sys.stderr if arguments.json else sys.stdout)
    if total:
        what = "items and their pictures" if arguments.pictures else "items; their pictures stay"
        by_outcome = ", ".join(f"{count:,} {name}" for name, count in counts.items() if count)
        say(f"{total:,} {what}: recorded before {until}Z ({by_outcome})")
    else:
        say(f"nothing was recorded before {until}Z")
    if arguments.dry_run:
        if arguments.json:
            print(json.dumps({"to_delete": counts}))
        return 0
    if total and not confirmed("Delete them for good?", arguments.yes):
        return 1
    items, objects = delete_all(stack, until, total, pictures=arguments.pictures)
    if arguments.json:
        print(json.dumps({"items": items, "pictures": objects}))
    elif total:
        print(f"deleted {items:,} items, {objects:,} pictures")
    return 0


def delete_all(stack: Stack, until: str, total: int, *, pictures: bool) -> tuple[int, int]:
    """Delete what was recorded before a time; return how many items, and how many pictures."""
    ledger, uploads = Ledger(stack), Uploads(stack)

    def delete(item: Decision) -> tuple[int, int]:
        # The picture first: what is interrupted is still in the ledger, to be pruned again.
        gone = uploads.delete(item.s3_key, item.etag) if pictures else 0
        return int(ledger.delete_unchanged(item)), gone

    items = objects = 0
    remaining = chain.from_iterable(ledger.of_outcome(name, until=until) for name in OUTCOMES)
    with Progress() as progress, ThreadPoolExecutor(WORKERS) as pool:
        while batch := list(islice(remaining, BATCH_SIZE)):
            for deleted, gone in pool.map(delete, batch):
                items, objects = items + deleted, objects + gone
            progress.tell(f"{items:,} of {total:,} deleted")
    return items, objects
