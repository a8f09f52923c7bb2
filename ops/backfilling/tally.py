"""What became of the photos of a run, as the ledger tells it."""

from collections import Counter
from datetime import UTC, datetime, timedelta

from ops.backfilling.runs import Run
from ops.stack.ledger import OUTCOMES, Ledger, moment

# The index is some seconds behind the table, and an item some seconds behind its recorded_at.
SETTLED = timedelta(seconds=30)


class Tally:
    """Counts a run's outcomes; what is settled is read once, however often it is asked."""

    def __init__(self, ledger: Ledger, run: Run) -> None:
        self._ledger, self._run = ledger, run
        self._settled: Counter[tuple[str, str]] = Counter()
        self._until = moment(run.started - SETTLED)

    def now(self) -> Counter[tuple[str, str]]:
        """Return how many photos have which outcome for which reason."""
        settled = moment(datetime.now(UTC) - SETTLED)
        if settled > self._until:
            self._settled += self._between(self._until, settled)
            self._until = settled
        return self._settled + self._between(self._until, "9")

    def _between(self, since: str, until: str) -> Counter[tuple[str, str]]:
        return Counter(
            (outcome, reason)
            for outcome in OUTCOMES
            for reason in self._ledger.of_run(outcome, self._run.arn, since=since, until=until)
        )
