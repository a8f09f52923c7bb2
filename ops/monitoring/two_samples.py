"""Two samples as counts of the same bins: is the one like the other, and how far from it?"""

import math

import numpy as np
from numpy.typing import NDArray
from scipy.stats import fisher_exact, ks_2samp, kstwo

EXACT_UP_TO = 100, 5_000  # of the second sample, of the first; beyond, p is within a tenth
MINIMUM_BIN = 0.05  # of the first sample in a bin of the index, as is custom

Counts = NDArray[np.float64]


def psi(was: Counts, now: Counts) -> float:
    """Return the population stability index of two histograms, less what chance gives.

    Half a count more in each bin; bins that are empty in both are left out. Chance gives the
    variance of the two shares' difference over the share, summed over the bins. nan where one of
    the two is empty.
    """
    used = (was + now) > 0
    if not was.sum() or not now.sum():
        return math.nan
    a, b = was[used] + 0.5, now[used] + 0.5
    a, b = a / a.sum(), b / b.sum()
    share = (was + now)[used] / (was + now).sum()
    variance = share * (1 - share) * (1 / was.sum() + 1 / now.sum())
    chance = (variance / np.maximum(share, 0.5 / now.sum())).sum()
    return max(0.0, float(((b - a) * np.log(b / a)).sum() - chance))


def joined(was: Counts, now: Counts) -> tuple[Counts, Counts]:
    """Join neighbouring bins for the index, until of each one inference or more is expected.

    A bin holds a twentieth of the baseline at least.
    """
    if not was.sum() or not now.sum():
        return was, now
    part = max(MINIMUM_BIN, 1 / now.sum()) * was.sum()
    pairs: list[Counts] = []
    waiting = np.zeros(2)
    for pair in np.stack([was, now], axis=1):
        waiting = waiting + pair
        if waiting[0] > 0.999 * part:
            pairs.append(waiting)
            waiting = np.zeros(2)
    pairs[-1:] = [sum(pairs[-1:], waiting)]
    before, after = np.array(pairs).T
    return before, after


def distance(was: Counts, now: Counts) -> float:
    """Return the greatest distance of two cumulative shares: so many at least lie elsewhere."""
    if not was.sum() or not now.sum():
        return 0.0
    return float(np.abs(np.cumsum(was) / was.sum() - np.cumsum(now) / now.sum()).max())


def relabelled(was: Counts, now: Counts) -> float:
    """Return the share that has another label, at least."""
    if not was.sum() or not now.sum():
        return 0.0
    return float(np.abs(was / was.sum() - now / now.sum()).sum() / 2)


def kolmogorov_smirnov(was: Counts, now: Counts) -> float:
    """Return p of the two-sample test on two histograms of the same bins.

    The greatest distance is looked for at the bins' edges alone, so p is no smaller than it would
    be from the values: the test is conservative.
    """
    if not was.sum() or not now.sum():
        return 1.0
    if now.sum() <= EXACT_UP_TO[0] and was.sum() <= EXACT_UP_TO[1]:
        bins = np.arange(len(was))
        values = [np.repeat(bins, _whole(counts)) for counts in (was, now)]
        return float(ks_2samp(*values, method="exact").pvalue)
    size = was.sum() * now.sum() / (was.sum() + now.sum())
    return float(kstwo.sf(distance(was, now), round(size)))


def _whole(counts: Counts) -> NDArray[np.int64]:
    """Return whole numbers with the same sum: a bin that lay on an edge had been split."""
    return np.diff(np.concatenate([[0], np.cumsum(counts).round()])).astype(np.int64)


def any_share(was: Counts, now: Counts) -> float:
    """Return p of all labels being as frequent as before: each label tested against the rest.

    The chi-squared test, which is usual here, finds drift several times too often where labels are
    rare and the limit is as low as that of a report of many windows.
    """
    used = np.flatnonzero((was + now) > 0)
    found = [
        exact(np.array([was[i], was.sum() - was[i]]), np.array([now[i], now.sum() - now[i]]))
        for i in used
    ]
    return min(1.0, len(found) * min(found, default=1.0))


def exact(was: Counts, now: Counts) -> float:
    """Return p of Fisher's exact test on two counts of two kinds."""
    if not was.sum() or not now.sum():
        return 1.0
    return float(fisher_exact(np.array([was, now]).round().astype(np.int64)).pvalue)
