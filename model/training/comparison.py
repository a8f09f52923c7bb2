"""Two models on the same pictures: what each makes of them, who changed, and whether one is better.

Throughout, arrays are (n,), one entry a picture. A picture is decided rightly by software if it is
accepted as its class, or called `none` and of none of the classes; what goes to a person is not
decided by software.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from model.training.figures import (
    Bools,
    Floats,
    Ints,
    accepted,
    called_none,
    share,
    upper_bound,
)
from model.training.pictures import OTHER

SIGNIFICANCE = 0.05  # a difference that chance makes as large or larger this often is none
MOST = 100_000  # discordant pictures; a split that needs more is as good as even

Words = NDArray[np.str_]


@dataclass(frozen=True)
class Answers:
    """What a model answers to n pictures, and what the workflow decides by the model's thresholds.

    labels: the likeliest class. confidence: its probability. decisions: accepted, none or review.
    """

    labels: Words
    confidence: Floats
    decisions: Words

    @property
    def by_software(self) -> Bools:
        """Whether software decides, and no person is asked."""
        found: Bools = self.decisions != "review"
        return found


def answers(
    probabilities: Floats, labels: Sequence[str], threshold: float, none_threshold: float | None
) -> Answers:
    """Return the answers of probabilities (n, classes), by the thresholds of the model's card."""
    decisions = np.full(len(probabilities), "review", dtype="<U8")
    decisions[accepted(probabilities, labels, threshold)] = "accepted"
    decisions[called_none(probabilities, labels, none_threshold)] = "none"
    guessed = np.array(labels)[probabilities.argmax(1)]
    return Answers(guessed, probabilities.max(1), decisions)


def figures(found: Answers, truth: Words) -> dict[str, Any]:
    """Return the figures of a model on labelled pictures, each share with its exact intervals.

    accuracy: the right ones of named classes. accepted: of all. right_of_accepted: of these, a
    picture of no class among them is a wrong one; at_least: its one-sided bound, 95 % confidence.
    none: of the pictures of no class. lost: pictures of named classes that are called none of them;
    at_most: its one-sided bound.
    """
    right, other = found.labels == truth, truth == OTHER
    taken, none = found.decisions == "accepted", found.decisions == "none"
    count = {
        "accuracy": (right & ~other, ~other),
        "accepted": (taken, np.ones_like(taken)),
        "right_of_accepted": (taken & right, taken),
        "none": (none & other, other),
        "lost": (none & ~other, ~other),
    }
    shares = {name: share(int(hits.sum()), int(of.sum())) for name, (hits, of) in count.items()}
    kept, lost = shares["right_of_accepted"], shares["lost"]
    kept["at_least"] = 1 - upper_bound(int(kept["of"] - kept["hits"]), int(kept["of"]))
    lost["at_most"] = upper_bound(int(lost["hits"]), int(lost["of"]))
    return shares


def shares_of_decisions(found: Answers) -> dict[str, Any]:
    """Return the share of each decision, for pictures without labels."""
    return {
        name: share(int((found.decisions == name).sum()), len(found.decisions))
        for name in ("accepted", "none", "review")
    }


def broken(card: Mapping[str, Any], measured: Mapping[str, Any]) -> list[str]:
    """Return the promises of a card that figures show to be broken, each as a sentence.

    A promise is broken if the exact one-sided bound of the error is above the risk that it allows,
    at the card's confidence level. A card whose threshold came without a promise breaks none.
    """
    kept, lost = measured["right_of_accepted"], measured["lost"]
    errors = {
        "threshold": (kept["of"] - kept["hits"], kept["of"], "accepted pictures are wrong"),
        "none": (lost["hits"], lost["of"], "pictures of named classes are called none"),
    }
    found = []
    for name, (wrong, total, words) in errors.items():
        promise = card.get(name) or {}
        # A threshold without a promise says so in its words, and one for `none` is left out.
        if promise.get("value") is None or "risk" not in promise:
            continue
        if str(promise.get("promise", "")).startswith("no promise"):
            continue
        level = promise.get("level", 0.95)
        least = 1 - upper_bound(total - wrong, total, level)
        if total and least > promise["risk"]:
            found.append(
                f"{wrong} of {total} {words}: at least {least:.2%} with {level:.0%} confidence,"
                f" and its card promises at most {promise['risk']:.2%}"
            )
    return found


@dataclass(frozen=True)
class Paired:
    """A question that each model answers rightly or not, on the same pictures.

    worse, better: pictures that only the old, only the new model answers rightly. p: two-sided.
    more: how many more such pictures show a difference, if they fall as these do; None if even.
    """

    worse: int
    better: int
    p: float
    more: int | None

    @property
    def shown(self) -> str:
        """Return better, worse, or nothing where chance explains the difference."""
        if self.p >= SIGNIFICANCE:
            return ""
        return "better" if self.better > self.worse else "worse"


