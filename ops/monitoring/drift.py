"""Drift: a window of inferences against the baseline that the model's card keeps.

Each comparison is a two-sample test (Kolmogorov-Smirnov on what has an order, Fisher's exact on
shares, the label mix being the share of each label) and a population stability index. Drift is
what passes two gates:

- The test, at the rate of false alarms divided by the number of tests (Bonferroni): where nothing
  has changed, a report cries wolf at most so often. Both are exact for few inferences; five do.
- The least change worth a person's time, since in a million inferences every trifle is significant:
  a tenth of the inferences lies elsewhere or has another label, the share of `other` has changed by
  1 point (a new class begins as a few), the share accepted by 5.

The index tells how large a change is: below 0.1 is small, above 0.25 is large, by custom. What
samples of this size give by chance is taken off.
"""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from cli.errors import CommandError
from model.training.image_statistics import CONFIDENCE_BINS, PERCENTILES, STATISTICS
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
from ops.monitoring.windows import EDGES, Histogram, Sums, Windows
from ops.stack.ledger import OTHER

LEAST = 20  # inferences of a window that is judged by itself
LEAST_OF_ALL = 5  # inferences of a period that is judged
LEAST_MOVED, LEAST_OF_OTHER, LEAST_ACCEPTED = 0.1, 0.01, 0.05  # share of the inferences
SAME_THRESHOLD = 0.001  # apart at most: what is accepted can be compared
OWN = "inferences seen by python -m ops monitor"  # the source of a baseline that is no model's


@dataclass(frozen=True)
class Baseline:
    """What inferences were like when all was well; see model/training/card.py."""

    model: str
    threshold: float
    size: int  # pixels of a side, to which pictures are squashed before they are measured
    facts: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> "Baseline":
        """Read a card.json, or what as_json() has written. Raises CommandError."""
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
            raise CommandError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise CommandError(
                f"{path} holds no baseline ({type(error).__name__}: {error}): give a model's"
                " card.json or a file of --write-baseline"
            ) from error
        return found

    @property
    def pictures(self) -> int:
        return int(self.facts["pictures"])

    @property
    def named(self) -> str:
        """What it is of, in words."""
        return "your baseline" if self.own else f"the baseline of the model {self.model}"

    @property
    def own(self) -> bool:
        """Whether it is of inferences seen at work, and not of a model's training pictures."""
        return self.facts.get("source") == OWN


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


@dataclass(frozen=True)
class Judgement:
    """All tests of a report. limit: the p below which a comparison may be drift."""

    limit: float
    whole: list[Comparison]  # empty with too few inferences
    windows: list[list[Comparison]]  # likewise

    def drifts(self, found: Comparison) -> bool:
        """Whether a comparison is drift: no chance, and large enough."""
        return found.p < self.limit and found.matters

    @property
    def drifted(self) -> list[Comparison]:
        """The comparisons of the whole period, then of the windows, that are drift."""
        every = [self.whole, *self.windows]
        return [each for some in every for each in some if self.drifts(each)]


def judge(windows: Windows, baseline: Baseline, false_alarms: float) -> Judgement:
    """Compare the whole period, and each window that holds enough, with the baseline.

    false_alarms: how often, at most, a report may find drift where there is none, 0..1.
    """
    all_of_it = windows.whole()
    whole = compare(all_of_it, baseline) if all_of_it.inferences >= LEAST_OF_ALL else []
    each = [compare(sums, baseline) if sums.inferences >= LEAST else [] for _, sums in windows]
    if len(each) == 1:
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
            relabelled(mix_was, mix_now) >= LEAST_MOVED,
        ),
        _share(
            f"share of {OTHER}",
            (facts["other_share"], size),
            (sums.labels[OTHER], sums.labels.total()),
            LEAST_OF_OTHER,
        ),
    ]
    if same_threshold(sums, baseline):
        accepted = (sums.accepted, sums.decided)
        found.append(
            _share("share accepted", (facts["accepted_share"], size), accepted, LEAST_ACCEPTED)
        )
    for name in STATISTICS:
        histogram = sums.histograms[name]
        if histogram.sum() and facts.get(name, {}).get("p50") is not None:
            # A card of an earlier form has three of them.
            percents = [each for each in PERCENTILES if f"p{each}" in facts[name]]
            bounds = [facts[name][f"p{each}"] for each in percents]
            found.append(
                _ordered(
                    name,
                    np.diff([0, *percents, 100]) / 100 * size,
                    _between(histogram, bounds, EDGES[name]),
                    f"{facts[name]['p50']:.3f} median",
                    f"{sums.quantiles(name, [0.5])[0]:.3f} median",
                )
            )
    return found


def same_threshold(sums: Sums, baseline: Baseline) -> bool:
    """Whether all of a window was accepted by the baseline's threshold, but for its rounding."""
    return all(abs(each - baseline.threshold) <= SAME_THRESHOLD for each in sums.thresholds)


def _ordered(name: str, was: Counts, now: Counts, words_was: str, words_now: str) -> Comparison:
    return Comparison(
        name,
        words_was,
        words_now,
        psi(*joined(was, now)),
        kolmogorov_smirnov(was, now),
        distance(was, now) >= LEAST_MOVED,
    )


def _share(name: str, was: tuple[float, int], now: tuple[int, int], least: float) -> Comparison:
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
        bool(of) and abs(hits / of - share) >= least,
    )


def coarse(histogram: Histogram, edges: Sequence[float]) -> Counts:
    """Return a histogram of confidences by coarser edges, which lie on its own."""
    return _between(histogram, edges[1:-1], EDGES["confidence"])


def _between(histogram: Histogram, edges: Sequence[float], own: Counts) -> Counts:
    """Return counts below, between and above edges; a bin on an edge is split in proportion.

    own: the edges of the histogram.
    """
    total = np.concatenate([[0.0], np.cumsum(histogram)])
    at = np.interp(edges, own, total)
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
        "source": OWN,
        "pictures": total,
        "confidence": {
            "edges": CONFIDENCE_BINS,
            "share": (coarse(sums.histograms["confidence"], CONFIDENCE_BINS) / total).tolist(),
        },
        "labels": {label: number / total for label, number in sums.labels.items()},
        "other_share": sums.labels[OTHER] / total,
        "accepted_share": sums.accepted / max(sums.decided, 1),
    }
    for name in STATISTICS:
        values = sums.quantiles(name, [percent / 100 for percent in PERCENTILES])
        facts[name] = {
            f"p{percent}": None if math.isnan(value) else value
            for percent, value in zip(PERCENTILES, values, strict=True)
        }
    [(model, _)] = windows.models.most_common(1)
    return Baseline(model, windows.threshold(before.threshold), before.size, facts)
