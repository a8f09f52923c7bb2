"""Drift: a window of inferences against the baseline that the model's card keeps.

Each comparison is a two-sample test (Kolmogorov-Smirnov on what has an order, chi-squared on the
labels, Fisher's exact on a share) and a population stability index. The tests alone decide, each at
the rate of false alarms divided by the number of tests (Bonferroni): where nothing has changed, a
report cries wolf at most so often. The index tells how large a change is: below 0.1 is small, above
0.25 is large, by custom; of a few dozen inferences it is large by chance.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2_contingency, fisher_exact, kstwo

from model.image_statistics import STATISTICS
from ops.errors import OpsError
from ops.observations import NONE_OF_THE_CLASSES
from ops.windows import Histogram, Sums, Windows

LEAST = 20  # inferences of a window that is judged by itself
LEAST_EXPECTED = 5  # of a bin, for the chi-squared approximation; smaller bins are joined
EXACT_UP_TO = 100_000  # inferences; beyond, the approximation is as good and quick
EDGES = [i / 20 for i in range(21)]
QUARTERS = (0.05, 0.5, 0.95)  # quantiles that bound the bins of a picture's figures
SHARES = (0.05, 0.45, 0.45, 0.05)

Counts = NDArray[np.float64]


@dataclass(frozen=True)
class Baseline:
    """What inferences were like when all was well; model/card.py says how it is measured."""

    model: str
    threshold: float
    size: int  # pixels of a side, to which pictures are squashed before they are measured
    facts: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Read a card.json, or what as_json() has written. Raises OpsError."""
        try:
            card = json.loads(path.read_text())
            found = cls(
                str(card["version"]),
                float(card["threshold"]["value"]),
                int(card["input"]["size"]),
                card["baseline"],
            )
            compare(Sums(), found)
        except (OSError, UnicodeDecodeError) as error:
            raise OpsError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OpsError(
                f"{path} holds no baseline ({type(error).__name__}: {error}): give a model's"
                " card.json or a file of --write-baseline"
            ) from error
        return found

    @property
    def pictures(self) -> int:
        return int(self.facts["pictures"])


@dataclass(frozen=True)
class Comparison:
    """One test. was, now: the figure in words; psi: 0 is no change; p: of the test, 1 if unfit."""

    name: str
    was: str
    now: str
    psi: float
    p: float


@dataclass(frozen=True)
class Judgement:
    """All tests of a report. limit: the p below which a comparison is drift."""

    limit: float
    whole: list[Comparison]
    windows: list[list[Comparison]]  # empty for a window with too few inferences

    @property
    def drifted(self) -> list[Comparison]:
        """The comparisons of the whole period, then of the windows, that are drift."""
        every = [self.whole, *self.windows]
        return [each for some in every for each in some if each.p < self.limit]


def judge(windows: Windows, baseline: Baseline, false_alarms: float) -> Judgement:
    """Compare the whole period, and each window that holds enough, with the baseline.

    false_alarms: how often, at most, a report may find drift where there is none, 0..1.
    """
    whole = compare(windows.whole(), baseline)
    each = [compare(sums, baseline) if sums.inferences >= LEAST else [] for _, sums in windows]
    if sum(map(bool, each)) == 1 and len(each) == 1:
        each = [[]]  # it is the whole period
    tests = len(whole) + sum(map(len, each))
    return Judgement(false_alarms / max(tests, 1), whole, each)


def compare(sums: Sums, baseline: Baseline) -> list[Comparison]:
    """Return each comparison that the window and the baseline allow."""
    facts, size = baseline.facts, baseline.pictures
    known = facts["labels"]
    labels = [*known, *(label for label in sums.labels if label not in known)]
    mix_was = np.array([known.get(label, 0.0) for label in labels])
    mix_now = np.array([float(sums.labels[label]) for label in labels])
    edges, shares = facts["confidence"]["edges"], np.array(facts["confidence"]["share"])
    confidence = coarse(sums.confidence, edges)
    found = [
        _ordered(
            "confidence", shares * size, confidence, _top(shares, edges), _top(confidence, edges)
        ),
        Comparison(
            "label mix",
            _mix(labels, mix_was),
            _mix(labels, mix_now),
            psi(mix_was * size, mix_now),
            chi_squared(mix_was * size, mix_now),
        ),
        _share(
            f"share of {NONE_OF_THE_CLASSES}",
            facts["other_share"],
            size,
            sums.labels[NONE_OF_THE_CLASSES],
            sums.labels.total(),
        ),
        _share("share accepted", facts["accepted_share"], size, sums.accepted, sums.decided),
    ]
    for name, (_, top) in STATISTICS.items():
        histogram = sums.statistics[name]
        if histogram.sum() and facts.get(name, {}).get("p50") is not None:
            edges = [facts[name][f"p{round(share * 100)}"] for share in QUARTERS]
            found.append(
                _ordered(
                    name,
                    np.array(SHARES) * size,
                    _between(histogram, edges, top),
                    f"{facts[name]['p50']:.3f} median",
                    f"{sums.quantiles(name, [0.5])[0]:.3f} median",
                )
            )
    return found


