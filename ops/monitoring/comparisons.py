"""Comparisons of a window of inferences with the baseline, each a test and an index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from model.training.image_statistics import PERCENTILES, STATISTICS
from ops.monitoring.baseline import Baseline, coarse, counts_between
from ops.monitoring.two_samples import (
    Counts,
    any_share,
    distance,
    exact,
    joined,
    kolmogorov_smirnov,
    psi,
    relabelled,
)
from ops.monitoring.windows import EDGES, Sums
from ops.stack.ledger import OTHER

# The smallest changes worth a person's time, as shares of the inferences.
MINIMUM_EFFECT = 0.1  # that lie elsewhere, or have another label
MINIMUM_EFFECT_OTHER, MINIMUM_EFFECT_ACCEPTED = 0.01, 0.05
SAME_THRESHOLD = 0.001  # apart at most: what is accepted can be compared


@dataclass(frozen=True)
class Comparison:
    """One test. was, now: the figure in words; psi: 0 is no change; p: of the test, 1 if unfit.

    matters: whether the change is large enough to act on.
    """

    name: str
    was: str
    now: str
    psi: float
    p: float
    matters: bool


def compare(sums: Sums, baseline: Baseline) -> list[Comparison]:
    """Return each comparison that the window and the baseline allow."""
    facts, size = baseline.facts, baseline.pictures
    known = facts["labels"]
    labels = [*known, *(label for label in sums.labels if label not in known)]
    mix_was = np.array([known.get(label, 0.0) for label in labels])
    mix_now = np.array([float(sums.labels[label]) for label in labels])
    edges, shares = facts["confidence"]["edges"], np.array(facts["confidence"]["share"])
    confidence = coarse(sums.histograms["confidence"], edges)
    found = [
        _ordered(
            "confidence", shares * size, confidence, _top(shares, edges), _top(confidence, edges)
        ),
        Comparison(
            "label mix",
            _mix(labels, mix_was),
            _mix(labels, mix_now),
            psi(mix_was * size, mix_now),
            any_share(mix_was * size, mix_now),
            relabelled(mix_was, mix_now) >= MINIMUM_EFFECT,
        ),
        _share(
            f"share of {OTHER}",
            (facts["other_share"], size),
            (sums.labels[OTHER], sums.labels.total()),
            MINIMUM_EFFECT_OTHER,
        ),
    ]
    if same_threshold(sums, baseline):
        accepted = (sums.accepted, sums.decisions)
        found.append(
            _share(
                "share accepted", (facts["accepted_share"], size), accepted, MINIMUM_EFFECT_ACCEPTED
            )
        )
    for name in STATISTICS:
        histogram = sums.histograms[name]
        if histogram.sum() and facts.get(name, {}).get("p50") is not None:
            # A card of an earlier form has three of them.
            percents = [percent for percent in PERCENTILES if f"p{percent}" in facts[name]]
            bounds = [facts[name][f"p{percent}"] for percent in percents]
            found.append(
                _ordered(
                    name,
                    np.diff([0, *percents, 100]) / 100 * size,
                    counts_between(histogram, bounds, EDGES[name]),
                    f"{facts[name]['p50']:.3f} median",
                    f"{sums.quantiles(name, [0.5])[0]:.3f} median",
                )
            )
    return found


def same_threshold(sums: Sums, baseline: Baseline) -> bool:
    """Whether all of a window was accepted by the baseline's threshold, but for its rounding."""
    return all(abs(used - baseline.threshold) <= SAME_THRESHOLD for used in sums.thresholds)


def _ordered(name: str, was: Counts, now: Counts, words_was: str, words_now: str) -> Comparison:
    return Comparison(
        name,
        words_was,
        words_now,
        psi(*joined(was, now)),
        kolmogorov_smirnov(was, now),
        distance(was, now) >= MINIMUM_EFFECT,
    )


def _share(name: str, was: tuple[float, int], now: tuple[int, int], minimum: float) -> Comparison:
    """Compare two shares. was: the share, of how many; now: hits, of how many."""
    (share, size), (hits, of) = was, now
    before = np.array([round(share * size), size - round(share * size)], float)
    after = np.array([hits, of - hits], float)
    return Comparison(
        name,
        f"{share:.1%}",
        _percent(hits, of),
        psi(before, after),
        exact(before, after),
        bool(of) and abs(hits / of - share) >= minimum,
    )


def _top(counts: Counts, edges: Sequence[float]) -> str:
    return f"{_percent(counts[-1], counts.sum())} at {edges[-2]:g} or more"


def _mix(labels: Sequence[str], shares: Counts) -> str:
    total = shares.sum() or 1.0
    ranked = sorted(zip(shares / total, labels, strict=True), key=lambda pair: -pair[0])
    return ", ".join(f"{label} {share:.0%}" for share, label in ranked[:3] if share)


def _percent(hits: float, of: float) -> str:
    return f"{hits / of:.1%}" if of else "-"
