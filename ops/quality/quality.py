"""One run of quality: what is read of the ledger, and the report of it."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from ops.quality.report import Report
from ops.quality.samples import ACTED_ON, Window
from ops.stack.ledger import Decision, Ledger, moment
from ops.stack.outputs import Stack


def report(stack: Stack, since: datetime) -> Report:
    """Return the report of what was uploaded since a moment; holds a random sample in memory."""
    ledger, bound = Ledger(stack), moment(since)
    window, uploads = Window(), Counter[str]()
    for decision in ACTED_ON:
        uploads[decision] += ledger.count(decision, since=bound)
    # Audits first: they tell how many of the reviews are needed.
    window.add_all(_uploaded(ledger.due_audits(since=bound), bound))
    for outcome in ("confirmed", "reviewed", "review"):
        for item in _uploaded(ledger.of_outcome(outcome, since=bound), bound):
            uploads[item.decision] += outcome != "review"
            window.add_all([item])
    source = f"Ledger of {stack.name}, uploads since {bound}Z"
    return Report(source, stack.name, window, uploads)


def _uploaded(items: Iterator[Decision], bound: str) -> Iterator[Decision]:
    """Yield what was uploaded since a bound: what is labelled was recorded later."""
    return (item for item in items if (item.uploaded_at or item.recorded_at) >= bound)
