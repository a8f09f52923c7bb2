"""What monitoring calls drift, how seldom it cries wolf, and how its windows grow."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from scipy.stats import ks_2samp

from model.training.card import spread
from model.training.image_statistics import PERCENTILES, STATISTICS
from ops.monitoring import drift, two_samples
from ops.monitoring.baseline import CARD, Baseline, baseline_of
from ops.monitoring.drift import judge
from ops.monitoring.observations import Observation, decide
from ops.monitoring.windows import LATENCY_EDGES, LENGTHS, MOST_WINDOWS, Windows
from tests.support.project import ACCEPT

NOON = datetime(2024, 6, 4, 12, tzinfo=UTC)  # a Tuesday


def seen(number: np.random.Generator, baseline: Baseline, **other: Any) -> Observation:
    """Draw an observation as the baseline describes them."""
    facts = baseline.facts
    share = facts["confidence"]["share"]
    confidence = (number.choice(20, p=share) + number.random()) / 20
    labels = facts["labels"]
    label = str(number.choice(list(labels), p=list(labels.values())))
    places = [0, *(percent / 100 for percent in PERCENTILES), 1]
    statistics = {}
    for name, (_, top) in STATISTICS.items():
        values = [0, *(facts[name][f"p{percent}"] for percent in PERCENTILES), top]
        statistics[name] = float(np.interp(number.random(), places, values))
    # The card's share of accepted, in place of a threshold on made-up confidences.
    outcome = "accepted" if number.random() < facts["accepted_share"] else "review"
    drawn = Observation(
        NOON, outcome, "m", label, confidence, baseline.threshold, statistics=statistics
    )
    return replace(drawn, **other)


def windows_of(baseline: Baseline, many: int, seed: int, **other: Any) -> Windows:
    """Return so many observations in six windows."""
    number, windows = np.random.default_rng(seed), Windows(timedelta(hours=1))
    for i in range(many):
        windows.add(seen(number, baseline, time=NOON + timedelta(hours=i % 6), **other))
    return windows


def reported(baseline: Baseline, many: int, seed: int, **other: Any) -> list[str]:
    """Return the names of what drifted."""
    windows = windows_of(baseline, many, seed, **other)
    return sorted({found.name for found in judge(windows, baseline, 0.01).drifted})


def test_nothing_new_is_seldom_called_drift() -> None:
    """100 reports at 1 % cry wolf 4 times or oftener with a chance of 2 %; Bonferroni errs low."""
    baseline = Baseline.read(CARD)
    assert sum(bool(reported(baseline, 300, seed)) for seed in range(100)) < 4


def test_nothing_new_is_seldom_called_drift_from_a_small_baseline_either() -> None:
    """A baseline of 100, the fewest that are kept, and 5 inferences, the fewest that are judged."""
    card = Baseline.read(CARD)
    found = 0
    for seed in range(100):
        own = baseline_of(windows_of(card, 100, seed), card)
        found += bool(judge(windows_of(card, 5, 1000 + seed), own, 0.01).drifted)
    assert found < 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"confidence": 0.6}, "confidence"),
        ({"label": "bicycle"}, "label mix"),
        ({"label": "boat"}, "label mix"),
        ({"label": "other"}, "share of other"),
        ({"outcome": "review"}, "share accepted"),
        ({"statistics": {"brightness": 0.05}}, "brightness"),
        ({"statistics": {"sharpness": 0.001}}, "sharpness"),
        ({"statistics": {"colour": 0.0}}, "colour"),
    ],
)
def test_each_change_is_named(change: dict[str, Any], named: str) -> None:
    found = reported(Baseline.read(CARD), 300, 1, **change)
    assert named in found
    assert len(found) <= 3  # `other` is a matter of the label mix and of what is accepted, too


def test_less_than_five_inferences_are_not_judged() -> None:
    baseline = Baseline.read(CARD)
    unsure = {"confidence": 0.4, "statistics": {}}
    assert reported(baseline, 4, 1, **unsure) == []
    assert "confidence" in reported(baseline, 5, 1, **unsure)


@pytest.mark.parametrize(
    ("shift", "drifts"), [(0.003, False), (0.1, True)], ids=["a trifle", "a change"]
)
def test_a_trifle_is_no_drift_however_many_show_it(shift: float, drifts: bool) -> None:
    number = np.random.default_rng(0)
    before, after = Windows(), Windows()
    for windows, by in ((before, 0.0), (after, shift)):
        windows.add(Observation(NOON, "accepted", "m", "bicycle", 0.99, 0.9))
        [(_, sums)] = windows
        for name, values in (
            ("brightness", number.beta(5, 5, 300_000) + by),
            ("confidence", 1 - number.exponential(0.05, 300_000)),
        ):
            counts, _ = np.histogram(np.clip(values, 0, 1), np.linspace(0, 1, 1001))
            sums.histograms[name][: len(counts)] += counts[: len(sums.histograms[name])]
    own = baseline_of(before, Baseline.read(CARD))
    judgement = judge(after, own, 0.01)
    [found] = [comparison for comparison in judgement.whole if comparison.name == "brightness"]
    assert found.p < judgement.limit
    assert judgement.drifts(found) == drifts


@pytest.mark.parametrize(("share", "drifts"), [(0.01, False), (0.03, True)])
def test_a_point_more_of_other_is_drift(share: float, drifts: bool) -> None:
    """The card has 0.6 %: a new class begins as a few of many."""
    baseline = Baseline.read(CARD)
    labels = [*["other"] * int(5_000 * share), *["bicycle", "motorcycle"] * 2_500][:5_000]
    windows = Windows()
    windows.add_all(Observation(NOON, "review", "m", label, 0.99) for label in labels)
    judgement = judge(windows, baseline, 0.01)
    assert ("share of other" in [found.name for found in judgement.drifted]) == drifts


@pytest.mark.parametrize("threshold", [0.9, 0.995])
def test_what_is_accepted_by_another_threshold_is_not_compared(threshold: float) -> None:
    baseline = Baseline.read(CARD)
    windows = Windows()
    number = np.random.default_rng(0)
    for _ in range(300):
        one = seen(number, baseline)
        assert one.confidence is not None
        outcome = decide(one.label, one.confidence, threshold, 0)
        windows.add(replace(one, outcome=outcome, threshold=threshold))
    judgement = judge(windows, baseline, 0.01)
    assert "share accepted" not in [found.name for found in judgement.whole]
    assert judgement.drifted == []


def test_the_card_s_threshold_is_the_template_s() -> None:
    """The one is the other rounded up."""
    baseline = Baseline.read(CARD)
    windows = windows_of(baseline, 50, 0, threshold=float(ACCEPT))
    assert "share accepted" in [found.name for found in judge(windows, baseline, 0.01).whole]


def test_a_figure_that_is_always_the_same_has_not_changed() -> None:
    """Of a camera without colours: all quantiles are in one bin."""
    baseline = Baseline.read(CARD)
    grey = {key: value for key, value in spread([0.0] * 500, 1.0).items() if key[0] == "p"}
    baseline = replace(baseline, facts=baseline.facts | {"colour": grey})
    windows = windows_of(baseline, 60, 0, statistics={"colour": 0.0})
    [found] = [
        comparison
        for comparison in judge(windows, baseline, 0.01).whole
        if comparison.name == "colour"
    ]
    assert found.p > 0.5
    assert found.psi < 0.01


def test_a_card_of_three_percentiles_is_compared_by_these() -> None:
    baseline = Baseline.read(CARD)
    fewer = {
        name: {key: baseline.facts[name][key] for key in ("p5", "p50", "p95")}
        for name in STATISTICS
    }
    earlier = replace(baseline, facts=baseline.facts | fewer)
    windows = windows_of(baseline, 300, 0)
    assert judge(windows, earlier, 0.01).drifted == []
    windows = windows_of(baseline, 300, 0, statistics={"brightness": 0.05})
    assert {found.name for found in judge(windows, earlier, 0.01).drifted} == {"brightness"}


def test_the_test_on_bins_is_never_surer_than_the_one_on_values() -> None:
    number = np.random.default_rng(3)
    edges = np.linspace(0, 1, 21)
    for size in (5, 80, 400):
        for shift in (0.0, 0.05, 0.2, 0.5, 1.0):
            was, now = number.random(1000), number.random(size) * (1 - shift) + shift
            binned = [np.histogram(values, edges)[0].astype(float) for values in (was, now)]
            coarse = two_samples.kolmogorov_smirnov(*binned)
            fine = ks_2samp(was, now, method="exact").pvalue
            assert coarse >= 0.9 * fine or fine < 1e-9
            assert coarse < 0.01 or shift < 1


def test_three_against_three_prove_nothing() -> None:
    apart = np.array([3.0, 0.0]), np.array([0.0, 3.0])
    exact = 2 / 20  # of 6 over 3 arrangements
    assert two_samples.kolmogorov_smirnov(*apart) == pytest.approx(exact)


def test_the_test_on_labels_is_right_where_they_are_rare() -> None:
    """At the limit of a report of 48 windows; chi-squared was 4 to 7 times too often there."""
    number, limit, draws = np.random.default_rng(0), 0.01 / 49 / 7, 30_000
    share = [0.495, 0.495, 0.01]
    was = np.array(share) * 100_000
    drawn = Counter(map(tuple, number.multinomial(500, share, draws)))
    found = sum(
        times for now, times in drawn.items() if two_samples.any_share(was, np.array(now)) < limit
    )
    assert found <= 3  # 1 is due


def test_psi_is_zero_of_equals_and_grows_with_the_distance() -> None:
    was = np.array([9000.0, 1000.0])
    values = [two_samples.psi(was, np.array([9000.0 - k, 1000.0 + k])) for k in (0, 500, 2000)]
    assert values[0] == 0
    assert values[0] < values[1] < values[2]
    # (0.7 - 0.9) ln(0.7 / 0.9) + (0.3 - 0.1) ln(0.3 / 0.1)
    assert values[2] == pytest.approx(0.27, abs=0.005)


@pytest.mark.parametrize("many", [9, 30, 100, 1000])
def test_chance_alone_gives_hardly_any_psi(many: int) -> None:
    number = np.random.default_rng(0)
    share = np.array(Baseline.read(CARD).facts["confidence"]["share"])
    draws = number.multinomial(many, share, 300).astype(float)
    values = [two_samples.psi(*two_samples.joined(share * 1000, now)) for now in draws]
    assert np.median(values) < 0.02


def in_minutes(*minutes: float, windows: Windows | None = None) -> Windows:
    windows = Windows() if windows is None else windows
    for minute in minutes:
        time = NOON + timedelta(minutes=minute)
        windows.add(Observation(time, "accepted", "m", "bicycle", 0.99, 0.9, latency_s=1.0))
    return windows


def test_windows_grow_and_lose_nothing() -> None:
    windows = in_minutes(*range(1_000))
    starts = [start for start, _ in windows]
    assert len(starts) <= MOST_WINDOWS
    assert starts == sorted(starts)
    assert windows.length == timedelta(minutes=30)
    assert all(sums.uploads <= 30 for _, sums in windows)
    whole = windows.whole()
    assert whole.uploads == whole.inferences == whole.histograms["latency"].sum() == 1_000
    assert whole.labels == {"bicycle": 1_000}


@pytest.mark.parametrize("days", [2, 30, 90, 800])
def test_windows_begin_with_the_hour_the_day_or_the_week(days: int) -> None:
    windows = in_minutes(*range(0, days * 1440, 60))
    assert windows.length in LENGTHS
    for start, _ in windows:
        assert start.minute == 0
        if windows.length >= timedelta(days=1):
            assert start.hour == 0
        if windows.length >= timedelta(days=7):
            assert start.weekday() == 0


def test_windows_of_little_traffic_are_as_long_as_it_takes_to_judge_them() -> None:
    windows = in_minutes(*range(0, 1440, 3))  # 480 in a day
    assert windows.length == timedelta(minutes=30)
    windows.widen(drift.MINIMUM_WINDOW)
    assert windows.length == timedelta(hours=1)
    assert all(sums.inferences == 20 for _, sums in windows)


def test_what_is_too_little_anyway_stays_in_windows_enough_to_see_something() -> None:
    windows = in_minutes(*range(0, 1440, 60))
    windows.widen(drift.MINIMUM_WINDOW)
    assert 3 <= len(windows) <= 5
    alone = in_minutes(0, 1)
    alone.widen(drift.MINIMUM_WINDOW)
    assert len(alone) == 2


def test_windows_can_begin_when_one_likes() -> None:
    begin = NOON + timedelta(seconds=7)
    windows = in_minutes(1, 2, 3, windows=Windows(timedelta(minutes=1.5), begin))
    assert [start for start, _ in windows] == [begin + k * timedelta(minutes=1.5) for k in (0, 1)]


def test_quantiles_are_those_of_the_values() -> None:
    number, windows = np.random.default_rng(0), Windows()
    values = number.random(5_000)
    waits = number.lognormal(0, 1, 5_000)
    for value, wait in zip(values, waits, strict=True):
        windows.add(
            Observation(
                NOON, "review", "m", "other", value, 0.9, wait, statistics={"brightness": value}
            )
        )
    whole = windows.whole()
    for name, of in (("confidence", values), ("brightness", values)):
        assert whole.quantiles(name, [0.05, 0.5, 0.95]) == pytest.approx(
            np.quantile(of, [0.05, 0.5, 0.95]), abs=0.006
        )
    bin_width = LATENCY_EDGES[1] / LATENCY_EDGES[0] - 1
    assert whole.quantiles("latency", [0.5, 0.95]) == pytest.approx(
        np.quantile(waits, [0.5, 0.95]), rel=bin_width
    )
