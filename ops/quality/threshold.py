"""The lowest threshold that keeps the promise on the labels that people gave on this stack."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ops.quality.estimates import LEVEL, RISK, more_until_kept, upper_bound
from ops.quality.samples import Sample, Window, is_candidate

DIGITS = 4  # of a threshold; the model's card rounds to three, which is coarse near 1
STEP = 0.005  # of the candidates, from test to test, as in model/training/calibration.py
# Labels of the first test: half of them, but no more than that. They may hold three errors. With
# half of very many a model that keeps the promise for its surest third would get no threshold.
FIRST = 700

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Candidates:
    """The uploads of a random sample that a threshold decides about, surest first.

    confidence: (n,), 0..1. waiting: (n,) whether it went to review at the threshold of its time.
    position: (n,), 0..1. looked_at: (n,) whether a person gave a label; wrong: (n,) another one.
    share: the probability with which each came into the sample.
    """

    confidence: Floats
    waiting: Bools
    position: Floats
    looked_at: Bools
    wrong: Bools
    share: float

    @classmethod
    def of(cls, samples: Sequence[Sample], share: float) -> "Candidates":
        """Return samples, in whatever order, as candidates."""
        ordered = sorted(samples, key=lambda sample: -sample.confidence)
        return cls(
            np.array([sample.confidence for sample in ordered]),
            np.array([sample.decision == "review" for sample in ordered], bool),
            np.array([sample.position for sample in ordered]),
            np.array([sample.looked_at for sample in ordered], bool),
            np.array([sample.wrong for sample in ordered], bool),
            share,
        )

    def taken(self, threshold: float) -> int:
        """Return how many a threshold takes, labelled or not."""
        return len(self.confidence) - int(np.searchsorted(self.confidence[::-1], threshold))

    def sequence(self) -> Iterator[tuple[float, int]]:
        """Yield thresholds and how many each takes, for shares that grow by STEP, to all."""
        total = len(self.confidence)
        for coverage in np.append(np.arange(STEP, 1, STEP), 1.0) if total else ():
            surest = self.confidence[max(1, int(coverage * total)) - 1]
            threshold = math.floor(surest * 10**DIGITS) / 10**DIGITS
            yield threshold, self.taken(threshold)

    def labelled(self, taken: int) -> tuple[int, int]:
        """Return (wrong, labelled) of the surest `taken`, each labelled with the same chance.

        Where more of the audits than of the reviews have been done, or the reverse, the larger part
        is thinned to the smaller one, by position, which knows nothing of the label.
        """
        wrong, labelled, waiting, labelled_waiting = map(int, self._sums[:, taken])
        if labelled_waiting * taken == labelled * waiting:  # of both the same part is labelled
            return wrong, labelled
        group = self.waiting[:taken]
        parts = labelled_waiting / waiting, (labelled - labelled_waiting) / (taken - waiting)
        limits = [self.share * min(parts) / part if part else 0.0 for part in parts]
        used = self.looked_at[:taken] & (self.position[:taken] < np.where(group, *limits))
        return int((self.wrong[:taken] & used).sum()), int(used.sum())

    @cached_property
    def _sums(self) -> NDArray[np.int64]:
        """(4, n + 1): of the surest 0 to n the wrong, labelled, waiting, and labelled waiting."""
        rows = self.wrong, self.looked_at, self.waiting, self.looked_at & self.waiting
        return np.pad(np.cumsum(rows, axis=1, dtype=np.int64), ((0, 0), (1, 0)))


@dataclass(frozen=True)
class Advice:
    """A threshold, or why there is none.

    threshold: None if no threshold can be shown to keep the promise. wrong, labelled: of the
    labels that it was judged by, those it takes. share: of all uploads with an inference that it
    takes, 0..1. missing: labels, all without an error, until the first threshold can be tried.
    """

    threshold: float | None
    wrong: int
    labelled: int
    share: float
    missing: int


def find(candidates: Candidates, uploads: int, risk: float = RISK, level: float = LEVEL) -> Advice:
    """Return the lowest threshold whose error is at most `risk`, with confidence `level`.

    uploads: of the sample, with those that no threshold would take.

    Fixed-sequence testing (Angelopoulos et al. 2021, "Learn then Test"), as for the model's card:
    "the error is above risk" is tested for growing shares of the candidates, in steps of half a
    percent, until the exact binomial bound first fails. The sequence depends on the confidences and
    on how many are labelled, never on a label, so all its tests together keep the level.
    """
    needed = more_until_kept(0, 0, risk)
    tests = [
        Advice(threshold, *candidates.labelled(taken), taken / uploads, 0)
        for threshold, taken in candidates.sequence()
    ]
    labels = max((test.labelled for test in tests), default=0)
    if labels < needed:
        return Advice(None, 0, labels, 0.0, needed - labels)
    first = max(needed, min(labels // 2, FIRST))
    best, tried = None, None
    for tried in tests:
        if tried.labelled < first:
            continue
        if upper_bound(tried.wrong, tried.labelled, level) > risk:
            break
        best = tried
    assert tried is not None
    return best or replace(tried, threshold=None)


def advise(window: Window, decision: str) -> Advice:
    """Return the threshold of accepted, or of none, for the model that decided last."""
    samples = of_newest_model(list(window.equal()))
    candidates = [sample for sample in samples if is_candidate(sample, decision)]
    return find(Candidates.of(candidates, window.share), len(samples))


def of_newest_model(samples: Sequence[Sample]) -> list[Sample]:
    """Return those of the newest model: confidences of two models do not compare."""
    newest = max(samples, key=lambda sample: sample.time, default=None)
    return [sample for sample in samples if newest and sample.model == newest.model]
