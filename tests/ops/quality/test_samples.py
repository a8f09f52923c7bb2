"""Which uploads belong to the random sample, and what people said about them."""

import json
from dataclasses import fields
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from scipy.stats import kstest

from ops.quality.samples import Sample, Window, audit_position, labels_by_person, sample_of
from ops.stack.ledger import Decision
from tests.ops.quality.samples import NOON, sample, window_of

GUESSES = json.dumps([{"label": "bicycle", "confidence": 0.99}])


def item(**given: Any) -> Decision:
    """Return an item of the ledger, empty where nothing is given."""
    empty = {field.name: field.type() for field in fields(Decision)}  # type: ignore[operator]
    times = {"uploaded_at": "2026-11-24T12:00:00Z", "recorded_at": "2026-11-25T12:00:00.000Z"}
    return Decision(**(empty | times | {"upload": "bucket/a#0", "inferences": GUESSES} | given))


def entry(by: str, label: str, how: str = "review") -> dict[str, str]:
    return {"at": "", "by": by, "how": how, "outcome": "reviewed", "label": label}


def test_positions_are_spread_evenly_and_never_change() -> None:
    places = [audit_position(f"bucket/{number}.jpg#0") for number in range(10_000)]
    assert kstest(places, "uniform").pvalue > 0.01
    # sha256sum of this name begins with af4c97bd.
    assert int(audit_position("bucket/uploads/a.jpg#0") * 2**32) == 0xAF4C97BD


@pytest.mark.parametrize(
    ("given", "decision", "label", "wrong"),
    [
        ({"outcome": "accepted", "label": "bicycle"}, "accepted", "", False),
        ({"outcome": "confirmed", "label": "bicycle"}, "accepted", "bicycle", False),
        ({"outcome": "reviewed", "label": "other"}, "accepted", "other", True),
    ],
    ids=["audit due", "audit agreed", "audit corrected"],
)
def test_an_audit_tells_whether_the_model_was_wrong(
    given: dict[str, str], decision: str, label: str, wrong: bool
) -> None:
    found = sample_of(item(decision="accepted", audit_share=2.0, **given))
    assert found is not None
    assert (found.decision, found.label, found.wrong) == (decision, label, wrong)
    assert (found.share, found.time, found.week) == (0.02, NOON, "2026-W48")


@pytest.mark.parametrize(("outcome", "label"), [("review", ""), ("reviewed", "bicycle")])
def test_what_was_recorded_before_decisions_were_kept_went_to_review(
    outcome: str, label: str
) -> None:
    found = sample_of(item(outcome=outcome, label="bicycle"))
    assert found is not None
    assert (found.decision, found.label, found.share) == ("review", label, 0)


def test_what_has_no_inference_is_no_sample() -> None:
    assert sample_of(item(outcome="rejected", inferences="[]")) is None
    window = Window()
    window.add_all([item(outcome="failed", inferences="")])
    assert list(window.equal()) == []


def test_a_person_s_last_label_counts_and_none_that_was_undone() -> None:
    history = [entry("ann", "bicycle"), entry("ann", "other", "relabel"), entry("bob", "other")]
    assert labels_by_person(json.dumps(history)) == {"ann": "other", "bob": "other"}
    undone = [*history, entry("bob", "other", "undo")]
    assert labels_by_person(json.dumps(undone)) == {"ann": "other"}
    assert labels_by_person("") == {}


def test_reviewers_are_compared_in_pairs() -> None:
    window = window_of(
        sample(1, labels=("bicycle",)),
        sample(2, labels=("bicycle", "bicycle")),
        sample(3, labels=("bicycle", "other", "other"), position=0.9),
    )
    assert (window.pairs, window.agreeing) == (4, 2)


def test_what_a_person_came_upon_otherwise_is_not_in_the_sample() -> None:
    relabelled = sample(1, label="other", position=0.5)
    assert window_of(relabelled).due("accepted") == []


def test_reviews_are_thinned_to_the_share_of_audits_and_begin_with_them() -> None:
    inside, outside = sample(1), sample(2, position=0.03, share=0.05)
    reviews = [
        sample(3, decision="review", share=0.0, position=place, time=NOON + timedelta(hours=hours))
        for place, hours in ((0.01, 1), (0.03, 1), (0.01, -1))
    ]
    window = window_of(inside, outside, *reviews)
    assert window.share == 0.02
    assert set(window.equal()) == {inside, reviews[0]}
    assert window.due("accepted") == [inside, outside]


def test_without_audits_there_is_no_share() -> None:
    window = window_of(sample(1, decision="review", share=0.0))
    assert (window.share, list(window.equal())) == (0.0, [])


def test_more_than_fits_is_thinned_to_a_random_sample_again() -> None:
    number = np.random.default_rng(0)
    window = Window(most=100)
    places = number.random(5_000)
    for place in places:
        window.add(sample(position=float(place), share=1.0))
    kept: list[Sample] = list(window.equal())
    assert 100 <= len(kept) <= 200
    assert sorted(one.position for one in kept) == sorted(places)[: len(kept)]
    assert window.share == window.cap > max(one.position for one in kept)
