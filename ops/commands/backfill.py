"""Decide what was in a bucket before: plan it, start it within a budget, watch it, stop it.

    python -m ops backfill plan          what there is, its price and time
    python -m ops backfill start --sample 1% --budget 5
    python -m ops backfill start --bucket old-photos --prefix 2024/ --concurrency 40
    python -m ops backfill watch         progress; the run goes on after Ctrl-C
    python -m ops backfill stop RUN      what has started gets its outcome
    python -m ops backfill resume RUN    the rest, with what is left to spend
    python -m ops backfill list          the runs, who started them and when

What has an outcome costs a read of the ledger and nothing else, so a run may be repeated; what
failed is left to `redrive`. --budget and --limit end a run within the state machine: the photo
that would exceed them is not started. The dollars are those of `ops cost`, by list prices and
measured durations. Without either, a run may start as many photos as the plan has counted.

The bucket is the upload bucket, or the one that the stack's parameter BackfillBucket names; an
inventory is read in that of InventoryBucket. docs/backfill.md says what to do first. Exit code of
watch: 1 if photos failed, or the run ended before its end.
"""

import argparse
import json
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cli.arguments import add_json, integer_between, number_between, positive
from cli.errors import CommandError
from cli.escaping import printable
from cli.terminal import Progress, confirmed, table
from ops.backfilling.plan import Count, Endpoint, Estimate, count
from ops.backfilling.report import as_dict, as_text, bar, resuming, state_as_text, state_of
from ops.backfilling.runs import Runs
from ops.backfilling.sources import Source, source_of
from ops.backfilling.tally import Tally
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack

WHAT = ("bucket", "prefix", "inventory", "sample")
HOW = ("concurrency", "budget", "limit", "tolerate")
# The options of each; `plan` takes those of the `start` that it is written for.
ACTIONS = {
    "plan": (*WHAT, *HOW),
    "start": (*WHAT, *HOW, "yes"),
    "watch": ("run", "once"),
    "stop": ("run",),
    "resume": ("run", *HOW, "yes"),
    "list": ("limit",),
}
CONCURRENCY = 20  # keeps 2 functions busy, of a new account's 10: a child mostly waits
TOLERATED = 5  # percent
POLL_S = 2
HEADER = ("run", "started", "by", "end", "photos", "left", "objects")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "action", choices=ACTIONS, metavar="ACTION", help=f"one of {', '.join(ACTIONS)}"
    )
    parser.add_argument(
        "run", nargs="?", metavar="RUN", help="watch, stop, resume: its name (default: the newest)"
    )
    what = parser.add_argument_group("what to go over (plan, start)")
    what.add_argument("--bucket", metavar="NAME", help="default: the upload bucket")
    what.add_argument("--prefix", help="default: the UploadPrefix; in another bucket, all of it")
    what.add_argument("--inventory", metavar="S3-ADDRESS", help="read this manifest, list nothing")
    what.add_argument(
        "--sample",
        type=_share,
        metavar="PERCENT",
        help="a share of it by hash: 1 or 1%%",
    )
    how = parser.add_argument_group("how (plan, start, resume)")
    how.add_argument(
        "--concurrency",
        type=integer_between(1, 10_000),
        metavar="N",
        help=f"photos on their way at once (default: {CONCURRENCY}; resume: as before)",
    )
    how.add_argument(
        "--budget",
        type=number_between(0.0001, 1e6),
        metavar="DOLLARS",
        help="end before it is spent",
    )
    how.add_argument(
        "--limit", type=positive, metavar="N", help="start at most N photos; list: the newest N"
    )
    how.add_argument(
        "--tolerate",
        type=number_between(0, 100),
        metavar="PERCENT",
        help=f"end if more of the objects fail (default: {TOLERATED}; resume: as before)",
    )
    parser.add_argument("--yes", action="store_true", help="start, resume: do not ask")
    parser.add_argument("--once", action="store_true", help="watch: how it is now, and no longer")
    add_json(parser, "what is found or done,")


def _share(text: str) -> float:
    return number_between(0.0001, 100)(text.removesuffix("%")) / 100


def run(arguments: argparse.Namespace) -> int:
    """Do what is asked."""
    stack = Stack.of(arguments)
    refuse_others(arguments)
    actions = {
        "plan": partial(plan, stack, arguments),
        "start": partial(start, stack, arguments),
        "watch": partial(watch, stack, arguments),
        "stop": partial(stop, stack, arguments),
        "resume": partial(resume, stack, arguments),
        "list": partial(listed, stack, arguments),
    }
    return actions[arguments.action]()


def refuse_others(arguments: argparse.Namespace) -> None:
    """Raise CommandError if an option is given that the action does not take."""
    for name in ("run", "once", "yes", *WHAT, *HOW):
        given = getattr(arguments, name)
        if given is None or given is False or name in ACTIONS[arguments.action]:
            continue
        what = f"run: {printable(given)!r}" if name == "run" else f"--{name}"
        raise CommandError(f"{arguments.action} takes no {what}")


def plan(stack: Stack, arguments: argparse.Namespace) -> int:
    """Print what there is to decide, and what that takes."""
    source = _source(stack, arguments)
    found, estimate = planned(stack, source, arguments.concurrency or CONCURRENCY)
    if arguments.json:
        print(json.dumps(as_dict(source, found, estimate)))
    else:
        print(as_text(source, found, estimate))
    return 0


