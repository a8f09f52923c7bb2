"""Look at what the model was not sure of: a list, or a page in the browser to label it.

    python -m ops review                 what waits, newest first
    python -m ops review --order unsure  least confident first
    python -m ops review --audits        decisions whose audit is due
    python -m ops review --serve         the console's page; prints its address
    python -m ops review --serve --reviewer ann --class scooter

The page has three queues: what the model doubted, audits, and what you have labelled, to change
or to take back. Of an audit neither the page nor the list tells what the model has guessed.

A label becomes the record's label, with who gave it and what the model had said, and is
announced like every change. The picture is copied under labelled/CLASS/ of the bucket:

    aws s3 sync s3://BUCKET/labelled DATA && python -m model.train --data DATA --out new

DATA are the pictures you have trained on: the labelled ones alone are those that were hard.

The page listens on this machine only, and answers only to the address it prints. If work broke
off between a record and its copy, `python -m ops review --repair` makes the copies agree
with the ledger.
"""

import argparse
import json
from datetime import UTC, datetime

from cli.arguments import add_dry_run, add_json, integer_between, positive
from cli.errors import CommandError
from cli.terminal import table
from ops.reviewing import reviewer
from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Decision, Ledger
from ops.stack.names import short_name
from ops.stack.outputs import Stack

HEADER = ("waits", "confidence", "label", "upload")
AUDITS_HEADER = ("waits", "upload")
# Of an audit nothing else is told: outcome, label and confidence are the model's guess.
OF_AUDITS = (
    *("upload", "s3_bucket", "s3_key", "etag", "uploaded_at", "recorded_at"),
    *("audit", "revision"),
)
ORDERS = ("newest", "oldest", "unsure")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--order", choices=ORDERS, default="newest", help="which first (default: %(default)s)"
    )
    parser.add_argument(
        "--limit",
        type=positive,
        default=20,
        metavar="N",
        help="list at most N (default: %(default)s)",
    )
    add_json(parser, "the list, one line each,")
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        "--audits", action="store_true", help="list decisions to audit, without the guesses"
    )
    instead.add_argument("--serve", action="store_true", help="serve the page until Ctrl-C")
    instead.add_argument(
        "--repair",
        action="store_true",
        help="make the copies under labelled/ agree with the ledger",
    )
    add_dry_run(parser)
    add_page_arguments(parser.add_argument_group("the page"))


def add_page_arguments(page: argparse._ActionsContainer) -> None:
    """Add what the console takes as well."""
    page.add_argument(
        "--port", type=integer_between(0, 65_535), default=0, help="default: one that is free"
    )
    page.add_argument("--reviewer", metavar="NAME", help=reviewer.HELP)
    page.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="a label that no model has guessed yet; repeatable",
    )


def run(arguments: argparse.Namespace) -> int:
    """List what waits, serve the page, or repair the copies."""
    if arguments.dry_run and not arguments.repair:
        raise CommandError("--dry-run goes with --repair: nothing else changes without a person")
    if arguments.audits and arguments.order == "unsure":
        raise CommandError(
            "--order unsure is not for --audits: it would tell what the model was unsure of; write"
            " newest or oldest"
        )
    stack = Stack.of(arguments)
    reviews = Reviews(stack, arguments.reviewer or reviewer.login_name(), arguments.classes)
    if arguments.serve:
        from ops.console.run import run as serve  # only here: the list needs no server

        serve(reviews, arguments.order, arguments.port, "review")
        return 0
    if arguments.repair:
        repair(reviews, arguments)
        return 0
    if arguments.audits:
        listed = reviews.audits(arguments.limit, arguments.order)
    else:
        listed = reviews.waiting(arguments.limit, arguments.order)
    if arguments.json:
        for item in listed:
            known = item.as_dict()
            told = {name: known[name] for name in OF_AUDITS} if arguments.audits else known
            print(json.dumps(told, ensure_ascii=False))
    elif arguments.audits:
        print(audits_as_text(stack, reviews.ledger, listed))
    else:
        print(as_text(stack, reviews.ledger, listed))
    return 0


def repair(reviews: Reviews, arguments: argparse.Namespace) -> None:
    """Make the copies agree with the ledger, and print how many were changed."""
    copied, removed = reviews.repair(dry_run=arguments.dry_run)
    if arguments.json:
        print(json.dumps({"copied": copied, "removed": removed, "dry_run": arguments.dry_run}))
    else:
        done = "to copy, {} to remove" if arguments.dry_run else "copied, {} removed"
        print(f"{copied:,} {done.format(f'{removed:,}')}")


def as_text(stack: Stack, ledger: Ledger, listed: list[Decision]) -> str:
    """Return the list as a table, and how many there are."""
    total = ledger.count("review")
    if not total:
        return "nothing waits for review"
    rows = [
        (
            _age(item.recorded_at),
            f"{item.confidence:.1%}",
            item.label,
            short_name(stack, item),
        )
        for item in listed
    ]
    more = f", {len(listed)} listed" if len(listed) < total else ""
    lines = table(HEADER, rows, right=("waits", "confidence"), flexible=("upload",))
    return f"{lines}\n{total:,} wait{more}; label them: {stack.command('review', '--serve')}"


def audits_as_text(stack: Stack, ledger: Ledger, listed: list[Decision]) -> str:
    """Return the audits as a table that leads no reviewer, and how many there are."""
    total = ledger.count_due_audits()
    if not total:
        return "no audit is due"
    rows = [(_age(item.recorded_at), short_name(stack, item)) for item in listed]
    more = f", {len(listed)} listed" if len(listed) < total else ""
    lines = table(AUDITS_HEADER, rows, right=("waits",), flexible=("upload",))
    return f"{lines}\n{total:,} audits are due{more}; do them: {stack.command('review', '--serve')}"


def _age(recorded_at: str) -> str:
    minutes = (datetime.now(UTC) - datetime.fromisoformat(recorded_at)).total_seconds() / 60
    if minutes < 60:
        return f"{minutes:.0f}m"
    return f"{minutes / 60:.0f}h" if minutes < 48 * 60 else f"{minutes / 1440:.0f}d"
