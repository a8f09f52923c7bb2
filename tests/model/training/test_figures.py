"""The figures, against values worked out by hand or published."""

import numpy as np
import pytest

pytest.importorskip("scipy", reason="figures need the extra `train`")

from model.training.figures import (
    accepted,
    auroc,
    confusion,
    ece,
    ece_interval,
    interval,
    measure,
    risk_coverage,
    softmax,
    upper_bound,
    weighted,
)
from model.training.rounding import rounded_up

LABELS = ("bicycle", "motorcycle", "other")


@pytest.mark.parametrize(
    ("hits", "total", "expected"),
    [
        pytest.param(0, 0, (0, 1), id="nothing seen"),
        pytest.param(0, 10, (0, 0.3085), id="none of ten"),
        pytest.param(10, 10, (0.6915, 1), id="all of ten"),
        pytest.param(81, 263, (0.2527, 0.3676), id="Brown, Cai and DasGupta's size"),
    ],
)
def test_the_interval_of_a_share_is_clopper_and_pearsons(
    hits: int, total: int, expected: tuple[float, float]
) -> None:
    assert interval(hits, total) == pytest.approx(expected, abs=2e-4)


def test_zero_errors_prove_one_percent_from_299_pictures_on() -> None:
    assert upper_bound(0, 298) > 0.01 >= upper_bound(0, 299)
    assert upper_bound(3, 3) == 1


@pytest.mark.parametrize(
    ("threshold", "text"), [(0.98340, "0.984"), (0.984, "0.984"), (0.9, "0.900"), (1.0, "1.000")]
)
def test_a_threshold_is_shown_in_three_digits_that_keep_its_promise(
    threshold: float, text: str
) -> None:
    assert rounded_up(threshold) == text


def test_auroc_counts_ties_half() -> None:
    assert auroc(np.array([0.9, 0.5]), np.array([0.5, 0.1])) == pytest.approx(3.5 / 4)
    assert np.isnan(auroc(np.array([]), np.array([0.5])))


def test_a_confidence_that_says_what_it_is_has_no_calibration_error() -> None:
    confidence = np.full(100, 0.8)
    right = np.arange(100) < 80
    assert ece(confidence, right) == pytest.approx(0, abs=1e-12)
    assert ece(confidence, right & False) == pytest.approx(0.8)
    low, high = ece_interval(confidence, right)
    assert 0 <= low < 0.05 < high < 0.15


def test_softmax_with_a_high_temperature_is_unsure_and_never_overflows() -> None:
    logits = np.array([[1000.0, 0.0, 0.0]])
    assert softmax(logits)[0, 0] == pytest.approx(1)
    assert softmax(logits, 1e6)[0] == pytest.approx([1 / 3] * 3, abs=1e-3)


def test_coverage_rises_and_risk_is_the_error_of_the_surest() -> None:
    thresholds, coverage, risk = risk_coverage(
        np.array([0.6, 0.9, 0.8]), np.array([False, True, True])
    )
    assert thresholds.tolist() == [0.9, 0.8, 0.6]
    assert coverage == pytest.approx([1 / 3, 2 / 3, 1])
    assert risk == pytest.approx([0, 0, 1 / 3])


def test_other_is_never_accepted_however_sure_and_the_threshold_itself_suffices() -> None:
    probabilities = np.array([[0.0, 0.01, 0.99], [0.9, 0.1, 0.0], [0.89, 0.11, 0.0]])
    assert accepted(probabilities, LABELS, 0.9).tolist() == [False, True, False]


def test_the_measure_of_a_handful_is_what_one_counts() -> None:
    probabilities = np.array(
        [
            [0.95, 0.04, 0.01],
            [0.2, 0.7, 0.1],
            [0.96, 0.02, 0.02],
            [0.1, 0.1, 0.8],
            [0.97, 0.02, 0.01],
        ]
    )
    truth = np.array([0, 1, 1, 2, 2])  # right, right but unsure, wrong and sure, right, other
    found = measure(probabilities, truth, LABELS, 0.9)
    assert (found["accuracy"]["hits"], found["accuracy"]["of"]) == (2, 3)
    assert (found["accepted"]["hits"], found["accepted"]["of"]) == (2, 3)
    assert (found["right_of_accepted"]["hits"], found["right_of_accepted"]["of"]) == (1, 2)
    assert (found["false_acceptance_rate"]["hits"], found["false_acceptance_rate"]["of"]) == (1, 2)
    assert found["confusion"] == [[1, 0, 0], [1, 1, 0], [1, 0, 1]]
    assert confusion(truth, probabilities.argmax(1), 3).sum() == 5


def test_weights_make_the_shares_those_of_what_the_pictures_were_drawn_from() -> None:
    probabilities = np.array(
        [[0.95, 0.05, 0], [0.95, 0.05, 0], [0.6, 0.4, 0], [0.1, 0.1, 0.8], [0.97, 0.03, 0]]
    )
    truth = np.array([0, 1, 0, 2, 2])  # right, wrong and sure, right but unsure, right, other
    found = weighted(probabilities, truth, LABELS, 0.9, np.array([50.0, 50, 1, 1, 0]), 0.7)
    assert found == {
        "accuracy": pytest.approx(51 / 101),
        "accepted": pytest.approx(100 / 101),
        "right_of_accepted": 0.5,
        "false_acceptance_rate": 0,  # the one that is accepted stands for none
        "none": 1,
        "lost": 0,
    }


def test_weights_of_one_give_the_shares_themselves_and_nothing_has_none() -> None:
    probabilities = np.array([[0.95, 0.05, 0], [0.2, 0.7, 0.1]])
    truth = np.array([0, 1])
    plain = measure(probabilities, truth, LABELS, 0.9)
    found = weighted(probabilities, truth, LABELS, 0.9, np.ones(2))
    for name in ("accuracy", "accepted", "right_of_accepted", "lost"):
        assert found[name] == plain[name]["value"]
    assert np.isnan(found["false_acceptance_rate"])
