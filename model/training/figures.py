"""Accuracy, calibration and selection of a classifier. NumPy in, floats out.

Throughout: `probabilities` is (n, classes), `truth` is (n,) class indices, `confidence` is (n,)
the highest probability of each row, `right` is (n,) whether that class is the true one. Named
classes are all but `other`; pictures labelled `other` are out of distribution.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from model.training.pictures import OTHER
from model.training.rounding import rounded_up

Floats = NDArray[np.floating]
Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]

BINS = 15  # equal-width confidence bins, as in Guo et al. 2017


def softmax(logits: Floats, temperature: float = 1) -> Floats:
    """Return the probabilities of raw outputs (n, classes) divided by a temperature."""
    scaled = (logits - logits.max(1, keepdims=True)) / temperature
    powers: Floats = np.exp(scaled)
    probabilities: Floats = powers / powers.sum(1, keepdims=True)
    return probabilities


def interval(hits: int, total: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact (Clopper-Pearson) interval of a share; (0, 1) if nothing was seen."""
    tail = (1 - level) / 2
    low = stats.beta.ppf(tail, hits, total - hits + 1) if hits else 0.0
    high = stats.beta.ppf(1 - tail, hits + 1, total - hits) if hits < total else 1.0
    return float(low), float(high)


def upper_bound(errors: int, total: int, level: float = 0.95) -> float:
    """Return what the true error share exceeds with probability 1 - level at most (exact)."""
    if errors >= total:
        return 1.0
    return float(stats.beta.ppf(level, errors + 1, total - errors))


def auroc(positive: Floats, negative: Floats) -> float:
    """Return the area under the ROC curve, ties counting half; nan if one side is empty."""
    if not len(positive) or not len(negative):
        return float("nan")
    ranks = stats.rankdata(np.concatenate([positive, negative]))
    above = ranks[: len(positive)].sum() - len(positive) * (len(positive) + 1) / 2
    return float(above / (len(positive) * len(negative)))


def ece(confidence: Floats, right: Bools, bins: int = BINS) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy by bin."""
    if not len(confidence):
        return float("nan")
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gap = np.zeros(bins)
    np.add.at(gap, place, confidence - right)
    return float(np.abs(gap).sum() / len(confidence))


def ece_interval(
    confidence: Floats, right: Bools, rounds: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Return the 95 % percentile bootstrap interval of the expected calibration error."""
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(confidence), size=(rounds, len(confidence)))
    low, high = np.percentile([ece(confidence[d], right[d]) for d in draws], [2.5, 97.5])
    return float(low), float(high)


def confusion(truth: Ints, guess: Ints, classes: int) -> Ints:
    """Return (classes, classes) counts: row the true class, column the predicted one."""
    table = np.zeros((classes, classes), np.int64)
    np.add.at(table, (truth, guess), 1)
    return table


def risk_coverage(confidence: Floats, right: Bools) -> tuple[Floats, Floats, Floats]:
    """Return (thresholds, coverage, risk): the share accepted at each threshold, and its error."""
    order = np.argsort(-confidence, kind="stable")
    accepted = np.arange(1, len(order) + 1)
    return confidence[order], accepted / len(order), np.cumsum(~right[order]) / accepted


def share(hits: int, total: int) -> dict[str, float]:
    """Return a share with its exact 95 % interval as the card stores it; nan of nothing."""
    low, high = interval(hits, total)
    return {
        "value": hits / total if total else float("nan"),
        "low": low,
        "high": high,
        "hits": hits,
        "of": total,
    }


def accepted(probabilities: Floats, labels: Sequence[str], threshold: float) -> Bools:
    """Return (n,) whether the workflow accepts: a named class, at the threshold or above.

    The same rule as `decide` in functions/filter; tests/test_decision_rule.py holds them equal.
    """
    named = np.array(labels)[probabilities.argmax(1)] != OTHER
    taken: Bools = named & (probabilities.max(1) >= threshold)
    return taken


def called_none(probabilities: Floats, labels: Sequence[str], threshold: float | None) -> Bools:
    """Return (n,) whether a picture is surely of no named class: `other`, at the threshold.

    threshold: None if there is none; then no picture is.
    """
    if threshold is None or OTHER not in labels:
        return np.zeros(len(probabilities), bool)
    surely: Bools = ~accepted(probabilities, labels, 0) & (probabilities.max(1) >= threshold)
    return surely


def counted(
    probabilities: Floats,
    truth: Ints,
    labels: Sequence[str],
    threshold: float,
    none_threshold: float | None,
) -> dict[str, tuple[Bools, Bools]]:
    """Return for each share of `measure` two (n,): which pictures it counts, and among which."""
    right, other = probabilities.argmax(1) == truth, np.array(labels)[truth] == OTHER
    taken = accepted(probabilities, labels, threshold)
    none = called_none(probabilities, labels, none_threshold)
    return {
        "accuracy": (right & ~other, ~other),
        "accepted": (taken & ~other, ~other),
        "right_of_accepted": (taken & right & ~other, taken & ~other),
        "false_acceptance_rate": (taken & other, other),
        "none": (none & other, other),
        "lost": (none & ~other, ~other),
    }


