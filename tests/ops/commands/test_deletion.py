"""Prune deletes what is old, forget one upload everywhere."""

import io
import json
import threading
import time
import uuid
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication

from ops.commands.forget import OUT_OF_REACH
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack as OpsStack
from ops.stack.uploads import PictureGone, Uploads
from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty, keys, pointer
from tests.support.project import ROOT
from tests.support.waiting import until
from tests.support.workflow import announced, decided, start_again

LONG_AGO = "2020-02-02T02:02:02.222Z"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def old(stack: Stack, images: Path) -> dict[str, str]:
    """Return the item of an upload, recorded long ago."""
    item = decided(stack, (images / "bicycle.png").read_bytes())
    stack.aws.client("dynamodb").update_item(
        TableName=stack.outputs["DecisionsTable"],
        Key={"upload": {"S": item["upload"]}},
        UpdateExpression="SET recorded_at = :then",
        ExpressionAttributeValues={":then": {"S": LONG_AGO}},
    )
    return item


def known(stack: Stack, upload: str) -> bool:
    return Ledger(OpsStack(f"test-{stack.outputs['WorkflowType'].lower()}")).get(upload) is not None


def test_prune_reports_and_deletes_nothing_without_consent(
    ops: Ops, stack: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = old(stack, images)
    for terminal in (io.StringIO(), Terminal("\n"), Terminal("n\n")):
        monkeypatch.setattr("sys.stdin", terminal)
        ran = ops(stack, "prune", "--older-than", "400d")
        assert ran.code == 1
        assert "1 items; their pictures stay: recorded before" in ran.out
        assert "nothing was changed" in ran.err
        assert known(stack, item["upload"])
    for words in ((), ("--yes",)):
        ran = ops(stack, "prune", "--older-than", "400d", "--dry-run", "--json", *words)
        assert (ran.code, json.loads(ran.out)["to_delete"]["accepted"]) == (0, 1)
        assert known(stack, item["upload"])
    monkeypatch.setattr("sys.stdin", Terminal("y\n"))
    assert ops(stack, "prune", "--older-than", "400d").code == 0
    assert not known(stack, item["upload"])


def test_prune_deletes_the_old_alone_and_keeps_pictures_unless_asked(
    ops: Ops, stack: Stack, images: Path
) -> None:
    young = decided(stack, (images / "bicycle.png").read_bytes())
    kept, deleted = old(stack, images), None
    ran = ops(stack, "prune", "--older-than", "400d", "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "deleted 1 items, 0 pictures")
    assert keys(stack, kept["s3_key"]) == [kept["s3_key"]]
    deleted = old(stack, images)
    ran = ops(stack, "prune", "--older-than", "400d", "--pictures", "--yes")
    assert ran.out.splitlines()[-1] == "deleted 1 items, 1 pictures"
    assert keys(stack, deleted["s3_key"]) == []
    assert known(stack, young["upload"])
    assert keys(stack, young["s3_key"])
    assert ops(stack, "prune", "--older-than", "400d", "--yes").out.startswith("nothing was")


def test_prune_leaves_a_newer_picture_under_the_same_key(
    ops: Ops, standard: Stack, images: Path
) -> None:
    item = old(standard, images)
    name = item["s3_key"].removeprefix("uploads/")
    newer = decided(standard, (images / "cat.jpg").read_bytes(), name)
    ran = ops(standard, "prune", "--older-than", "400d", "--pictures", "--yes")
    assert ran.out.splitlines()[-1] == "deleted 1 items, 0 pictures"
    assert keys(standard, item["s3_key"]) == [item["s3_key"]]
    assert known(standard, newer["upload"])


def test_forget_deletes_item_picture_and_labelled_copy(
    ops: Ops, stack: Stack, images: Path
) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes(), "a b+c%20ü.jpg")
    heard = len(announced(stack, item["upload"], 1))
    pictures = Uploads(OpsStack(f"test-{stack.outputs['WorkflowType'].lower()}"))
    where = item["s3_bucket"], item["s3_key"], item["etag"]
    copy = pictures.label(item["upload"], *where, "other")
    assert copy.startswith("labelled/other/")
    assert copy.endswith(".jpg")
    assert ops(stack, "forget", item["upload"]).code == 1
    assert known(stack, item["upload"])
    ran = ops(stack, "forget", item["upload"], "--yes")
    assert (ran.code, ran.out.splitlines()[-1]) == (
        0,
        "deleted: objects 2, items 1, dead letters 0",
    )
    assert copy in ran.out
    assert not known(stack, item["upload"])
    assert keys(stack, item["s3_key"]) == keys(stack, copy) == []
    assert ops(stack, "forget", item["upload"]).out.startswith("nothing is known of")
    assert len(announced(stack, item["upload"], 1)) == heard


def test_forget_deletes_what_a_redrive_would_announce(
    ops: Ops, standard: Stack, images: Path
) -> None:
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(standard, queue)
    gone, kept = (decided(standard, (images / "cat.jpg").read_bytes()) for _ in range(2))
    for item in (gone, kept):
        [heard] = announced(standard, item["upload"], 1)
        event = {"detail-type": "Outcome recorded", "source": "scones-unlimited", "detail": heard}
        dead_letter(standard, "AnnouncementsDeadLetterQueue", event)
    ran = ops(standard, "forget", gone["upload"], "--yes")
    assert ran.out.splitlines()[-1] == "deleted: objects 1, items 1, dead letters 1"
    assert ops(standard, "redrive").code == 0
    assert len(announced(standard, kept["upload"], 2)) == 2
    assert len(announced(standard, gone["upload"], 1)) == 1


def test_forget_deletes_nothing_in_a_dry_run_and_counts_as_json(
    ops: Ops, standard: Stack, images: Path
) -> None:
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(standard, queue)
    item = decided(standard, (images / "cat.jpg").read_bytes())
    short = f"{item['s3_key'].removeprefix('uploads/')}#{item['etag'][:8]}"
    ran = ops(standard, "forget", short, "--dry-run", "--yes", "--json")
    assert json.loads(ran.out) == {
        "to_delete": {"item": True, "picture": True, "copies": [], "dead_letters": 0}
    }
    assert known(standard, item["upload"])
    ran = ops(standard, "forget", short, "--yes", "--json")
    assert json.loads(ran.out) == {"objects": 1, "items": 1, "dead_letters": 0}
    assert not known(standard, item["upload"])


def test_forget_takes_the_address_of_the_picture(ops: Ops, standard: Stack, images: Path) -> None:
    item = decided(standard, (images / "cat.jpg").read_bytes())
    address = f"s3://{item['s3_bucket']}/{item['s3_key']}"
    assert ops(standard, "forget", address, "--yes").code == 0
    assert not known(standard, item["upload"])
    ran = ops(standard, "forget", address, "--yes")
    assert (ran.code, f"there is nothing at {address}" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("upload", "told"),
    [
        pytest.param("elsewhere/uploads/a.png#1", "no upload of this stack", id="other-bucket"),
        pytest.param("{bucket}/uploads/a.png", "has no #ETAG", id="no-etag"),
    ],
)
def test_what_names_no_upload_is_refused(ops: Ops, standard: Stack, upload: str, told: str) -> None:
    ran = ops(standard, "forget", upload.format(bucket=standard.outputs["UploadBucket"]))
    assert ran.code == 2
    assert told in ran.err


def test_forget_leaves_a_newer_picture_under_the_same_key(
    ops: Ops, standard: Stack, images: Path
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes())
    newer = decided(
        standard, (images / "cat.jpg").read_bytes(), item["s3_key"].removeprefix("uploads/")
    )
    assert ops(standard, "forget", item["upload"], "--yes").code == 0
    assert keys(standard, item["s3_key"])
    assert known(standard, newer["upload"])


def test_forget_deletes_every_version(ops: Ops, versioned: Stack, images: Path) -> None:
    item = decided(versioned, (images / "cat.jpg").read_bytes())
    versioned.follower.upload((images / "cat.jpg").read_bytes(), item["s3_key"][8:])
    newer = decided(versioned, (images / "bicycle.png").read_bytes(), item["s3_key"][8:])
    ran = ops(None, "forget", item["upload"], "--yes", "--stack", "test-versioned")
    assert ran.out.splitlines()[-1] == "deleted: objects 2, items 1, dead letters 0"
    left = versioned.aws.client("s3").list_object_versions(
        Bucket=item["s3_bucket"], Prefix=item["s3_key"]
    )["Versions"]
    assert [version["ETag"].strip('"') for version in left] == [newer["etag"]]


def test_an_overwritten_picture_is_neither_read_nor_labelled(
    ops: Ops, standard: Stack, images: Path
) -> None:
    del ops
    item = decided(standard, (images / "cat.jpg").read_bytes())
    standard.aws.client("s3").put_object(
        Bucket=item["s3_bucket"], Key=item["s3_key"], Body=b"another"
    )
    pictures = Uploads(OpsStack("test-standard"))
    where = item["s3_bucket"], item["s3_key"], item["etag"]
    with pytest.raises(PictureGone):
        pictures.read(*where)
    with pytest.raises(PictureGone):
        pictures.label(item["upload"], *where, "other")


def test_an_execution_that_still_runs_does_not_record_what_was_forgotten(
    ops: Ops, stack: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, go_on, ended = threading.Event(), threading.Event(), list[str]()
    answer, end = stack.container._container, BaseExecutionWorkerCommunication.terminated

    def late(*request: Any) -> Any:
        asked.set()
        go_on.wait(30)
        return answer(*request)

    def terminated(communication: Any) -> None:
        end(communication)
        ended.append(communication.execution.status)

    monkeypatch.setattr(stack.container, "_container", late)
    monkeypatch.setattr(BaseExecutionWorkerCommunication, "terminated", terminated)
    followed = stack.follower.upload((images / "cat.jpg").read_bytes(), f"{uuid.uuid4()}.jpg")
    assert asked.wait(30)
    ran = ops(stack, "forget", followed.upload, "--yes")
    assert ran.out.splitlines()[-1] == "deleted: objects 1, items 0, dead letters 0"
    go_on.set()
    assert until(lambda: ended) == ["SUCCEEDED"]
    assert not known(stack, followed.upload)
    left = stack.aws.client("dynamodb").get_item(
        TableName=stack.outputs["DecisionsTable"], Key={"upload": {"S": followed.upload}}
    )["Item"]
    assert left.keys() == {"upload", "forgotten_at", "expires_at"}
    kept_s = int(left["expires_at"]["N"]) - time.time()
    assert 47 * 3600 < kept_s <= 48 * 3600
    assert announced(stack, followed.upload, 1) == []
    assert ops(stack, "forget", followed.upload, "--yes").out.startswith("nothing is known of")
    assert ops(stack, "show", followed.upload).code == 1


def test_the_same_picture_uploaded_after_it_was_forgotten_is_a_new_upload(
    ops: Ops, stack: Stack, images: Path
) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes())
    assert ops(stack, "forget", item["upload"], "--yes").code == 0
    later = json.loads(item["event"]) | {"time": "2999-01-01T00:00:00Z"}
    stack.aws.client("s3").put_object(
        Bucket=item["s3_bucket"], Key=item["s3_key"], Body=(images / "cat.jpg").read_bytes()
    )
    start_again(stack, {"event": json.dumps(later)})
    assert until(lambda: known(stack, item["upload"]))
    assert [heard["revision"] for heard in announced(stack, item["upload"], 2)] == ["1", "1"]


def test_a_dead_letter_that_holds_what_forget_left_is_redriven(
    ops: Ops, standard: Stack, images: Path
) -> None:
    empty(standard, "AnnouncementsDeadLetterQueue")
    item = decided(standard, (images / "cat.jpg").read_bytes())
    assert len(announced(standard, item["upload"], 1)) == 1
    assert ops(standard, "forget", item["upload"], "--yes").code == 0
    batch = {"DDBStreamBatchInfo": pointer(standard, item["upload"])}
    dead_letter(standard, "AnnouncementsDeadLetterQueue", batch)
    ran = ops(standard, "redrive")
    assert (ran.code, ran.err) == (0, "")
    assert [heard["revision"] for heard in announced(standard, item["upload"], 2)] == ["1", "1"]


def test_forget_says_first_what_it_cannot_reach(ops: Ops, standard: Stack, images: Path) -> None:
    item = decided(standard, (images / "cat.jpg").read_bytes())
    ran = ops(standard, "forget", item["upload"], "--dry-run")
    page = (ROOT / "docs" / "operate.md").read_text().partition("## Forget a picture")[2]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in page.splitlines()]
    for place in OUT_OF_REACH:
        assert f"\n  {place}\n" in ran.out
        assert place.split(",")[0] in rows
