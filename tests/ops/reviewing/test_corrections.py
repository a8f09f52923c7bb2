"""Labels that are changed later, looked at again and taken back, and the history of an upload."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cli.errors import CommandError
from ops.reviewing.history import MOST_CHANGES, Change, extended, standing
from ops.reviewing.reviews import LONGEST_COMMENT, LONGEST_NAME, Reviews
from ops.stack.ledger import Changed, Decision
from ops.stack.outputs import Stack as OpsStack
from ops.stack.uploads import Uploads
from tests.support.cloud import Stack
from tests.support.ops import keys
from tests.support.workflow import announced, decided

LARGEST_ITEM = 400 * 1024  # bytes, of DynamoDB
pytestmark = pytest.mark.usefixtures("ops")


def reviews_of(reviewer: str = "ann") -> Reviews:
    return Reviews(OpsStack("test-standard"), reviewer, ["bicycle", "motorcycle"])


def as_decided(stack: Stack, images: Path, name: str = "bicycle.png") -> Decision:
    """Return what the workflow has decided of a picture, with no audit that is due."""
    item = decided(stack, (images / name).read_bytes())
    found = reviews_of().ledger.get(item["upload"])
    assert found is not None
    if found.audit != "due":
        return found
    stack.aws.client("dynamodb").update_item(  # one of a hundred that are bicycles
        TableName=stack.outputs["DecisionsTable"],
        Key={"upload": {"S": found.upload}},
        UpdateExpression="SET audit = :not_due",
        ExpressionAttributeValues={":not_due": {"S": "not_due"}},
    )
    return replace(found, audit="not_due")


def test_a_decision_gets_another_label(standard: Stack, images: Path) -> None:
    before = as_decided(standard, images)
    done = reviews_of().relabel(before, "motorcycle", "a sidecar")
    now = done.decision
    assert reviews_of().ledger.get(before.upload) == now
    assert (now.outcome, now.label, now.previous_label) == ("reviewed", "motorcycle", "bicycle")
    assert (now.decision, now.audit, now.revision) == ("accepted", "not_due", 2)
    heard = announced(standard, before.upload, 2)[-1]
    assert (heard["outcome"], heard["label"]) == ("reviewed", "motorcycle")
    assert (heard["previous_label"], heard["decision"]) == ("bicycle", "accepted")
    assert keys(standard, done.copy) == [done.copy]
    [change] = now.changes()
    assert (change["by"], change["how"], change["comment"]) == ("ann", "relabel", "a sidecar")
    assert (change["previous_outcome"], change["previous_label"]) == ("accepted", "bicycle")


def test_the_copy_moves_with_the_label(standard: Stack, images: Path) -> None:
    first = reviews_of("ann").label(as_decided(standard, images, "cat.jpg"), "bicycle")
    second = reviews_of("bob").relabel(first.decision, "motorcycle")
    assert (second.decision.reviewer, second.decision.previous_label) == ("bob", "bicycle")
    assert (keys(standard, first.copy), keys(standard, second.copy)) == ([], [second.copy])


def test_the_copy_of_a_picture_that_is_gone_moves_too(standard: Stack, images: Path) -> None:
    first = reviews_of().label(as_decided(standard, images, "cat.jpg"), "bicycle")
    at = {"Bucket": first.decision.s3_bucket}
    standard.aws.client("s3").delete_object(**at, Key=first.decision.s3_key)
    second = reviews_of().relabel(first.decision, "motorcycle")
    assert (second.note, keys(standard, first.copy)) == ("", [])
    copied = standard.aws.client("s3").get_object(**at, Key=second.copy)["Body"].read()
    assert copied == (images / "cat.jpg").read_bytes()


def test_a_copy_does_not_move_once_its_upload_is_forgotten(
    standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = reviews_of().label(as_decided(standard, images, "cat.jpg"), "bicycle")
    upload = first.decision.upload
    standard.aws.client("s3").delete_object(
        Bucket=first.decision.s3_bucket, Key=first.decision.s3_key
    )
    move = Uploads.move_copy

    def forgotten(uploads: Uploads, *words: str) -> str:
        copy = move(uploads, *words)
        reviews_of().ledger.forget(upload)
        return copy

    monkeypatch.setattr(Uploads, "move_copy", forgotten)
    second = reviews_of().relabel(first.decision, "motorcycle")
    assert second.copy == ""
    assert list(reviews_of().uploads.copies(upload, first.decision.s3_key)) == []


def test_the_same_label_of_a_decision_confirms_it(standard: Stack, images: Path) -> None:
    done = reviews_of().relabel(as_decided(standard, images), "bicycle")
    assert (done.decision.outcome, done.decision.audit) == ("confirmed", "not_due")
    assert keys(standard, done.copy) == [done.copy]


def test_a_label_by_name_of_what_waits_is_its_review(standard: Stack, images: Path) -> None:
    before = as_decided(standard, images, "cat.jpg")
    now = reviews_of().relabel(before, "other").decision
    assert (now.outcome, now.label, now.changes()[0]["how"]) == ("reviewed", "other", "review")


def test_a_second_look_is_recorded_and_announces_the_same(standard: Stack, images: Path) -> None:
    first = reviews_of("ann").relabel(as_decided(standard, images), "motorcycle").decision
    second = reviews_of("bob").relabel(first, "motorcycle", "yes").decision
    assert [change["by"] for change in second.changes()] == ["ann", "bob"]
    [_, before, after] = announced(standard, first.upload, 3)
    differing = {name for name in after if after[name] != before[name]}
    assert differing == {"revision", "reviewer", "recorded_at"}
    third = reviews_of("ann").relabel(second, "motorcycle")
    assert third.decision == second
    assert third.note == "ann has labelled it motorcycle before: nothing has changed"
    assert reviews_of().ledger.get(first.upload) == second
    back = reviews_of("bob").undo(second).decision
    assert (back.outcome, back.label, back.reviewer) == ("reviewed", "motorcycle", "ann")
    assert (back.previous_label, back.revision) == ("bicycle", 4)


def test_what_the_same_person_says_again_changes_nothing(standard: Stack, images: Path) -> None:
    first = reviews_of().relabel(as_decided(standard, images), "motorcycle")
    standard.aws.client("s3").delete_object(Bucket=first.decision.s3_bucket, Key=first.copy)
    again = reviews_of().relabel(first.decision, "motorcycle")
    assert reviews_of().ledger.get(first.decision.upload) == first.decision
    assert "nothing has changed" in again.note
    assert keys(standard, first.copy) == [first.copy]  # of work that broke off


def test_undo_goes_back_through_every_change(standard: Stack, images: Path) -> None:
    before = as_decided(standard, images, "cat.jpg")
    first = reviews_of("ann").label(before, "bicycle")
    second = reviews_of("bob").relabel(first.decision, "motorcycle")
    back = reviews_of("cem").undo(second.decision)
    now = back.decision
    assert (now.outcome, now.label, now.reviewer) == ("reviewed", "bicycle", "ann")
    assert (now.previous_label, now.changes()[-1]["by"]) == ("motorcycle", "cem")
    assert back.copy == first.copy
    assert (keys(standard, first.copy), keys(standard, second.copy)) == ([first.copy], [])
    now = reviews_of("cem").undo(now).decision
    assert (now.outcome, now.label, now.previous_label) == ("review", "other", "bicycle")
    assert keys(standard, first.copy) == []
    assert [change["how"] for change in now.changes()] == ["review", "relabel", "undo", "undo"]
    with pytest.raises(CommandError, match="is not reviewed: its outcome is review"):
        reviews_of().undo(now)
    third = reviews_of("ann").label(now, "motorcycle").decision
    assert reviews_of("ann").undo(third).decision.label == "other"


def test_what_was_labelled_before_there_was_a_history_can_be_changed(
    standard: Stack, images: Path
) -> None:
    first = reviews_of("ann").label(as_decided(standard, images, "cat.jpg"), "bicycle").decision
    standard.aws.client("dynamodb").update_item(
        TableName=standard.outputs["DecisionsTable"],
        Key={"upload": {"S": first.upload}},
        UpdateExpression="REMOVE history",
    )
    read = reviews_of().ledger.get(first.upload)
    assert read is not None
    second = reviews_of("bob").relabel(read, "motorcycle").decision
    assert [change["by"] for change in second.changes()] == ["ann", "bob"]
    back = reviews_of().undo(second).decision
    assert (back.outcome, back.label, back.reviewer) == ("reviewed", "bicycle", "ann")
    assert reviews_of().undo(back).decision.label == "other"


def test_of_two_who_relabel_the_second_learns_of_the_first(standard: Stack, images: Path) -> None:
    before = as_decided(standard, images)
    first = reviews_of("ann").relabel(before, "motorcycle")
    with pytest.raises(Changed) as refused:
        reviews_of("bob").relabel(before, "other")
    assert refused.value.now == first.decision
    with pytest.raises(Changed):
        reviews_of("bob").undo(replace(first.decision, revision=1))


def test_what_has_no_decision_has_no_label(standard: Stack) -> None:
    item = decided(standard, b"no picture")
    read = reviews_of().ledger.get(item["upload"])
    assert read is not None
    with pytest.raises(CommandError, match="has no label: its outcome is rejected"):
        reviews_of().relabel(read, "bicycle")


def test_only_what_waits_is_labelled_as_waiting(standard: Stack, images: Path) -> None:
    with pytest.raises(CommandError, match="does not wait: its outcome is accepted"):
        reviews_of().label(as_decided(standard, images), "motorcycle")


@pytest.mark.parametrize(
    ("comment", "told"),
    [
        pytest.param("a" * (LONGEST_COMMENT + 1), "has 501 characters: write 500", id="long"),
        pytest.param("\ud800", "the comment is not valid Unicode", id="no-unicode"),
    ],
)
def test_a_comment_that_cannot_be_kept_is_refused(
    standard: Stack, images: Path, comment: str, told: str
) -> None:
    before = as_decided(standard, images)
    with pytest.raises(CommandError, match=told):
        reviews_of().relabel(before, "motorcycle", comment)
    assert reviews_of().ledger.get(before.upload) == before


def test_a_comment_is_one_line(standard: Stack, images: Path) -> None:
    done = reviews_of().relabel(as_decided(standard, images), "motorcycle", " a\n\tb ")
    assert done.decision.changes()[0]["comment"] == "a b"


def test_a_reviewer_s_name_has_a_limit() -> None:
    with pytest.raises(CommandError, match="the name of the reviewer has 101 characters"):
        reviews_of("a" * (LONGEST_NAME + 1))


def test_my_labels_are_those_i_gave_last_newest_first(
    standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dee, eve = reviews_of("dee"), reviews_of("eve")
    first = dee.label(as_decided(standard, images, "cat.jpg"), "bicycle").decision
    confirmed = dee.relabel(as_decided(standard, images), "bicycle").decision
    others = dee.label(as_decided(standard, images, "cat.jpg"), "bicycle").decision
    others = eve.relabel(others, "motorcycle").decision
    taken_back = dee.relabel(as_decided(standard, images), "motorcycle").decision
    dee.undo(taken_back)
    assert dee.mine(50) == [confirmed, first]
    assert (dee.mine(1), eve.mine(50)) == ([confirmed], [others])
    monkeypatch.setattr("ops.reviewing.reviews.LOOKED_AT", 2)
    assert dee.mine(50) == [confirmed]


def change(number: int, how: str = "relabel") -> Change:
    """Return a change of the greatest length; each character is written as six bytes."""
    return Change(
        at="2026-11-26T10:00:00.000Z",
        by="\x01" * LONGEST_NAME,
        how=how,
        outcome="reviewed",
        label=f"{number:063}",
        previous_outcome="reviewed",
        previous_label=f"{number - 1:063}",
        comment="\x01" * LONGEST_COMMENT,
    )


def test_the_first_change_and_the_newest_49_are_kept_and_fit_an_item() -> None:
    history = "[]"
    for number in range(200):
        history = extended(json.loads(history), change(number))
    kept = [int(entry["label"]) for entry in json.loads(history)]
    assert kept == [0, *range(151, 200)]
    assert len(kept) == MOST_CHANGES
    assert len(history.encode()) < 0.6 * LARGEST_ITEM


def test_what_was_before_changes_that_are_no_longer_kept_is_not_guessed(
    standard: Stack, images: Path
) -> None:
    history = [change(0), *(change(number, "undo") for number in range(1, MOST_CHANGES))]
    assert standing(history) == []
    now = reviews_of().relabel(as_decided(standard, images), "motorcycle").decision
    forgotten = replace(now, history=json.dumps([change(0), change(1)]))
    with pytest.raises(CommandError, match="changed too often to know what was before"):
        reviews_of().undo(forgotten)