def weighted(
    probabilities: Floats,
    truth: Ints,
    labels: Sequence[str],
    threshold: float,
    weights: Floats,
    none_threshold: float | None = None,
) -> dict[str, float]:
    """Return the shares of `measure` with every picture counted as often as it stands for others.

    weights: (n,), 0 or more. It is the estimate of Hajek (1971): of what the pictures were drawn
    from, if the weights are the inverse of the chances. nan where nothing has a weight.
    """
    shares = counted(probabilities, truth, labels, threshold, none_threshold)
    totals = {name: float(weights[of].sum()) for name, (_, of) in shares.items()}
    return {
        name: float(weights[hits].sum()) / totals[name] if totals[name] else float("nan")
        for name, (hits, _) in shares.items()
    }


def measure(
    probabilities: Floats,
    truth: Ints,
    labels: Sequence[str],
    threshold: float,
    none_threshold: float | None = None,
) -> dict[str, Any]:
    """Return every figure of the card for labelled pictures, by name.

    accuracy, accepted, right_of_accepted: of pictures of named classes. false_acceptance_rate: of
    pictures labelled `other`, those accepted as a named class. none: of these, those surely of
    no named class; lost: of pictures of named classes, those that are called so too. auroc: one
    class against the rest, mean over the named classes. auroc_out_of_distribution: named classes
    against `other`, by the highest probability of a named class. ece: expected calibration error,
    of all pictures.
    """
    guess, confidence = probabilities.argmax(1), probabilities.max(1)
    other = np.array(labels)[truth] == OTHER
    named, right = ~other, guess == truth
    shares = {
        name: share(int(hits.sum()), int(of.sum()))
        for name, (hits, of) in counted(
            probabilities, truth, labels, threshold, none_threshold
        ).items()
    }
    columns = [c for c, label in enumerate(labels) if label != OTHER and (truth == c).any()]
    areas = [auroc(probabilities[truth == c, c], probabilities[truth != c, c]) for c in columns]
    surest = probabilities[:, [c for c, label in enumerate(labels) if label != OTHER]].max(1)
    low, high = ece_interval(confidence, right)
    return {
        "pictures": len(truth),
        "threshold": threshold,
        "none_threshold": none_threshold,
        **shares,
        "auroc": float(np.mean(areas)) if areas else float("nan"),
        "auroc_out_of_distribution": auroc(surest[named], surest[other]),
        "ece": {"value": ece(confidence, right), "low": low, "high": high},
        "ece_named": ece(confidence[named], right[named]),
        "confusion": confusion(truth, guess, len(labels)).tolist(),
    }


def table(
    measured: dict[str, Any], labels: Sequence[str], weighted: Mapping[str, float] | None = None
) -> str:
    """Return the figures as lines for a terminal, ending with the confusion matrix.

    weighted: the same shares by weight, to stand beside them.
    """

    def line(name: str, which: str) -> str:
        entry = measured[which]
        if not entry["of"]:
            return f"{name:<34}   none"
        beside = f"   weighted {weighted[which]:.3f}" if weighted else ""
        return (
            f"{name:<34} {entry['value']:6.3f}   95 % interval {entry['low']:.3f}-"
            f"{entry['high']:.3f}   {entry['hits']} of {entry['of']}{beside}"
        )

    spread = measured["ece"]
    width = max(len(label) for label in labels) + 2
    rows = [
        f"{label:>{width}}" + "".join(f"{count:>{width}}" for count in counts)
        for label, counts in zip(labels, measured["confusion"], strict=True)
    ]
    return "\n".join(
        [
            line("accuracy, named classes", "accuracy"),
            line(f"accepted at {rounded_up(measured['threshold'])}", "accepted"),
            line("right among these", "right_of_accepted"),
            line("false acceptance rate, other", "false_acceptance_rate"),
            line("other surely none", "none"),
            line("named classes called none", "lost"),
            f"{'AUROC, one class against the rest':<34} {measured['auroc']:6.3f}",
            f"{'AUROC, named classes against other':<34}"
            f" {measured['auroc_out_of_distribution']:6.3f}",
            f"{'calibration error (ECE)':<34} {spread['value']:6.3f}   95 % interval"
            f" {spread['low']:.3f}-{spread['high']:.3f}",
            "",
            "confusion: true class by row, predicted by column",
            " " * width + "".join(f"{label:>{width}}" for label in labels),
            *rows,
        ]
    )