def _ordered(name: str, was: Counts, now: Counts, words_was: str, words_now: str) -> Comparison:
    return Comparison(name, words_was, words_now, psi(was, now), kolmogorov_smirnov(was, now))


def _share(name: str, share: float, size: int, hits: int, of: int) -> Comparison:
    was = np.array([round(share * size), size - round(share * size)], float)
    now = np.array([hits, of - hits], float)
    return Comparison(name, f"{share:.1%}", _percent(hits, of), psi(was, now), exact(was, now))


def psi(was: Counts, now: Counts) -> float:
    """Return the population stability index of two histograms; half a count more in each bin.

    Bins that are empty in both tell nothing. nan where one of the two is empty.
    """
    used = (was + now) > 0
    if not was.sum() or not now.sum():
        return math.nan
    a, b = was[used] + 0.5, now[used] + 0.5
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum())


def kolmogorov_smirnov(was: Counts, now: Counts) -> float:
    """Return p of the two-sample test on two histograms of the same bins.

    The greatest distance is looked for at the bins' edges alone, so p is no smaller than it would
    be from the values: the test is conservative.
    """
    if not was.sum() or not now.sum():
        return 1.0
    apart = np.abs(np.cumsum(was) / was.sum() - np.cumsum(now) / now.sum()).max()
    size = was.sum() * now.sum() / (was.sum() + now.sum())
    return float(kstwo.sf(apart, max(round(size), 1)))


def chi_squared(was: Counts, now: Counts) -> float:
    """Return p of the two-sample chi-squared test; neighbours are joined until each bin is fit."""
    if not was.sum() or not now.sum():
        return 1.0
    joined: list[Counts] = []
    part = min(was.sum(), now.sum()) / (was.sum() + now.sum())  # of a bin, in the smaller sample
    waiting = np.zeros(2)
    for pair in np.stack([was, now], axis=1):
        waiting = waiting + pair
        if waiting.sum() * part >= LEAST_EXPECTED:
            joined.append(waiting)
            waiting = np.zeros(2)
    if joined:
        joined[-1] = joined[-1] + waiting
    if len(joined) < 2:
        return 1.0
    return float(chi2_contingency(np.array(joined).T, correction=False).pvalue)


def exact(was: Counts, now: Counts) -> float:
    """Return p of Fisher's exact test on two counts of two kinds."""
    if not was.sum() or not now.sum():
        return 1.0
    if now.sum() > EXACT_UP_TO:
        return chi_squared(was, now)
    return float(fisher_exact(np.array([was, now], dtype=np.int64)).pvalue)


def coarse(histogram: Histogram, edges: Sequence[float]) -> Counts:
    """Return a fine histogram of 0..1 by coarser edges, which lie on fine ones."""
    return _between(histogram, edges[1:-1], 1.0)


def _between(histogram: Histogram, edges: Sequence[float], top: float) -> Counts:
    """Return counts below, between and above edges; a bin on an edge is split in proportion."""
    total = np.concatenate([[0.0], np.cumsum(histogram)])
    places = np.linspace(0, top, len(histogram) + 1)
    at = np.interp(edges, places, total)
    return np.diff(np.concatenate([[0.0], at, [total[-1]]]))


def _top(counts: Counts, edges: Sequence[float]) -> str:
    return f"{_percent(counts[-1], counts.sum())} at {edges[-2]:g} or more"


def _mix(labels: Sequence[str], shares: Counts) -> str:
    total = shares.sum() or 1.0
    ranked = sorted(zip(shares / total, labels, strict=True), key=lambda pair: -pair[0])
    return ", ".join(f"{label} {share:.0%}" for share, label in ranked[:3] if share)


def _percent(hits: float, of: float) -> str:
    return f"{hits / of:.1%}" if of else "-"


def as_json(windows: Windows, baseline: Baseline) -> str:
    """Return all windows as a baseline of their own, in the form that Baseline.read() takes."""
    found = baseline_of(windows, baseline)
    card = {
        "version": found.model,
        "threshold": {"value": found.threshold},
        "input": {"size": found.size},
        "baseline": found.facts,
    }
    return json.dumps(card, indent=2) + "\n"


def baseline_of(windows: Windows, before: Baseline) -> Baseline:
    """Return what was seen as a baseline; `before` is the one it was compared with."""
    sums = windows.whole()
    total = sums.inferences
    facts: dict[str, Any] = {
        "source": "inferences seen by python -m ops monitor",
        "pictures": total,
        "confidence": {
            "edges": EDGES,
            "share": (coarse(sums.confidence, EDGES) / total).tolist(),
        },
        "labels": {label: number / total for label, number in sums.labels.items()},
        "other_share": sums.labels[NONE_OF_THE_CLASSES] / total,
        "accepted_share": sums.accepted / max(sums.decided, 1),
    }
    for name in STATISTICS:
        values = zip(("p5", "p50", "p95"), sums.quantiles(name, QUARTERS), strict=True)
        facts[name] = {key: None if math.isnan(value) else value for key, value in values}
    model = windows.models.most_common(1)[0][0] if windows.models else before.model
    return Baseline(model, windows.threshold(before.threshold), before.size, facts)
