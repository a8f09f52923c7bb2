"""How often the model is wrong where software acts on it, and the threshold that keeps 1 %.

    python -m ops quality                     uploads of the last 30 days
    python -m ops quality --since 2026-11-01  since a day, as of a deployment
    python -m ops quality --origin backfill   old photos, not among the uploads
    python -m ops quality --json | jq .decisions.accepted.verdict

A random share of what is accepted, or called none, also goes to a person (parameter AuditShare).
From these audits, and the reviews of the same random sample, it tells the error among the accepted
and among none, by class, model and week, with exact 95 % intervals; whether the promise of the
model's card is kept (at most 1 % wrong, with 95 % confidence), broken, or cannot be told yet; and
the lowest threshold that keeps it on these labels, with the command that deploys it. With 299
audits and no error it is kept. docs/quality.md says how many audits it takes to notice more errors.

Exit code 1 if the promise is shown broken: in at most 5 of 100 stacks that keep it, even if it is
looked at every week since the same day.
"""

import argparse
from datetime import UTC, datetime, timedelta

from cli.arguments import add_json, add_origin, add_since
from ops.stack.outputs import Stack

PERIOD = timedelta(days=30)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_since(parser, "uploads since then (default: 30d)")
    add_origin(parser)
    add_json(parser, "one object")


def run(arguments: argparse.Namespace) -> int:
    """Print the report."""
    from ops.quality.quality import report  # numpy and scipy: a second

    since = arguments.since or datetime.now(UTC) - PERIOD
    found = report(Stack.of(arguments), since, arguments.origin)
    print(found.as_json() if arguments.json else found.as_text())
    return 1 if found.broken else 0
