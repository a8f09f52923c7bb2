"""A plan, and how a run goes, as lines for a terminal or as JSON has it."""

from dataclasses import asdict
from datetime import UTC, datetime
from textwrap import fill
from typing import Any

from ops import prices
from ops.backfilling.plan import LAMBDAS, NEW_LAMBDAS, Count, Estimate
from ops.backfilling.runs import STOPPED, USED_UP, Run
from ops.backfilling.sources import Source
from ops.stack.outputs import Stack

COLUMNS = 80


def as_dict(source: Source, found: Count, estimate: Estimate) -> dict[str, Any]:
    """Return a plan as JSON has it."""
    return {
        "listed": found.listed,
        "objects": found.objects,
        "bytes": found.bytes,
        "decided": found.decided,
        "failed": found.failed,
        "asked": found.asked,
        "escaped": found.escaped,
        "to_decide": found.to_decide,
        "dollars": estimate.dollars,
        "dollars_asked": estimate.asked_dollars,
        "dollars_photo": estimate.photo_dollars,
        "hours": estimate.hours,
        "per_second": estimate.per_second,
        "functions": estimate.functions,
        "limits": estimate.limits,
        "hit": estimate.hit,
        "source": asdict(source),
    }


def as_text(source: Source, found: Count, estimate: Estimate) -> str:
    """Return a plan as lines to read."""
    about = "" if found.exact else ", about: the ledger was asked of a sample"
    share = found.known / max(1, found.objects)
    asked = estimate.listed * estimate.asked_dollars
    endpoint, instances = estimate.endpoint, estimate.endpoint.instances
    kind = f"{instances:,} instance{'s' * (instances > 1)}" if instances else "serverless"
    remarks = [f"the concurrency asks more than {limit}" for limit in estimate.hit]
    if found.failed:
        remarks.append(f"{found.failed:,} have failed before: redrive starts them again")
    if found.escaped:
        remarks.append(
            f"{found.escaped:,} keys have characters that an inventory escapes: a run finds them"
            " by listing alone, without --inventory"
        )
    lines = [
        *source.parts,
        f"{found.objects:,} objects, {found.bytes / 1e9:,.1f} GB",
        f"  have an outcome {found.known:>12,}  {share:.1%}{about}",
        f"  to decide       {found.to_decide:>12,}",
        f"dollars           {_dollars(estimate.dollars):>12}",
        f"  to go over      {_dollars(asked):>12}  {found.listed:,} objects",
        f"  to decide       {_dollars(estimate.dollars - asked):>12}"
        f"  {estimate.photo_dollars * prices.MILLION:,.2f} a million",
        f"  ({prices.NOTED})",
        f"hours             {estimate.hours:>12,.1f}  {estimate.per_second:,.1f} photos a second"
        f" at concurrency {estimate.concurrency:,}",
        f"endpoint          {endpoint.at_once:>12,}  at once, {kind}",
        f"functions         {estimate.functions:>12,.1f}  at once; a new account has {NEW_LAMBDAS},"
        f" by default {LAMBDAS:,}",
        *(fill(f"! {remark}", COLUMNS, subsequent_indent="  ") for remark in remarks),
    ]
    return "\n".join(lines)


def _dollars(amount: float) -> str:
    return f"{amount:,.2f}" if amount >= 1 else f"{amount:,.4f}"


def spent(current: Run) -> float:
    """Return the dollars of a run so far, by the prices of its plan."""
    asked: float = current.children.done * current.given["asked_dollars"]
    photos: float = current.photos * current.given["photo_dollars"]
    return asked + photos


def state_of(current: Run, outcomes: Any) -> dict[str, Any]:
    """Return how a run is as JSON has it."""
    return {
        "run": current.name,
        "status": current.status,
        "end": current.end,
        "cause": current.cause,
        "started": current.started.astimezone(UTC).isoformat(),
        "by": current.given["started_by"],
        "objects": current.given["objects"],
        "done": current.children.done,
        "failed_children": current.children.failed,
        "photos": current.photos,
        "left": current.left,
        "dollars": spent(current),
        "outcomes": [
            {"outcome": outcome, "reason": reason, "photos": number}
            for (outcome, reason), number in sorted(outcomes.items())
        ],
    }


def bar(current: Run, outcomes: Any, now: datetime) -> str:
    """Return one line of how a run goes."""
    done, objects = current.children.done, max(1, current.given["objects"])
    seconds = max(1.0, (now - current.started).total_seconds())
    rate = done / seconds
    left = f"{(objects - done) / rate / 60:,.0f} min left" if rate else "just begun"
    filled = min(20, 20 * done // objects)
    failed = sum(number for (outcome, _), number in outcomes.items() if outcome == "failed")
    return (
        f"[{'#' * filled}{'.' * (20 - filled)}] {done:,} of {objects:,}, {rate:,.1f}/s, {left},"
        f" {current.photos:,} photos, {failed:,} failed, ${_dollars(spent(current))}"
    )


def state_as_text(stack: Stack, current: Run, outcomes: Any) -> str:
    """Return how a run is, or has ended, as lines to read."""
    rows = [
        f"  {outcome:<12}{number:>10,}  {reason}".rstrip()
        for (outcome, reason), number in sorted(outcomes.items())
    ]
    lines = [
        f"{current.name}: {current.end}{current.cause and f', {current.cause}'}",
        f"  objects     {current.children.done:>10,} of {current.given['objects']:,}",
        f"  photos      {current.photos:>10,}, {current.left:,} left of its allowance",
        f"  dollars     {_dollars(spent(current)):>10}",
        *rows,
    ]
    if any(outcome == "failed" for outcome, _ in outcomes):
        lines.append(f"! photos failed: {stack.command('redrive', '--dry-run')}")
    if current.error in (USED_UP, STOPPED):
        lines.append(f"to go on: {resuming(stack, current)}")
    return "\n".join(lines)


def resuming(stack: Stack, current: Run) -> str:
    """Return the command that goes on with a run, with what it has to be given."""
    words = ("backfill", "resume", current.name)
    if current.left:
        return stack.command(*words)
    return f"{stack.command(*words, '--limit', 'N')}\n  or with --budget DOLLARS"
