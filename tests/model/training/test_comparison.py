"""McNemar's test, promises, and who changed, against values worked out by hand."""

from typing import Any

import numpy as np
import pytest

pytest.importorskip("scipy", reason="figures need the extra `train`")

from scipy import stats

from model.training.comparison import (
    Answers,
    Comparison,
    Paired,
    answers,
    broken,
    figures,
    least_discordant,
    paired,
    verdict,
)

LABELS = ("bicycle", "motorcycle", "other")
PROMISE = {"value": 0.9, "risk": 0.01, "level": 0.95, "promise": "at most 1% are wrong"}


def outcome(worse: int, better: int, both: int = 5) -> Paired:
    old = np.array([True] * worse + [False] * better + [True] * both)
    new = np.array([False] * worse + [True] * better + [True] * both)
    return paired(old, new)


@pytest.mark.parametrize(
    ("worse", "better", "p"),
    [
        pytest.param(0, 0, 1, id="none"),
        pytest.param(0, 6, 2 / 64, id="six of six"),
        pytest.param(6, 0, 2 / 64, id="none of six"),
        pytest.param(1, 7, 2 * (1 + 8) / 256, id="seven of eight"),
        pytest.param(3, 12, 2 * (1 + 15 + 105 + 455) / 32768, id="twelve of fifteen"),
        pytest.param(4, 4, 1, id="even"),
    ],
)
def test_mcnemars_test_is_that_of_a_fair_coin(worse: int, better: int, p: float) -> None:
    found = outcome(worse, better)
    assert (found.worse, found.better) == (worse, better)
    assert found.p == pytest.approx(p)


@pytest.mark.parametrize(
    ("worse", "better", "shown"),
    [(0, 6, "better"), (6, 0, "worse"), (0, 5, ""), (3, 12, "better"), (1, 7, ""), (9, 9, "")],
)
def test_a_difference_is_shown_below_five_percent_only(worse: int, better: int, shown: str) -> None:
    assert outcome(worse, better).shown == shown


@pytest.mark.parametrize("total", [6, 17, 60, 150])
def test_an_equally_good_model_is_called_worse_in_2_5_percent_at_most(total: int) -> None:
    chance = sum(
        stats.binom.pmf(worse, total, 0.5)
        for worse in range(total + 1)
        if outcome(worse, total - worse).shown == "worse"
    )
    assert 0 < chance <= 0.025