def planned(stack: Stack, source: Source, concurrency: int) -> tuple[Count, Estimate]:
    """Count what a source has, and return it with what that costs."""
    ledger = Ledger(stack)
    began = time.monotonic()
    with Progress() as progress:

        def tell(found: Count) -> None:
            rate = found.objects / (time.monotonic() - began)
            progress.tell(f"{found.objects:,} objects, {found.bytes / 1e9:,.1f} GB, {rate:,.0f}/s")

        found = count(source.pages(stack), source, ledger.outcomes, tell)
    described = stack.client("sagemaker").describe_endpoint(
        EndpointName=stack.outputs["EndpointName"]
    )
    estimate = Estimate(
        found.listed,
        found.to_decide,
        stack.outputs["WorkflowType"],
        concurrency,
        Endpoint.of(described),
    )
    return found, estimate


def start(stack: Stack, arguments: argparse.Namespace) -> int:
    """Start a run."""
    source = _source(stack, arguments)
    given = {"concurrency": CONCURRENCY, "tolerated_failure_percentage": TOLERATED}
    return _begin(stack, arguments, source, arguments.limit, given)


def resume(stack: Stack, arguments: argparse.Namespace) -> int:
    """Start a run over what another has gone over, with what is left of its allowance."""
    before = Runs(stack).find(arguments.run)
    if before.running:
        raise CommandError(f"the backfill {before.name} is running: watch it, or stop it first")
    limit = arguments.limit
    if not (arguments.budget or limit):
        if before.status == "SUCCEEDED":
            raise CommandError(
                f"the backfill {before.name} is complete: to go over its objects once more, give a"
                " --budget or --limit"
            )
        if not before.left:
            raise CommandError(
                f"the allowance of {before.name} is used up: give a new --budget or --limit"
            )
        limit = before.left
    names = ("concurrency", "tolerated_failure_percentage")
    given = {name: before.given[name] for name in names} | {"resumes": before.name}
    return _begin(stack, arguments, before.source, limit, given)


def _begin(
    stack: Stack,
    arguments: argparse.Namespace,
    source: Source,
    limit: int | None,
    given: dict[str, Any],
) -> int:
    """Plan, ask, start. given: what the run is told where no option says otherwise."""
    if arguments.concurrency is not None:
        given["concurrency"] = arguments.concurrency
    if arguments.tolerate is not None:
        given["tolerated_failure_percentage"] = arguments.tolerate
    say = partial(print, file=sys.stderr if arguments.json else sys.stdout)
    found, estimate = planned(stack, source, given["concurrency"])
    say(as_text(source, found, estimate))
    if not found.objects:
        say("nothing was started: there is nothing")
        return 0
    ends = [limit or found.objects]
    if arguments.budget:
        ends.append(estimate.affordable(arguments.budget))
    allowance = min(ends)
    if not allowance:
        asking = found.listed * estimate.asked_dollars
        raise CommandError(
            f"--budget {arguments.budget:g}: it costs ${asking:,.2f}"
            f" to go over {found.listed:,} objects, before any photo"
        )
    question = f"Start it, {allowance:,} photos at most?"
    if not confirmed(question, arguments.yes):
        return 1
    name = Runs(stack).start(
        source,
        allowance,
        objects=found.listed,
        asked_dollars=estimate.asked_dollars,
        photo_dollars=estimate.photo_dollars,
        **given,
    )
    if arguments.json:
        print(json.dumps({"run": name, "allowance": allowance}))
    else:
        print(f"started {name}\nto watch: {stack.command('backfill', 'watch', name)}")
    return 0


def watch(stack: Stack, arguments: argparse.Namespace) -> int:
    """Show how a run goes until it has ended, then what became of its photos."""
    runs = Runs(stack)
    current = runs.find(arguments.run)
    tally = Tally(Ledger(stack), current)
    try:
        with Progress() as progress:
            while current.running and not arguments.once:
                progress.tell(bar(current, tally.now(), datetime.now(UTC)))
                time.sleep(POLL_S)
                current = runs.find(current.name)
    except KeyboardInterrupt:
        again = stack.command("backfill", "watch", current.name)
        print(f"the run goes on; to watch it: {again}", file=sys.stderr)
        raise
    outcomes = tally.now()
    if arguments.json:
        print(json.dumps(state_of(current, outcomes)))
    else:
        print(state_as_text(stack, current, outcomes))
    failed = current.children.failed or any(outcome == "failed" for outcome, _ in outcomes)
    return 1 if failed or not (current.running or current.status == "SUCCEEDED") else 0


def stop(stack: Stack, arguments: argparse.Namespace) -> int:
    """End a run."""
    runs = Runs(stack)
    current = runs.find(arguments.run)
    if not current.running:
        raise CommandError(f"the backfill {current.name} has ended: {current.end}")
    runs.stop(current, runs.caller())
    if arguments.json:
        print(json.dumps({"run": current.name, "photos": current.photos}))
    else:
        print(f"stopped {current.name} after {current.photos:,} photos")
        print(f"to go on: {resuming(stack, current)}")
    return 0


def listed(stack: Stack, arguments: argparse.Namespace) -> int:
    """Print the runs, the newest first."""
    found = list(Runs(stack).newest(arguments.limit or 20))
    if arguments.json:
        for one in found:
            print(json.dumps(state_of(one, {})))
        return 0
    rows = [
        [
            one.name,
            f"{one.started.astimezone(UTC):%Y-%m-%d %H:%M}",
            one.given["started_by"].rpartition("/")[2],
            one.end,
            f"{one.photos:,}",
            f"{one.left:,}",
            one.source.address,
        ]
        for one in found
    ]
    print(
        table(HEADER, rows, right=("photos", "left"), flexible=("objects", "by"))
        if rows
        else f"no backfill of {stack.name} has been started"
    )
    return 0


def _source(stack: Stack, arguments: argparse.Namespace) -> Source:
    found = source_of(stack, arguments.bucket, arguments.prefix, arguments.inventory)
    return replace(found, share=arguments.sample or 1)
