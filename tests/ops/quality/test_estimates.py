"""The error among what was accepted: exact where it can be, honest about repeated looks."""

import math

import numpy as np
import pytest
from scipy import integrate, stats

from benchmarks.quality import PATHS, audits_needed, false_alarms, fewest, not_kept, shown_broken
from model.training import calibration, figures
from ops.quality.estimates import (
    BROKEN,
    EVIDENCE,
    KEPT,
    LEVEL,
    OPEN,
    PRIOR,
    RISK,
    Estimate,
    estimate,
    estimates_by,
    evidence,
    interval,
    lower_bound,
    more_until_kept,
    upper_bound,
)
from tests.ops.quality.samples import audited, sample, window_of


def test_the_promise_is_the_one_of_the_model_s_card() -> None:
    assert (RISK, LEVEL) == (calibration.RISK, calibration.LEVEL)


@pytest.mark.parametrize(("wrong", "total"), [(0, 1), (0, 299), (3, 240), (240, 240), (9, 100_000)])
def test_the_bounds_are_those_of_the_model_s_card(wrong: int, total: int) -> None:
    assert interval(wrong, total) == pytest.approx(figures.interval(wrong, total))
    assert upper_bound(wrong, total) == pytest.approx(figures.upper_bound(wrong, total))


def test_the_lower_bound_is_exact() -> None:
    low = lower_bound(7, 200)
    assert stats.binom.sf(6, 200, low) == pytest.approx(1 - LEVEL)
    assert lower_bound(0, 200) == 0


def test_nothing_audited_tells_nothing() -> None:
    assert interval(0, 0) == (0.0, 1.0)
    found = estimate(window_of(), "accepted")
    assert math.isnan(found.error)
    assert (found.verdict, found.evidence, found.more) == (OPEN, pytest.approx(1), 299)


@pytest.mark.parametrize(("wrong", "total"), [(0, 0), (0, 298), (0, 299), (1, 299), (5, 2_000)])
def test_so_many_more_audits_without_an_error_show_the_promise_kept_and_one_less_does_not(
    wrong: int, total: int
) -> None:
    more = more_until_kept(wrong, total)
    assert upper_bound(wrong, total + more) <= RISK
    assert more == 0 or upper_bound(wrong, total + more - 1) > RISK


@pytest.mark.parametrize(("wrong", "total"), [(0, 40), (2, 20), (10, 300), (60, 2_000)])
def test_the_evidence_is_the_mixed_likelihood_over_that_of_the_promise(
    wrong: int, total: int
) -> None:
    prior = stats.beta(*PRIOR)

    def integrand(error: float) -> float:
        ratio = wrong * np.log(error / RISK) + (total - wrong) * np.log((1 - error) / (1 - RISK))
        return float(np.exp(ratio) * prior.pdf(error))

    middle = max(RISK, wrong / max(total, 1))
    mixed = integrate.quad(integrand, RISK, 1, points=[min(0.9, middle), 0.1], limit=200)[0]
    assert evidence(wrong, total) == pytest.approx(mixed / prior.sf(RISK), rel=1e-6)


@pytest.mark.parametrize("error", [0.0, 0.003, 0.01])
def test_while_the_promise_is_kept_another_audit_is_expected_to_add_no_evidence(
    error: float,
) -> None:
    for wrong, total in ((0, 0), (1, 30), (4, 100), (12, 600)):
        after = error * evidence(wrong + 1, total + 1) + (1 - error) * evidence(wrong, total + 1)
        assert after <= evidence(wrong, total) * (1 + 1e-9)
        assert error < RISK or after == pytest.approx(evidence(wrong, total))


def test_overwhelming_evidence_is_a_number() -> None:
    assert EVIDENCE < evidence(10_000, 10_000) < math.inf


@pytest.mark.parametrize(
    ("right", "wrong", "verdict"),
    [(298, 0, OPEN), (299, 0, KEPT), (472, 1, KEPT), (240, 8, OPEN), (240, 9, BROKEN)],
)
def test_the_verdict(right: int, wrong: int, verdict: str) -> None:
    assert estimate(window_of(*audited(right, wrong)), "accepted").verdict == verdict


def test_the_simulation_goes_by_the_rules_of_the_report() -> None:
    broken, above = fewest(shown_broken), fewest(not_kept)
    for total in (40, 300, 473, 999):
        for wrong in range(30):
            found = Estimate(total, total, total, wrong, wrong / total)
            assert (found.verdict == BROKEN) == (wrong >= broken[total])
            assert (found.upper <= RISK) == (wrong < above[total])


def test_a_year_of_weekly_reports_seldom_cries_wolf() -> None:
    for _error, _weekly, *cells in false_alarms()[1:]:
        for cell in cells:
            ours = cell.split(" / ")[1]
            assert float(ours.rstrip("%")) <= 5


def test_a_larger_error_is_noticed_with_fewer_audits() -> None:
    rows = [row for row in audits_needed()[1:] if row[1] == BROKEN]
    needed = [int(row[2].replace(",", "")) for row in rows]
    assert needed == sorted(needed, reverse=True)
    assert needed[0] < 1_200
    assert PATHS >= 1_000


def test_an_audit_counts_by_its_share_and_by_how_many_of_these_were_done() -> None:
    """Of 5 %: 2 done, 1 wrong, 2 due, each for 40 uploads; of 2 %: 1 done, right, for 50."""
    often = [
        sample(1, share=0.05, label="other"),
        sample(2, share=0.05),
        sample(3, share=0.05, label=""),
        sample(4, share=0.05, label="", position=0.04),
    ]
    found = estimate(window_of(*often, sample(5)), "accepted")
    assert (found.due, found.audited, found.sample, found.wrong) == (5, 3, 3, 1)
    assert found.error == pytest.approx(40 / (40 + 40 + 50))


def test_the_interval_leaves_out_what_only_a_larger_share_audited() -> None:
    larger = sample(1, share=0.05, position=0.04, label="other")
    found = estimate(window_of(*audited(10, 0), larger), "accepted")
    assert (found.audited, found.sample, found.wrong) == (11, 10, 0)
    assert found.interval == interval(0, 10)
    assert found.error == pytest.approx(20 / (20 + 10 * 50))


def test_accepted_and_none_are_told_apart() -> None:
    none = sample(1, decision="none", guess="other", label="bicycle")
    window = window_of(*audited(3, 0), none)
    assert estimate(window, "accepted").error == 0
    assert estimate(window, "none").error == 1


def test_each_class_has_its_own_error() -> None:
    window = window_of(*audited(3, 1), sample(9, guess="motorcycle", label="motorcycle"))
    found = estimates_by(window, "accepted", lambda one: one.guess)
    assert {name: (e.wrong, e.sample) for name, e in found.items()} == {
        "bicycle": (1, 4),
        "motorcycle": (0, 1),
    }
    assert estimates_by(window_of(sample(1, label="")), "accepted", lambda one: one.guess) == {}