@pytest.mark.parametrize(("worse", "better"), [(0, 5), (1, 7), (7, 1), (40, 52), (3, 12)])
def test_more_is_the_fewest_that_show_a_difference_at_the_same_split(
    worse: int, better: int
) -> None:
    seen, most = worse + better, max(worse, better)
    total = seen
    while stats.binomtest(total * most // seen, total).pvalue >= 0.05:
        total += 1
    assert outcome(worse, better).more == total - seen


def test_an_even_split_tells_no_number() -> None:
    assert outcome(4, 4).more is None
    assert outcome(100, 101).more is None  # it would take more than 100,000
    assert outcome(0, 0).more is None
    assert least_discordant() == 6


@pytest.mark.parametrize(
    ("hits", "promised"),
    [pytest.param(97, True, id="3 of 100"), pytest.param(96, False, id="4 of 100")],
)
def test_a_promise_is_broken_when_chance_explains_less_than_five_percent(
    hits: int, promised: bool
) -> None:
    # Of 100 with an error of 1 %, 3 or more are wrong in 7.9 %, 4 or more in 1.8 %.
    measured = {"right_of_accepted": {"hits": hits, "of": 100}, "lost": {"hits": 0, "of": 100}}
    found = broken({"threshold": PROMISE}, measured)
    assert (found == []) is promised
    if not promised:
        [sentence] = found
        assert sentence.startswith("4 of 100 accepted pictures are wrong: at least 1.38%")


def test_the_promise_about_none_counts_pictures_of_named_classes() -> None:
    measured = {"right_of_accepted": {"hits": 9, "of": 9}, "lost": {"hits": 4, "of": 100}}
    assert broken({"threshold": PROMISE}, measured) == []
    [sentence] = broken({"threshold": PROMISE, "none": PROMISE}, measured)
    assert "4 of 100 pictures of named classes are called none" in sentence


@pytest.mark.parametrize(
    "card",
    [
        pytest.param({}, id="no card"),
        pytest.param({"threshold": {"value": 0.9}}, id="no risk"),
        pytest.param({"threshold": PROMISE | {"promise": "no promise: too few"}}, id="no promise"),
        pytest.param({"none": PROMISE | {"value": None}}, id="no threshold for none"),
    ],
)
def test_what_was_not_promised_is_not_broken(card: dict[str, Any]) -> None:
    measured = {"right_of_accepted": {"hits": 0, "of": 100}, "lost": {"hits": 100, "of": 100}}
    assert broken(card, measured) == []


BETTER, WORSE, OPEN = Paired(0, 9, 0.004, 0), Paired(9, 0, 0.004, 0), Paired(1, 1, 1, None)


@pytest.mark.parametrize(
    ("right", "decided", "breaks", "stay", "said"),
    [
        pytest.param(OPEN, OPEN, [], False, ["No winner: p below 0.05 is needed."], id="open"),
        pytest.param(BETTER, OPEN, [], False, ["NEW is shown to be better: right."], id="better"),
        pytest.param(
            BETTER,
            WORSE,
            [],
            True,
            ["NEW is shown to be better: right.", "NEW is shown to be worse: decided."],
            id="both",
        ),
        pytest.param(
            BETTER,
            BETTER,
            ["so it is"],
            True,
            ["NEW is shown to be better: right and decided.", "NEW breaks its promise: so it is."],
            id="better but without its promise",
        ),
    ],
)
def test_the_verdict_follows_from_tests_and_promises(
    right: Paired, decided: Paired, breaks: list[str], stay: bool, said: list[str]
) -> None:
    assert verdict({"right": right, "decided": decided}, breaks) == (stay, said)


def test_each_model_decides_by_its_own_thresholds() -> None:
    probabilities = np.array([[0.9, 0.1, 0], [0.2, 0.8, 0], [0, 0.05, 0.95], [0, 0.2, 0.8]])
    strict = answers(probabilities, LABELS, 0.85, None)
    assert strict.decisions.tolist() == ["accepted", "review", "review", "review"]
    lax = answers(probabilities, LABELS, 0.8, 0.95)
    assert lax.decisions.tolist() == ["accepted", "accepted", "none", "review"]
    assert lax.labels.tolist() == ["bicycle", "motorcycle", "other", "other"]


def some(*entries: str) -> Answers:
    """Return answers written as `label decision`, each surer than the one before."""
    labels, decisions = zip(*(entry.split() for entry in entries), strict=True)
    return Answers(
        np.array(labels), np.linspace(0.5, 0.99, len(labels)), np.array(decisions, dtype="<U8")
    )


def test_a_stranger_that_is_accepted_is_a_wrong_one_and_a_vehicle_called_none_is_lost() -> None:
    truth = np.array(["bicycle", "bicycle", "motorcycle", "other", "other", "other"])
    found = figures(
        some(
            *("bicycle accepted", "motorcycle accepted", "other none"),
            *("other none", "bicycle accepted", "other review"),
        ),
        truth,
    )
    counts = {name: (share["hits"], share["of"]) for name, share in found.items()}
    assert counts == {
        "accuracy": (1, 3),
        "accepted": (3, 6),
        "right_of_accepted": (1, 3),
        "none": (1, 3),
        "lost": (1, 3),
    }
    # One-sided: 1 - 0.05 ** (1 / 3) is the bound of none of three, so hits and errors change place.
    assert found["right_of_accepted"]["at_least"] == pytest.approx(0.0170, abs=1e-4)
    assert found["lost"]["at_most"] == pytest.approx(0.8647, abs=1e-4)


def test_what_changed_comes_the_gravest_first_and_once() -> None:
    names = ("lost", "same", "review", "harm", "gain", "wrong")
    found = Comparison(
        names,
        np.array(["bicycle"] * 6),
        some(
            *("bicycle review", "bicycle accepted", "bicycle accepted"),
            *("bicycle accepted", "other review", "other review"),
        ),
        some(
            *("other review", "bicycle accepted", "bicycle review"),
            *("motorcycle accepted", "bicycle accepted", "motorcycle review"),
        ),
    )
    assert [names[index] for index in found.changed()] == [
        "harm",
        "lost",
        "review",
        "wrong",
        "gain",
    ]
    assert found.kinds() == {
        ("accepted right", "accepted wrong"): 1,
        ("accepted right", "review right"): 1,
        ("review right", "review wrong"): 1,
        ("review wrong", "accepted right"): 1,
        ("review wrong", "review wrong"): 1,
    }
    right, decided = found.questions().values()
    assert (right.worse, right.better) == (2, 1)
    assert (decided.worse, decided.better) == (2, 1)


def test_without_labels_there_is_agreement_and_no_test() -> None:
    found = Comparison(
        ("a", "b", "c"),
        None,
        some("bicycle accepted", "bicycle review", "other none"),
        some("bicycle review", "motorcycle accepted", "other none"),
    )
    assert found.questions() == {}
    assert found.agreement()["same_class"]["hits"] == 2
    assert found.agreement()["same_decision"]["hits"] == 1
    assert [found.names[index] for index in found.changed()] == ["b", "a"]
    assert ("accepted bicycle", "review bicycle") in found.kinds()
