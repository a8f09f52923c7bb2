"""Give an upload another label, whether the model or a person has decided it.

    python -m ops relabel photo.jpg#9e107d9d motorcycle
    python -m ops relabel photo.jpg#9e107d9d other --comment 'a toy'
    python -m ops relabel photo.jpg#9e107d9d scooter --new-class

UPLOAD is the name that `list` and `review` print. The outcome becomes `reviewed`, with the label
before, and is announced; the copy under labelled/ moves with it. The label that the upload has
already confirms a decision, or is a second look at another person's label; `show` prints both.

CLASS is a label that the model has guessed of this upload, or `other`, or with --new-class any.
The exit code is 2 if the upload has no decision, or somebody else changes it at the same time.
"""

import argparse
import json

from cli.arguments import add_dry_run, add_json
from cli.errors import CommandError
from cli.escaping import printable
from ops.reviewing import reviewer
from ops.reviewing.reviews import LABELLED, Labelled, Reviews
from ops.stack import names
from ops.stack.ledger import DECISIONS, Changed, Decision
from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("upload", metavar="UPLOAD", help=names.HELP)
    parser.add_argument("label", metavar="CLASS", help="what the picture shows")
    parser.add_argument(
        "--new-class", action="store_true", help="CLASS is one that the model has not guessed"
    )
    parser.add_argument("--comment", default="", metavar="TEXT", help="why, 500 characters at most")
    parser.add_argument("--reviewer", metavar="NAME", help=reviewer.HELP)
    add_dry_run(parser)
    add_json(parser, "the outcome before and after")


def run(arguments: argparse.Namespace) -> int:
    """Give the label, and print what it has changed."""
    stack = Stack.of(arguments)
    new = [arguments.label] if arguments.new_class else []
    reviews = Reviews(stack, arguments.reviewer or reviewer.login_name(), new)
    upload = names.named(stack, arguments.upload).upload
    read = reviews.ledger.get(upload)
    if read is None:
        hint = stack.command("reconcile")
        raise CommandError(f"the ledger does not know {printable(upload)}; {hint}")
    known = arguments.new_class or arguments.label in reviews.classes_of(read)
    if not known and read.outcome in (*DECISIONS, *LABELLED):  # else relabel() refuses the upload
        raise CommandError(
            f"{arguments.label!r} is none of the classes: {', '.join(reviews.classes_of(read))};"
            " --new-class adds it"
        )
    try:
        done = reviews.relabel(read, arguments.label, arguments.comment, dry_run=arguments.dry_run)
    except Changed:
        again = stack.command("show", printable(upload))
        raise CommandError(
            f"somebody else has changed {printable(upload)} meanwhile: look at it with {again}"
        ) from None
    print(as_json(read, done, arguments.dry_run) if arguments.json else as_text(read, done))
    return 0


def as_json(read: Decision, done: Labelled, dry_run: bool) -> str:
    """Return what was before and what is now as JSON."""
    now = done.decision
    return json.dumps(
        {
            "upload": read.upload,
            "before": {"outcome": read.outcome, "label": read.label, "revision": read.revision},
            "now": {"outcome": now.outcome, "label": now.label, "revision": now.revision},
            "audit": now.audit,
            "copy": done.copy,
            "note": done.note,
            "dry_run": dry_run,
        },
        ensure_ascii=False,
    )


def as_text(read: Decision, done: Labelled) -> str:
    """Return what was before and what is now as a line or two."""
    now = done.decision
    line = f"{printable(read.upload)}: {read.outcome} {read.label} -> {now.outcome} {now.label}"
    return "\n".join(filter(None, (line, done.note)))
