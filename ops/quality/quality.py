"""One run of quality: what is read of the ledger, and the report of it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

from cli.errors import CommandError
from ops.quality.report import Report
from ops.quality.samples import ACTED_ON, Window
from ops.stack.ledger import UPLOAD, Decision, Ledger, moment
from ops.stack.outputs import Stack


def report(stack: Stack, since: datetime, origin: str = UPLOAD) -> Report:
    """Return the report of what came since a moment; holds a random sample in memory.

    origin: UPLOAD, or BACKFILL: old photos are other pictures, and came when they were decided.
    Raises CommandError for a moment to come.
    """
    ledger, bound = Ledger(stack), moment(since)
    if since > datetime.now(UTC):
        raise CommandError(f"nothing has come since {bound}Z: that time is still to come")
    window, uploads = Window(), Counter[str]()

    def came(items: Iterator[Decision]) -> Iterator[Decision]:
        # What is labelled was recorded later than it came.
        return (item for item in items if item.origin == origin and item.came_at >= bound)

    for decision in ACTED_ON:
        uploads[decision] += ledger.count(decision, since=bound, origin=origin)
    # Audits first: they tell how many of the reviews are needed.
    window.add_all(came(ledger.due_audits(since=bound)))
    for outcome in ("confirmed", "reviewed", "review"):
        for item in came(ledger.of_outcome(outcome, since=bound)):
            uploads[item.decision] += outcome != "review"
            window.add_all([item])
    what = "uploads" if origin == UPLOAD else "what backfills have brought"
    source = f"Ledger of {stack.name}, {what} since {bound}Z"
    audit_share = float(stack.outputs.get("AuditShare", 0))  # an older template has none
    return Report(source, stack.name, window, uploads, audit_share)
