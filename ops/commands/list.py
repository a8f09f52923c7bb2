r"""Uploads by outcome and time, newest first: what was rejected, what failed, and why.

    python -m ops list           the last 20 of the last day
    python -m ops list rejected failed --since 7d
    python -m ops list failed --reason EndpointRefused --json | jq -r .s3_key

The last column is the upload's short name, which `show` and `forget` take: its key without the
stack's UploadPrefix, and the beginning of its etag. Put it in single quotes. What a terminal would
not show or copy is written as in JSON, \u001b, and a backslash is doubled.
"""

import argparse
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice

from cli.arguments import add_json, add_since, positive
from cli.terminal import table
from ops.stack.ledger import OUTCOMES, Decision, Ledger, moment
from ops.stack.listing import finding, newest
from ops.stack.names import short_name
from ops.stack.outputs import Stack

DAY = timedelta(days=1)
HEADER = ("recorded", "outcome", "found", "upload")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "outcomes", nargs="*", type=_outcome, metavar="OUTCOME", help=", ".join(OUTCOMES)
    )
    add_since(parser, "recorded since then (default: 24h)")
    parser.add_argument("--reason", help="only what was rejected or failed for this reason")
    parser.add_argument(
        "--limit", type=positive, default=20, metavar="N", help="at most N (default: %(default)s)"
    )
    add_json(parser, "every attribute, one line each,")


def _outcome(text: str) -> str:
    if text not in OUTCOMES:
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(OUTCOMES)}")
    return text


def run(arguments: argparse.Namespace) -> int:
    """Print what the ledger holds."""
    stack = Stack.of(arguments)
    since = moment(arguments.since or datetime.now(UTC) - DAY)
    found = (
        item
        for item in newest(Ledger(stack), arguments.outcomes or OUTCOMES, since)
        if arguments.reason in (None, item.reason)
    )
    listed = list(islice(found, arguments.limit))
    if arguments.json:
        for item in listed:
            print(json.dumps(item.as_dict(), ensure_ascii=False))
        return 0
    print(as_text(stack, listed) if listed else f"nothing of that was recorded since {since}Z")
    if next(found, None) is not None:
        print("... and more: see --limit, --since and --reason")
    return 0


def as_text(stack: Stack, listed: Sequence[Decision]) -> str:
    """Return a table: when, outcome, what was found, upload."""
    rows = [
        (
            item.recorded_at[:19],
            item.outcome,
            finding(item),
            short_name(stack, item),
        )
        for item in listed
    ]
    return table(HEADER, rows, flexible=("upload",))
