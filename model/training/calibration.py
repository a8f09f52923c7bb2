"""Temperature scaling, and two confidence thresholds with a statistical guarantee.

All are chosen on out-of-fold predictions: of pictures that the predicting network had not seen.
"""

from collections.abc import Callable

import numpy as np
from scipy.optimize import minimize_scalar

from model.training.figures import Bools, Floats, Ints, softmax, upper_bound

RISK = 0.01  # of the pictures accepted without a person, at most 1 % may be wrong ...
NONE_RISK = 0.01  # of the pictures of named classes, at most 1 % may be called none of them ...
LEVEL = 0.95  # ... with this confidence; with no error at all that takes 299 accepted pictures
FIRST_COVERAGE, STEP = 0.5, 0.005  # where the sequence of tests begins, and how it goes on


class NoThreshold(Exception):
    """No threshold keeps the limit on these pictures; the message says what was reached."""


def fit_temperature(logits: Floats, truth: Ints) -> float:
    """Return the divisor of raw outputs (n, classes) that fits the true classes best.

    It minimises the negative log-likelihood (Guo et al. 2017, "On Calibration").
    """

    def negative_log_likelihood(log_t: float) -> float:
        likelihood = softmax(logits, float(np.exp(log_t)))[np.arange(len(truth)), truth]
        return float(-np.log(np.maximum(likelihood, 1e-12)).mean())

    found = minimize_scalar(
        negative_log_likelihood, bounds=(np.log(0.1), np.log(10)), method="bounded"
    )
    return float(np.exp(found.x))


def find_threshold(
    confidence: Floats, right: Bools, risk: float = RISK, level: float = LEVEL
) -> float:
    """Return the lowest confidence that keeps the error among accepted pictures below `risk`.

    confidence, right: of the pictures that could be accepted, those not called `other`.
    Tests "the error is above risk" for growing shares of pictures, half of them first, in
    steps of half a percent, and stops where the exact binomial bound first fails. As the
    sequence is fixed beforehand and broken at the first failure, all its tests together
    keep `level` (fixed-sequence testing: Angelopoulos et al. 2021, "Learn then Test").
    Raises NoThreshold if already the first test fails.
    """
    if not len(confidence):
        raise NoThreshold("no picture was given a named class; check the labels")

    def errors_of(taken: Bools) -> tuple[int, int, str]:
        errors, total = int((taken & ~right).sum()), int(taken.sum())
        said = f"{errors} of the {total} surest out-of-fold pictures are wrong, so the error"
        return errors, total, said

    return _lowest(confidence, errors_of, risk, level)


def find_none_threshold(
    confidence: Floats, named: Bools, total: int, risk: float = NONE_RISK, level: float = LEVEL
) -> float:
    """Return the lowest confidence in `other` at which few pictures of named classes are lost.

    confidence, named: of the pictures called `other`, with whether they are of a named class.
    total: pictures of named classes. The tests are those of `find_threshold`, of "the share of the
    named classes' pictures that are called none of them is above risk": a share that does not
    depend on how many strangers there are. Where strangers are as frequent as the named classes'
    pictures, it is also the share of wrong ones among what is called none, to within a tenth.
    Raises NoThreshold if already the first test fails.
    """
    if not len(confidence):
        raise NoThreshold("no picture was given the class `other`; check the labels")

    def lost_of(taken: Bools) -> tuple[int, int, str]:
        lost = int((named & taken).sum())
        said = f"{lost} of {total} pictures of named classes are among the surest strangers, so"
        return lost, total, said

    return _lowest(confidence, lost_of, risk, level)


def _lowest(
    confidence: Floats,
    errors_of: Callable[[Bools], tuple[int, int, str]],
    risk: float,
    level: float,
) -> float:
    """Return the lowest confidence of a fixed sequence of tests; see find_threshold.

    errors_of: how many of the pictures that are taken are errors, of how many, and how a sentence
    about them begins. Raises NoThreshold, with that sentence, if already the first test fails.
    """
    ordered = np.sort(confidence)[::-1]
    best = None
    for coverage in np.append(np.arange(FIRST_COVERAGE, 1, STEP), 1.0):
        candidate = float(ordered[max(1, int(coverage * len(ordered))) - 1])
        errors, total, said = errors_of(confidence >= candidate)
        bound = upper_bound(errors, total, level)
        if bound > risk:
            if best is None:
                raise NoThreshold(
                    f"{said} may be {bound:.2%}; the limit is {risk:.2%} with {level:.0%}"
                    " confidence. Add pictures or correct labels"
                )
            break
        best = candidate
    assert best is not None
    return best


def choose_none_threshold(confidence: Floats, named: Bools, total: int) -> tuple[float | None, str]:
    """Return (threshold, what it promises); without a promise there is no threshold."""
    try:
        return find_none_threshold(confidence, named, total), (
            f"at most {NONE_RISK:.0%} of the pictures of named classes are called none of them,"
            f" with {LEVEL:.0%} confidence"
        )
    except NoThreshold as error:
        return None, f"no promise: {error}"


def choose_threshold(confidence: Floats, right: Bools) -> tuple[float, str]:
    """Return (threshold, what it promises); too few pictures for a promise give the best guess."""
    try:
        return find_threshold(confidence, right), (
            f"at most {RISK:.0%} of the accepted are wrong, with {LEVEL:.0%} confidence"
        )
    except NoThreshold as error:
        wrong = confidence[~right]
        guess = min(0.999, float(np.nextafter(wrong.max(), 1))) if len(wrong) else 0.9
        return guess, f"no promise: {error}"
