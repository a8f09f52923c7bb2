"""Sums over windows of time: as many bytes for a million observations as for one."""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
from numpy.typing import NDArray

from model.training.image_statistics import BINS, STATISTICS, quantiles
from ops.monitoring.observations import Observation
from ops.stack.ledger import DECISIONS

# Good models are sure: nine of ten confidences are above 0.95, so bins narrow towards 1.
CONFIDENCE_EDGES = np.concatenate([np.arange(990) / 1000, 1 - np.geomspace(1e-2, 1e-5, 61), [1.0]])
LATENCY_EDGES = np.geomspace(0.01, 1e6, 161)  # seconds; bins of 12 %
EDGES = {
    "confidence": CONFIDENCE_EDGES,
    "latency": LATENCY_EDGES,
    **{name: np.linspace(0, top, BINS + 1) for name, (_, top) in STATISTICS.items()},
}
MOST_LABELS = 100
OTHERS = "(more labels)"
# Each is a multiple of the one before, and ends with the hour, the day or the week.
LENGTHS = [timedelta(minutes=m) for m in (1, 2, 10, 30, 60, 120, 360, 720, 1440, 10_080, 40_320)]
MONDAY = datetime(1970, 1, 5, tzinfo=UTC)
MOST_WINDOWS, FEWEST_WINDOWS = 48, 3
KEPT_PICTURES = 8

Histogram = NDArray[np.int64]


@dataclass
class Sums:
    """Counts of a window. `outcomes` of uploads, all else of inferences alone."""

    outcomes: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    reviews: Counter[bool] = field(default_factory=Counter)  # whether the reviewer agreed
    thresholds: list[float] = field(default_factory=list)  # the lowest and the highest
    histograms: dict[str, Histogram] = field(
        default_factory=lambda: {
            name: np.zeros(len(edges) - 1, np.int64) for name, edges in EDGES.items()
        }
    )

    def add(self, seen: Observation) -> None:
        """Count one observation."""
        self.outcomes[seen.outcome] += 1
        if seen.latency_s is not None:
            self._place("latency", seen.latency_s)
        if seen.confidence is None:
            return
        self._label(seen.label, 1)
        self._place("confidence", seen.confidence)
        if seen.threshold is not None:
            self._threshold([seen.threshold])
        if seen.right is not None:
            self.reviews[seen.right] += 1
        for name, value in seen.statistics.items():
            self._place(name, value)

    def take(self, other: "Sums") -> None:
        """Add the counts of another window."""
        self.outcomes.update(other.outcomes)
        self.reviews.update(other.reviews)
        self._threshold(other.thresholds)
        for label, number in other.labels.items():
            self._label(label, number)
        for name, histogram in other.histograms.items():
            self.histograms[name] += histogram

    def _label(self, label: str, number: int) -> None:
        known = label in self.labels or len(self.labels) < MOST_LABELS
        self.labels[label if known else OTHERS] += number

    def _threshold(self, more: list[float]) -> None:
        seen = [*self.thresholds, *more]
        self.thresholds = [min(seen), max(seen)] if seen else []

    def _place(self, name: str, value: float) -> None:
        histogram = self.histograms[name]
        at = int(np.searchsorted(EDGES[name], value, "right")) - 1
        histogram[min(max(at, 0), len(histogram) - 1)] += 1

    @property
    def uploads(self) -> int:
        return self.outcomes.total()

    @property
    def inferences(self) -> int:
        return int(self.histograms["confidence"].sum())

    @property
    def accepted(self) -> int:
        """How many inferences were accepted."""
        return self.outcomes["accepted"]

    @property
    def decisions(self) -> int:
        """How many inferences led to a decision."""
        return sum(self.outcomes[name] for name in DECISIONS)

    def quantiles(self, name: str, shares: Sequence[float]) -> list[float]:
        """Return quantiles of confidence, latency or a picture's statistic; nan of nothing."""
        return quantiles(self.histograms[name], EDGES[name], shares)


class Windows:
    """Sums by time. There are at most 48: when more are needed, several become one.

    length: of a window, grows from `shortest` along LENGTHS. begin: a moment at which one begins.
    """

    def __init__(self, shortest: timedelta = LENGTHS[0], begin: datetime = MONDAY) -> None:
        self.length, self.begin = shortest, begin
        self.models: Counter[str] = Counter()
        self.first: datetime | None = None
        self.last: datetime | None = None
        self.last_threshold: tuple[datetime, float] | None = None
        self._sums: dict[int, Sums] = {}
        self._worst: list[tuple[float, int, Observation]] = []
        self._number = count()

    def add(self, seen: Observation) -> None:
        """Count an observation in the window of its time."""
        self._at((seen.time - self.begin) // self.length).add(seen)
        while len(self._sums) > MOST_WINDOWS:
            self._lengthen()
        self.first = min(self.first or seen.time, seen.time)
        self.last = max(self.last or seen.time, seen.time)
        if seen.confidence is not None and (
            seen.model in self.models or len(self.models) < MOST_LABELS
        ):
            self.models[seen.model] += 1
        if seen.threshold is not None:
            latest = (seen.time, seen.threshold)
            self.last_threshold = max(self.last_threshold or latest, latest)
        if seen.picture is not None and seen.confidence is not None:
            # A heap of the least confident: the first is the most confident of these.
            heapq.heappush(self._worst, (-seen.confidence, next(self._number), seen))
            if len(self._worst) > KEPT_PICTURES:
                heapq.heappop(self._worst)

    def add_all(self, everything: Iterable[Observation]) -> None:
        """Count all of some observations."""
        for seen in everything:
            self.add(seen)

    def widen(self, least: int) -> None:
        """Join windows until half of them hold so many inferences, while three of them remain."""
        while self._median() < least:
            factor = self._longer() // self.length
            if len({index // factor for index in self._sums}) < FEWEST_WINDOWS:
                return
            self._lengthen()

    def __iter__(self) -> Iterator[tuple[datetime, Sums]]:
        """Yield start and sums of each window that has any, in the order of time."""
        for index in sorted(self._sums):
            yield self.begin + index * self.length, self._sums[index]

    def __len__(self) -> int:
        return len(self._sums)

    def whole(self) -> Sums:
        """Return the sums of all windows."""
        total = Sums()
        for sums in self._sums.values():
            total.take(sums)
        return total

    def threshold(self, otherwise: float) -> float:
        """Return the threshold of the latest inference."""
        return self.last_threshold[1] if self.last_threshold else otherwise

    def least_confident(self) -> list[Observation]:
        """Return up to eight inferences with a picture, the least confident first."""
        return [seen for _, _, seen in sorted(self._worst, reverse=True)]

    def _at(self, index: int) -> Sums:
        return self._sums.setdefault(index, Sums())

    def _median(self) -> float:
        """Return how many inferences half the windows hold, of those that hold any."""
        held = [sums.inferences for sums in self._sums.values() if sums.inferences]
        return float(np.median(held)) if held else math.inf

    def _longer(self) -> timedelta:
        fits = (length for length in LENGTHS if length > self.length and not length % self.length)
        return next(fits, 2 * self.length)

    def _lengthen(self) -> None:
        longer = self._longer()
        factor, self.length = longer // self.length, longer
        before, self._sums = self._sums, {}
        for index, sums in before.items():
            self._at(index // factor).take(sums)
