"""The ledger, read by key and by its index."""

from pathlib import Path

import pytest

from ops.stack.ledger import Changed, Decision, Ledger, name_of
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import announced, decided


@pytest.fixture
def ledger(ops: Ops) -> Ledger:
    del ops
    return Ledger(OpsStack("test-standard"))


@pytest.fixture
def waiting(standard: Stack, images: Path, ledger: Ledger) -> Decision:
    """A picture that a person should look at."""
    item = decided(standard, (images / "cat.jpg").read_bytes())
    found = ledger.get(item["upload"])
    assert found is not None
    return found


def test_an_item_is_read_with_its_types(waiting: Decision) -> None:
    assert (waiting.outcome, waiting.label, waiting.revision) == ("review", "other", 1)
    assert waiting.confidence == waiting.guesses()[0]["confidence"]
    assert waiting.upload == name_of(waiting.s3_bucket, waiting.s3_key, f'"{waiting.etag}"')


def test_an_outcome_is_listed_by_time(ledger: Ledger, waiting: Decision) -> None:
    newest = next(ledger.of_outcome("review", newest_first=True))
    assert newest == waiting
    listed = list(ledger.of_outcome("review"))
    assert listed == sorted(listed, key=lambda item: item.recorded_at)
    assert ledger.count("review") == len(listed)
    since = waiting.recorded_at[:19]
    assert waiting in list(ledger.of_outcome("review", since=since))
    assert waiting not in list(ledger.of_outcome("review", until=since))


def test_an_item_without_an_attribute_is_read(waiting: Decision) -> None:
    assert Decision.of({"upload": {"S": waiting.upload}}).confidence == 0


def test_a_change_grows_the_revision_and_is_announced(
    ledger: Ledger, waiting: Decision, standard: Stack
) -> None:
    heard = len(announced(standard, waiting.upload, 1))
    given = {"label": "bicycle", "previous_label": "other", "reviewer": "ann"}
    new = ledger.change(waiting, outcome="reviewed", **given)
    assert ledger.get(waiting.upload) == new
    assert (new.revision, new.label, new.outcome) == (2, "bicycle", "reviewed")
    last = announced(standard, waiting.upload, heard + 1)[-1]
    assert (last["outcome"], last["previous_label"], last["revision"]) == ("reviewed", "other", "2")


def test_of_two_who_change_an_item_the_second_learns_of_the_first(
    ledger: Ledger, waiting: Decision
) -> None:
    ledger.change(waiting, outcome="reviewed", label="bicycle", reviewer="ann")
    with pytest.raises(Changed) as refused:
        ledger.change(waiting, outcome="reviewed", label="other", reviewer="bob")
    assert refused.value.now is not None
    assert (refused.value.now.label, refused.value.now.reviewer) == ("bicycle", "ann")


def test_a_change_of_a_deleted_item_makes_no_new_one(ledger: Ledger, waiting: Decision) -> None:
    ledger.forget(waiting.upload)
    with pytest.raises(Changed) as refused:
        ledger.change(waiting, label="bicycle")
    assert refused.value.now is None
    assert ledger.get(waiting.upload) is None


def test_a_hundred_uploads_are_looked_up_at_once(ledger: Ledger, waiting: Decision) -> None:
    strange = [f"bucket/none-{number}#0" for number in range(99)]
    assert ledger.outcomes([waiting.upload, *strange]) == {waiting.upload: "review"}
