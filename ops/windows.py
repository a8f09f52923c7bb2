"""Sums over windows of time: as many bytes for a million observations as for one."""

import heapq
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
from numpy.typing import NDArray

from model.image_statistics import STATISTICS
from ops.observations import INFERRED, Observation

FINE = 1000  # bins of a confidence or of a picture's statistic
LATENCY_EDGES = np.geomspace(0.01, 1e6, 161)  # seconds; bins of 12 %
MOST_LABELS = 100
OTHERS = "(more labels)"
SHORTEST = timedelta(minutes=1)
MOST_WINDOWS = 48
KEPT_PICTURES = 8

Histogram = NDArray[np.int64]


def _zeros(bins: int) -> Histogram:
    return np.zeros(bins, np.int64)


@dataclass
class Sums:
    """Counts of a window. `outcomes` of uploads, all else of inferences alone."""

    outcomes: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    reviews: Counter[bool] = field(default_factory=Counter)  # whether the reviewer agreed
    confidence: Histogram = field(default_factory=lambda: _zeros(FINE))
    latency: Histogram = field(default_factory=lambda: _zeros(len(LATENCY_EDGES) - 1))
    statistics: dict[str, Histogram] = field(
        default_factory=lambda: {name: _zeros(FINE) for name in STATISTICS}
    )

    def add(self, seen: Observation) -> None:
        """Count one observation."""
        self.outcomes[seen.outcome] += 1
        if seen.latency_s is not None:
            at = int(np.searchsorted(LATENCY_EDGES, seen.latency_s, "right")) - 1
            self.latency[min(max(at, 0), len(self.latency) - 1)] += 1
        if seen.confidence is None:
            return
        known = seen.label in self.labels or len(self.labels) < MOST_LABELS
        self.labels[seen.label if known else OTHERS] += 1
        self.confidence[_bin(seen.confidence, FINE, 1.0)] += 1
        if seen.right is not None:
            self.reviews[seen.right] += 1
        for name, value in seen.statistics.items():
            self.statistics[name][_bin(value, FINE, STATISTICS[name][1])] += 1

    def take(self, other: "Sums") -> None:
        """Add the counts of another window."""
        self.outcomes.update(other.outcomes)
        self.reviews.update(other.reviews)
        for label, number in other.labels.items():
            known = label in self.labels or len(self.labels) < MOST_LABELS
            self.labels[label if known else OTHERS] += number
        self.confidence += other.confidence
        self.latency += other.latency
        for name, histogram in other.statistics.items():
            self.statistics[name] += histogram

    @property
    def uploads(self) -> int:
        return self.outcomes.total()

    @property
    def inferences(self) -> int:
        return int(self.confidence.sum())

    @property
    def accepted(self) -> int:
        """How many inferences were accepted."""
        return self.outcomes["accepted"]

    @property
    def decided(self) -> int:
        """How many inferences were accepted or went to review."""
        return sum(self.outcomes[name] for name in INFERRED)

    def quantiles(self, name: str, shares: Sequence[float]) -> list[float]:
        """Return quantiles of confidence, latency or a picture's statistic; nan of nothing."""
        if name == "latency":
            histogram, edges = self.latency, LATENCY_EDGES
        elif name == "confidence":
            histogram, edges = self.confidence, np.linspace(0, 1, FINE + 1)
        else:
            histogram = self.statistics[name]
            edges = np.linspace(0, STATISTICS[name][1], FINE + 1)
        if not histogram.sum():
            return [float("nan")] * len(shares)
        total = np.concatenate([[0], np.cumsum(histogram)]) / histogram.sum()
        # Within a bin as if evenly spread.
        return [float(np.interp(share, total, edges)) for share in shares]


def _bin(value: float, bins: int, top: float) -> int:
    return min(max(int(value / top * bins), 0), bins - 1)


class Windows:
    """Sums by time. There are at most 48: when more are needed, two and two become one.

    `length` of a window grows from `shortest` by doubling; starts are multiples of it.
    """

    def __init__(self, shortest: timedelta = SHORTEST) -> None:
        self.length = shortest
        self.models: Counter[str] = Counter()
        self.last_threshold: tuple[datetime, float] | None = None
        self._sums: dict[int, Sums] = {}
        self._worst: list[tuple[float, int, Observation]] = []
        self._number = count()

    def add(self, seen: Observation) -> None:
        """Count an observation in the window of its time."""
        self._at(self._index(seen.time)).add(seen)
        while len(self._sums) > MOST_WINDOWS:
            self._double()
        if seen.model and (seen.model in self.models or len(self.models) < MOST_LABELS):
            self.models[seen.model] += 1
        if seen.threshold is not None:
            self.last_threshold = max(
                self.last_threshold or (seen.time, seen.threshold), (seen.time, seen.threshold)
            )
        if seen.picture is not None and seen.confidence is not None:
            # A heap of the least confident: the first is the most confident of these.
            heapq.heappush(self._worst, (-seen.confidence, next(self._number), seen))
            if len(self._worst) > KEPT_PICTURES:
                heapq.heappop(self._worst)

    def add_all(self, everything: Iterable[Observation]) -> None:
        """Count all of some observations."""
        for seen in everything:
            self.add(seen)

    def __iter__(self) -> Iterator[tuple[datetime, Sums]]:
        """Yield start and sums of each window that has any, in the order of time."""
        for index in sorted(self._sums):
            yield self._start(index), self._sums[index]

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

    def _index(self, time: datetime) -> int:
        return int(time.timestamp() // self.length.total_seconds())

    def _start(self, index: int) -> datetime:
        return datetime.fromtimestamp(index * self.length.total_seconds(), UTC)

    def _at(self, index: int) -> Sums:
        return self._sums.setdefault(index, Sums())

    def _double(self) -> None:
        before, self._sums = self._sums, {}
        self.length *= 2
        for index, sums in before.items():
            self._at(index // 2).take(sums)
