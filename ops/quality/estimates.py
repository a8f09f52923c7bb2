"""The share that is wrong among what software acted on, and whether the promise is kept.

The intervals are exact (Clopper and Pearson 1934) and of the samples that had the same chance to be
audited. The estimate weights every audit by the inverse of its chance (Horvitz and Thompson 1952,
as a ratio: Hajek 1971), so that it also uses those of a time with a larger share.

Looking repeatedly costs: the exact 95 % bound is right for one report. Where the error is exactly
what is promised and the bound is looked at every week of a year, it exceeds the promise some time
in one of six years, and in up to two of three if only the last 30 days count (docs/quality.md). So
"broken", which wakes people, goes by evidence that may be looked at any time, and "kept" by the
exact bound of this report.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special, stats

from ops.quality.samples import Sample, Window

RISK = 0.01  # promised: at most so many are wrong ...
LEVEL = 0.95  # ... with this confidence; the same as in model/training/calibration.py
# That shows a promise broken. There are two, of accepted and of none: each is wrongly called broken
# in at most 2.5 % of the series, together in at most 1 - LEVEL.
EVIDENCE = 40.0
# Beta distribution of the errors that are looked for above RISK: 2 of 62, 3.2 %. A flat one needs
# 1.8 times the audits to notice 2 or 3 %.
PRIOR = 2.0, 60.0
KEPT, BROKEN, OPEN = "kept", "broken", "cannot be told yet"

Floats = NDArray[np.floating]


def upper_bound(wrong: int, total: int, level: float = LEVEL) -> float:
    """Return what the error exceeds with probability 1 - level at most (exact); 1 of nothing."""
    return float(special.betaincinv(wrong + 1, total - wrong, level)) if wrong < total else 1.0


def lower_bound(wrong: int, total: int, level: float = LEVEL) -> float:
    """Return what the error is below with probability 1 - level at most (exact)."""
    return float(special.betaincinv(wrong, total - wrong + 1, 1 - level)) if wrong else 0.0


def interval(wrong: int, total: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the exact two-sided interval (Clopper-Pearson) of a share; (0, 1) of nothing."""
    one_sided = (1 + level) / 2
    return lower_bound(wrong, total, one_sided), upper_bound(wrong, total, one_sided)


def log_evidence(wrong: Floats, total: Floats, risk: float = RISK) -> Floats:
    """Return the logarithm of evidence(), elementwise."""
    a, b = PRIOR
    seen = special.betaln(a + wrong, b + total - wrong) - special.betaln(a, b)
    above = stats.beta.logsf(risk, a + wrong, b + total - wrong) - stats.beta.logsf(risk, a, b)
    found: Floats = seen + above - wrong * np.log(risk) - (total - wrong) * np.log1p(-risk)
    return found


def evidence(wrong: int, total: int, risk: float = RISK) -> float:
    """Return the evidence that the error exceeds the risk: 1 is none, EVIDENCE shows it.

    The likelihood of what was seen if the error is above the risk, mixed by PRIOR, over that at the
    risk itself. While the error is at most the risk it is a supermartingale in the number of
    audits. So it exceeds c at any time, however often it is looked at, with probability 1 / c at
    most (Ville 1939; the mixture: Robbins 1970, "Statistical methods related to the law of the
    iterated logarithm"; Howard et al. 2021, "Time-uniform, nonparametric, nonasymptotic confidence
    sequences"). That takes audits that add up from a fixed day on; docs/quality.md has what a
    moving window of 30 days does to it.
    """
    value = log_evidence(np.array(float(wrong)), np.array(float(total)), risk)
    return float(np.exp(min(float(value), 700.0)))


def more_until_kept(wrong: int, total: int, risk: float = RISK) -> int:
    """Return how many more audits, all without an error, show the promise kept: 299 of nothing."""
    low, high = total - 1, max(total, 1)  # the answer is in (low, high]
    while upper_bound(wrong, high) > risk:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(wrong, middle) <= risk else (middle, high)
    return high - total


@dataclass(frozen=True)
class Estimate:
    """The error among some decisions.

    due: to be audited. audited: of these. sample, wrong: those that had the same chance, which the
    intervals are of, and the wrong among them. error: the weighted estimate, nan of nothing.
    """

    due: int
    audited: int
    sample: int
    wrong: int
    error: float

    @property
    def interval(self) -> tuple[float, float]:
        """The exact two-sided 95 % interval of the error."""
        return interval(self.wrong, self.sample)

    @property
    def upper(self) -> float:
        """The exact one-sided 95 % upper bound of the error."""
        return upper_bound(self.wrong, self.sample)

    @property
    def lower(self) -> float:
        """The exact one-sided 95 % lower bound of the error."""
        return lower_bound(self.wrong, self.sample)

    @property
    def evidence(self) -> float:
        """The evidence that the error exceeds RISK."""
        return evidence(self.wrong, self.sample)

    @property
    def verdict(self) -> str:
        """Whether the promise is kept, broken, or cannot be told yet."""
        if self.evidence >= EVIDENCE:
            return BROKEN
        return KEPT if self.upper <= RISK else OPEN

    @property
    def more(self) -> int:
        """How many more audits, all without an error, show the promise kept."""
        return more_until_kept(self.wrong, self.sample)


def estimate(window: Window, decision: str) -> Estimate:
    """Return the error among what was decided accepted, or none."""
    due = window.due(decision)
    return _estimate(due, weights(window, due), window.share)


def estimates_by(
    window: Window, decision: str, group: Callable[[Sample], str]
) -> dict[str, Estimate]:
    """Return the error of each class, model or week, by name; those without audits are left out."""
    due = window.due(decision)
    weighted = weights(window, due)
    groups: dict[str, list[Sample]] = {}
    for sample in due:
        groups.setdefault(group(sample), []).append(sample)
    found = {name: _estimate(groups[name], weighted, window.share) for name in sorted(groups)}
    return {name: value for name, value in found.items() if value.audited}


def weights(window: Window, due: Sequence[Sample]) -> dict[float, float]:
    """Return the weight of an audit by its share: how many decisions it stands for.

    One over the share, and over the part of the due audits of this share that have been done.
    """
    counts: dict[float, list[int]] = {}
    for sample in due:
        count = counts.setdefault(sample.share, [0, 0])
        count[0] += 1
        count[1] += sample.looked_at
    return {
        share: total / done / min(share, window.cap)
        for share, (total, done) in counts.items()
        if done
    }


def _estimate(due: Iterable[Sample], weighted: dict[float, float], share: float) -> Estimate:
    due = list(due)
    audited = [sample for sample in due if sample.looked_at]
    all_weights = sum(weighted[sample.share] for sample in audited)
    wrong = sum(weighted[sample.share] for sample in audited if sample.wrong)
    same = [sample for sample in audited if sample.position < share]
    return Estimate(
        due=len(due),
        audited=len(audited),
        sample=len(same),
        wrong=sum(sample.wrong for sample in same),
        error=wrong / all_weights if audited else float("nan"),
    )