def paired(old: Bools, new: Bools) -> Paired:
    """Compare with McNemar's exact test (McNemar 1947, Psychometrika 12:153-157).

    old, new: whether each model is right. If the models are equally good, each picture on which
    only one is right is a toss of a coin: the two-sided binomial test of these with one half.
    """
    worse, better = int((old & ~new).sum()), int((new & ~old).sum())
    return Paired(worse, better, _p(better, worse), _more(better, worse))


def _p(better: int, worse: int) -> float:
    total = better + worse
    return float(stats.binomtest(better, total).pvalue) if total else 1.0


def _more(better: int, worse: int) -> int | None:
    """Return how many more discordant pictures are needed at this split, 0 if these are enough."""
    total, most = better + worse, max(better, worse)
    if 2 * most == total:  # even, or none at all
        return None
    totals: Ints = np.arange(total, MOST + 1)
    ahead = totals * most // total  # rounded down: the split is not better than what was seen
    # Twice one tail is the exact two-sided test, since the distribution is symmetrical.
    enough = np.flatnonzero(2 * stats.binom.sf(ahead - 1, totals, 0.5) < SIGNIFICANCE)
    return int(enough[0]) if len(enough) else None


@dataclass(frozen=True)
class Comparison:
    """An old and a new model on the same pictures; truth is None without labels."""

    names: tuple[str, ...]
    truth: Words | None
    old: Answers
    new: Answers

    def right(self, found: Answers) -> Bools:
        """Return whether each guess of one of the models is the true class."""
        return np.asarray(found.labels == self.truth)

    def questions(self) -> dict[str, Paired]:
        """Return the tests, by what is asked; none without labels."""
        if self.truth is None:
            return {}
        old, new = self.right(self.old), self.right(self.new)
        return {
            "right": paired(old, new),
            "decided rightly by software": paired(
                old & self.old.by_software, new & self.new.by_software
            ),
        }

    def agreement(self) -> dict[str, dict[str, float]]:
        """Return the shares of pictures with the same class and with the same decision."""
        total = len(self.names)
        return {
            "same_class": share(int((self.old.labels == self.new.labels).sum()), total),
            "same_decision": share(int((self.old.decisions == self.new.decisions).sum()), total),
        }

    def changed(self) -> Ints:
        """Return the indices of pictures of another class or decision, the gravest first.

        First what the new model alone decides wrongly, then what only the old one knew, then what
        only the old one decided. Without labels: first other classes that software acts on.
        """
        old, new = self.old, self.new
        moved = (old.labels != new.labels) | (old.decisions != new.decisions)
        if self.truth is None:
            other_class = old.labels != new.labels
            ranks = [other_class & new.by_software, other_class]
        else:
            was, now = self.right(old), self.right(new)
            ranks = [
                new.by_software & ~now & ~(old.by_software & ~was),
                was & ~now,
                old.by_software & was & ~new.by_software,
            ]
        # The last key of lexsort counts first.
        order = np.lexsort([-new.confidence, *(~rank for rank in reversed(ranks))])
        return np.asarray(order[moved[order]], np.int64)

    def state(self, found: Answers, index: int) -> str:
        """Return what becomes of a picture by one of the models: its decision, and how right."""
        decision = str(found.decisions[index])
        if self.truth is None:
            return f"{decision} {found.labels[index]}"
        return f"{decision} {'right' if found.labels[index] == self.truth[index] else 'wrong'}"

    def kinds(self) -> dict[tuple[str, str], int]:
        """Return how many of the changed pictures went from which state to which, most first."""
        counted = Counter(
            (self.state(self.old, index), self.state(self.new, index)) for index in self.changed()
        )
        return dict(sorted(counted.items(), key=lambda kind: (-kind[1], kind[0])))


def verdict(questions: Mapping[str, Paired], breaks: Sequence[str]) -> tuple[bool, list[str]]:
    """Return whether to stay with the old model, and why, in sentences.

    breaks: promises that the new model breaks. Each question can call an equally good model worse
    in 2.5 % of comparisons, so both together in 5 % at most.
    """
    ways = {
        way: [name for name, test in questions.items() if test.shown == way]
        for way in ("better", "worse")
    }
    said = [
        f"NEW is shown to be {way}: {' and '.join(names)}." for way, names in ways.items() if names
    ]
    if not said:
        said = [f"No winner: p below {SIGNIFICANCE} is needed."]
    said += [f"NEW breaks its promise: {sentence}." for sentence in breaks]
    return bool(ways["worse"] or breaks), said


def least_discordant() -> int:
    """Return the fewest pictures on which one model alone is right that can show a difference."""
    return next(total for total in range(1, 100) if _p(total, 0) < SIGNIFICANCE)
