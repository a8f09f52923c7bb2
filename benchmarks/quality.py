"""Quality: how seldom `python -m ops quality` cries wolf, and how many audits it needs.

    python -m benchmarks.quality

Simulated audits, from a fixed seed; docs/quality.md quotes the tables. Quarter of a minute.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from cli.terminal import table
from ops.quality.estimates import EVIDENCE, LEVEL, RISK, estimate, log_evidence, more_until_kept
from ops.quality.samples import Sample, Window
from ops.quality.threshold import Candidates, find

Ints = NDArray[np.int64]
Rows = list[tuple[str, ...]]

SEED = 20
YEAR, MONTH = 52, 4  # weeks
SERIES = 20_000  # years that are simulated
PATHS, MOST_AUDITS = 1_000, 20_000
POPULATIONS, UPLOADS = 500, 20_000
SAMPLES = 400
MIDNIGHT = datetime(2026, 1, 1, tzinfo=UTC)
ACCEPTED = 0.8  # of the uploads, about the share of the shipped model's card


def main() -> int:
    """Print the tables."""
    argparse.ArgumentParser(
        "python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    for make in (false_alarms, audits_needed, coverage, advice, shares):
        header, *rows = make()
        print(f"\n{(make.__doc__ or '').splitlines()[0]}\n\n{table(header, rows)}", flush=True)
    return 0


def crossing(holds: Callable[[Ints, Ints], NDArray[np.bool_]], wrong: Ints) -> Ints:
    """Return the largest total, for each number of wrong audits, up to which something holds."""
    low, high = wrong.copy(), np.full(len(wrong), 4 * MOST_AUDITS)
    while (high - low > 1).any():
        middle = (low + high) // 2
        held = holds(wrong, middle)
        low, high = np.where(held, middle, low), np.where(held, high, middle)
    return low


def fewest(holds: Callable[[Ints, Ints], NDArray[np.bool_]]) -> Ints:
    """Return (MOST_AUDITS + 1,) the fewest wrong of 0, 1, ... audits for which something holds."""
    limits = crossing(holds, np.arange(MOST_AUDITS // 20))
    return np.searchsorted(limits, np.arange(MOST_AUDITS + 1))


def shown_broken(wrong: Ints, total: Ints) -> NDArray[np.bool_]:
    """Tell whether audits show the promise broken, as the report does."""
    found = log_evidence(wrong.astype(float), total.astype(float))
    return np.asarray(found >= np.log(EVIDENCE), bool)


def bound_above(wrong: Ints, total: Ints) -> NDArray[np.bool_]:
    """Tell whether the exact lower bound of the error is above what is promised."""
    return np.asarray(stats.beta.ppf(1 - LEVEL, wrong, total - wrong + 1) > RISK, bool)


def not_kept(wrong: Ints, total: Ints) -> NDArray[np.bool_]:
    """Tell whether the exact upper bound of the error is above what is promised."""
    below = stats.beta.ppf(LEVEL, wrong + 1, np.maximum(total - wrong, 0.5))
    return np.asarray(below > RISK, bool)


def percent(value: float) -> str:
    """Return a share as the tables show it."""
    return f"{value:.1%}"


def false_alarms() -> Rows:
    """Called broken though the error is at most 1 %: of reports, and of years of weekly reports.

    Of reports: in the week of the year with the most. First by the exact 95 % bound, then by the
    evidence that the report goes by.
    """
    number = np.random.default_rng(SEED)
    rules = [fewest(bound_above), fewest(shown_broken)]
    header = "error", "audits a week", "a report", "a year since one day", "a year, last 4 weeks"
    rows: Rows = [header]
    for error in (0.005, 0.01):
        for weekly in (5, 20, 50, 200):
            wrong = number.binomial(weekly, error, (SERIES, YEAR)).cumsum(1)
            total = weekly * np.arange(1, YEAR + 1)
            recent = wrong.copy()
            recent[:, MONTH:] -= wrong[:, :-MONTH]
            recent_total = np.minimum(total, weekly * MONTH)
            cells = [
                [(wrong >= rule[total]).mean(0).max() for rule in rules],
                [(wrong >= rule[total]).any(1).mean() for rule in rules],
                [(recent >= rule[recent_total]).any(1).mean() for rule in rules],
            ]
            shown = [" / ".join(map(percent, pair)) for pair in cells]
            rows.append((percent(error), str(weekly), *shown))
    return rows


def audits_needed() -> Rows:
    """Audits until the report says broken, or kept: the median, and in 9 of 10 cases."""
    number = np.random.default_rng(SEED)
    broken, above = fewest(shown_broken), fewest(not_kept)
    rows: Rows = [("error", "the report says", "median", "9 of 10")]
    for error in (0.0, 0.001, 0.002, 0.003, 0.005, 0.02, 0.03, 0.05, 0.1):
        wrong = number.random((PATHS, MOST_AUDITS), dtype=np.float32) < error
        seen = wrong.cumsum(1, dtype=np.int32)
        said = seen >= broken[1:] if error > RISK else seen < above[1:]
        first = np.where(said.any(1), said.argmax(1) + 1, MOST_AUDITS)
        half, most = (f"{np.quantile(first, part):,.0f}" for part in (0.5, 0.9))
        rows.append((percent(error), "broken" if error > RISK else "kept", half, most))
    return rows


def audits(
    number: np.random.Generator, error: float, share: float, done: float, uploads: int
) -> Iterator[Sample]:
    """Yield the audits of so many accepted uploads; a part of them is done."""
    due = number.binomial(uploads, share)
    position = number.random(due) * share
    label = np.where(number.random(due) < error, "motorcycle", "bicycle")
    label[number.random(due) >= done] = ""
    for place, word in zip(position.tolist(), label.tolist(), strict=True):
        yield Sample(
            "", place, "accepted", "bicycle", 0.99, word, "model", 0.9, 1.0, share, MIDNIGHT
        )


def coverage() -> Rows:
    """How often the true error is in the 95 % interval, and below the upper bound."""
    number = np.random.default_rng(SEED)
    rows: Rows = [("audits of 20,000 accepted", "true error", "mean estimate", "interval", "bound")]
    half = UPLOADS // 2
    for name, periods in {
        "2 %": [(0.01, 0.02, 1.0, UPLOADS)],
        "2 %, half of them done": [(0.01, 0.02, 0.5, UPLOADS)],
        "5 %": [(0.003, 0.05, 1.0, UPLOADS)],
        "5 %, then 2 % while the error grows": [(0.003, 0.05, 1.0, half), (0.02, 0.02, 1.0, half)],
    }.items():
        truth = sum(error * uploads for error, _, _, uploads in periods) / UPLOADS
        found = []
        for _ in range(POPULATIONS):
            window = Window()
            for error, share, done, uploads in periods:
                for sample in audits(number, error, share, done, uploads):
                    window.add(sample)
            found.append(estimate(window, "accepted"))
        inside = float(np.mean([low <= truth <= high for low, high in (e.interval for e in found)]))
        below = float(np.mean([truth <= e.upper for e in found]))
        mean = np.mean([e.error for e in found])
        rows.append((name, f"{truth:.2%}", f"{mean:.2%}", percent(inside), percent(below)))
    return rows


# Models by the distribution of 1 - confidence and how often they err for it.
MODELS = {
    "calibrated": (0.3, 6.0, 1.0),
    "overconfident, twice the errors": (0.3, 6.0, 2.0),
    "unsure": (0.6, 6.0, 1.0),
}


def advice() -> Rows:
    """How often the advised threshold breaks the promise, and what it accepts of what it could.

    Mean of all samples; without a threshold nothing is accepted. At best: if the error were known.
    """
    number = np.random.default_rng(SEED)
    rows: Rows = [("model", "labels", "a threshold", "breaks the promise", "accepts", "at best")]
    for name, (a, b, factor) in MODELS.items():
        many = np.sort(number.beta(a, b, 200_000))
        error = np.minimum(1, factor * many).cumsum() / np.arange(1, len(many) + 1)
        best = np.searchsorted(error, RISK) / len(many)
        for labels in (600, 1_500, 5_000):
            found, broken, accepts = 0, 0, 0.0
            for _ in range(SAMPLES):
                doubt = np.sort(number.beta(a, b, labels))
                no, yes = np.zeros(labels, bool), np.ones(labels, bool)
                wrong = number.random(labels) < np.minimum(1, factor * doubt)
                given = Candidates(1 - doubt, no, np.zeros(labels), yes, wrong, 1.0)
                threshold = find(given, labels).threshold
                if threshold is not None:
                    taken = int(np.searchsorted(many, 1 - threshold, side="right"))
                    found, accepts = found + 1, accepts + taken / len(many)
                    broken += error[taken - 1] > RISK
            rows.append(
                (
                    *(name, f"{labels:,}", f"{found / SAMPLES:.0%}", f"{broken / SAMPLES:.0%}"),
                    *(f"{accepts / SAMPLES:.0%}", f"{best:.0%}"),
                )
            )
    return rows


def shares() -> Rows:
    """Audits in 30 days of the default AuditShare, and the share that gives 299 in that time."""
    needed = more_until_kept(0, 0)
    header = "uploads a day", "audits in 30 days at 2 %", "AuditShare for 299", "of these a day"
    rows: Rows = [header]
    for uploads in (20, 100, 500, 1_000, 5_000, 20_000):
        accepted = uploads * ACCEPTED
        share = needed / (30 * accepted)
        enough = f"{100 * share:.2g}" if share < 1 else "100"
        rows.append(
            (
                f"{uploads:,}",
                f"{0.02 * 30 * accepted:,.0f}",
                enough,
                f"{min(1.0, share) * accepted:,.0f}",
            )
        )
    return rows


if __name__ == "__main__":
    sys.exit(main())
