"""The lowest threshold that keeps the promise on the labels that people gave on this stack."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

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
        return int(np.searchsorted(-self.confidence, -threshold, side="right"))

    def labelled(self, taken: int) -> tuple[int, int]:
        """Return (wrong, labelled) of the surest `taken`, each labelled with the same chance.

        Where more of the audits than of the reviews have been done, or the reverse, the larger part
        is thinned to the smaller one, by position, which knows nothing of the label.
        """
        looked_at, waiting = self.looked_at[:taken], self.waiting[:taken]
        parts = [(group, looked_at[group].mean()) for group in (waiting, ~waiting) if group.any()]
        least = min((part for _, part in parts), default=0.0)
        used = np.zeros(taken, bool)
        for group, part in parts:
            limit = self.share * least / part if part else 0.0
            used |= group & looked_at & (self.position[:taken] < limit)
        return int((self.wrong[:taken] & used).sum()), int(used.sum())


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
    total = len(candidates.confidence)
    labels = candidates.labelled(total)[1]
    needed = more_until_kept(0, 0, risk)
    if labels < needed:
        return Advice(None, 0, labels, 0.0, needed - labels)
    first = max(needed, min(labels // 2, FIRST))
    best = tried = Advice(None, 0, 0, 0.0, 0)
    for coverage in np.append(np.arange(STEP, 1, STEP), 1.0):
        surest = candidates.confidence[max(1, int(coverage * total)) - 1]
        threshold = math.floor(surest * 10**DIGITS) / 10**DIGITS
        taken = candidates.taken(threshold)
        wrong, labelled = candidates.labelled(taken)
        if labelled < first:
            continue
        tried = Advice(threshold, wrong, labelled, taken / uploads, 0)
        if upper_bound(wrong, labelled, level) > risk:
            break
        best = tried
    return replace(tried, threshold=None) if best.threshold is None else best


def advise(window: Window, decision: str) -> Advice:
    """Return the threshold of accepted, or of none, for the model that decided last."""
    samples = of_newest_model(list(window.equal()))
    candidates = [sample for sample in samples if is_candidate(sample, decision)]
    return find(Candidates.of(candidates, window.share), len(samples))


def of_newest_model(samples: Sequence[Sample]) -> list[Sample]:
    """Return those of the newest model: confidences of two models do not compare."""
    newest = max(samples, key=lambda sample: sample.time, default=None)
    return [sample for sample in samples if newest and sample.model == newest.model]
