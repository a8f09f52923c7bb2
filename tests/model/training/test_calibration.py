"""Temperature and threshold: they recover what a simulation put in, and keep the promise."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="calibration needs the extra `train`")

from model.training.calibration import (
    NONE_RISK,
    RISK,
    NoThreshold,
    choose_none_threshold,
    find_none_threshold,
    find_threshold,
    fit_temperature,
)
from model.training.figures import Bools, Floats, Ints, ece, softmax


def honest_logits(rng: np.random.Generator, count: int) -> tuple[Floats, Ints]:
    """Return raw outputs whose softmax is the true probability of each class, and drawn truths."""
    logits = rng.normal(0, 2, (count, 3))
    probabilities = softmax(logits)
    truth = (rng.random((count, 1)) > probabilities.cumsum(1)).sum(1)
    return logits, truth


@pytest.mark.parametrize("factor", [0.5, 1.0, 3.0], ids=["unsure", "honest", "overconfident"])
def test_the_temperature_undoes_a_factor_of_the_raw_outputs(factor: float) -> None:
    logits, truth = honest_logits(np.random.default_rng(1), 20_000)
    found = fit_temperature(logits * factor, truth)
    assert found == pytest.approx(factor, rel=0.05)
    probabilities = softmax(logits * factor, found)
    assert ece(probabilities.max(1), probabilities.argmax(1) == truth) < 0.01


def test_the_true_error_exceeds_the_limit_in_at_most_one_of_twenty_samples() -> None:
    rng = np.random.default_rng(2)
    broken, rounds = 0, 300
    for _ in range(rounds):
        # The probability of being wrong falls linearly with the confidence, to nothing at 1.
        confidence = rng.random(1500)
        limit = threshold_or_one(confidence, rng.random(1500) > 0.06 * (1 - confidence))
        # Uniform confidences at or above t are wrong with 0.03 (1 - t) on average.
        broken += 0.03 * (1 - limit) > RISK
    assert broken / rounds <= 0.05 + 2 * (0.05 * 0.95 / rounds) ** 0.5


def threshold_or_one(confidence: Floats, right: Bools) -> float:
    try:
        return find_threshold(confidence, right)
    except NoThreshold:
        return 1.0


def test_more_vehicles_are_lost_than_the_limit_in_at_most_one_of_twenty_samples() -> None:
    rng = np.random.default_rng(4)
    broken, rounds, total = 0, 300, 1000
    for _ in range(rounds):
        # One of 25 vehicles is called `other`, at any confidence alike; strangers at a high one.
        lost = rng.random(rng.binomial(total, 0.04))
        confidence = np.concatenate([lost, rng.random(3000) ** 0.3])
        named = np.arange(len(confidence)) < len(lost)
        try:
            limit = find_none_threshold(confidence, named, total)
        except NoThreshold:
            continue
        broken += 0.04 * (1 - limit) > NONE_RISK
    assert broken / rounds <= 0.05 + 2 * (0.05 * 0.95 / rounds) ** 0.5


def test_a_loss_that_is_too_frequent_leaves_no_threshold() -> None:
    confidence, named = np.linspace(0.4, 1, 200), np.arange(200) % 2 == 0
    limit, promise = choose_none_threshold(confidence, named, 500)
    assert limit is None
    assert promise.startswith("no promise: 50 of 500 pictures of named classes")


def test_without_errors_everything_is_accepted() -> None:
    confidence = np.random.default_rng(3).random(1000)
    assert find_threshold(confidence, np.ones(1000, bool)) == confidence.min()


def test_too_few_pictures_prove_nothing_and_the_message_says_how_far_it_got() -> None:
    with pytest.raises(NoThreshold, match=r"0 of the 50 surest .* the limit is 1\.00%"):
        find_threshold(np.linspace(0.5, 1, 100), np.ones(100, bool))


def test_no_prediction_of_a_named_class_is_an_error() -> None:
    with pytest.raises(NoThreshold, match="no picture was given a named class"):
        find_threshold(np.array([]), np.array([], bool))
