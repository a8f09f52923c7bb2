"""Drift: a window of inferences against the baseline that the model's card keeps.

Each comparison is a two-sample test (Kolmogorov-Smirnov on what has an order, Fisher's exact on
shares, the label mix being the share of each label) and a population stability index. Drift is
what passes two gates:

- The test, at the rate of false alarms divided by the number of tests (Bonferroni): where nothing
  has changed, a report finds drift at most so often. Both are exact for few inferences; five do.
- The minimum effect worth a person's time, since of a million inferences every small change is
  statistically significant:
  a tenth of the inferences lies elsewhere or has another label, the share of `other` has changed by
  1 point (a new class begins as a few), the share accepted by 5.

The index tells how large a change is: below 0.1 is small, above 0.25 is large, by custom. What
samples of this size give by chance is taken off.
"""

from dataclasses import dataclass

from ops.monitoring.baseline import Baseline
from ops.monitoring.comparisons import Comparison, compare
from ops.monitoring.windows import Windows

MINIMUM_WINDOW = 20  # inferences of a window that is judged by itself
MINIMUM_PERIOD = 5  # inferences of a period that is judged


@dataclass(frozen=True)
class Judgement:
    """All tests of a report. limit: the p below which a comparison may be drift."""

    limit: float
    whole: list[Comparison]  # empty with too few inferences
    windows: list[list[Comparison]]  # likewise

    def drifts(self, found: Comparison) -> bool:
        """Whether a comparison is drift: statistically significant, and large enough."""
        return found.p < self.limit and found.matters

    @property
    def drifted(self) -> list[Comparison]:
        """The comparisons of the whole period, then of the windows, that are drift."""
        periods = [self.whole, *self.windows]
        return [found for comparisons in periods for found in comparisons if self.drifts(found)]


def judge(windows: Windows, baseline: Baseline, false_alarms: float) -> Judgement:
    """Compare the whole period, and each window that holds enough, with the baseline.

    false_alarms: how often, at most, a report may find drift where there is none, 0..1.
    """
    period = windows.whole()
    whole = compare(period, baseline) if period.inferences >= MINIMUM_PERIOD else []
    by_window = [
        compare(sums, baseline) if sums.inferences >= MINIMUM_WINDOW else [] for _, sums in windows
    ]
    if len(by_window) == 1:
        by_window = [[]]  # it is the whole period
    tests = len(whole) + sum(map(len, by_window))
    return Judgement(false_alarms / max(tests, 1), whole, by_window)
