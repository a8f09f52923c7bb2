"""Every route of the workflow, on the embedded AWS, for both types of state machine."""

import hashlib
import io
import json
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from PIL import Image

from local.follow import Followed
from tests.support.cloud import Stack
from tests.support.waiting import until
from tests.support.workflow import announced, changed, decided, item_of, start_again

ODD_NAME = "a b+c%20ü.png"


def test_a_sure_inference_is_accepted(stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "large-motorcycle.jpg").read_bytes())
    assert (item["outcome"], item["label"]) == ("accepted", "motorcycle")
    assert float(item["confidence"]) >= float(item["threshold"])
    assert json.loads(item["inferences"])[0]["label"] == "motorcycle"
    assert (item["revision"], item["reason"], item["detail"]) == ("1", "", "")


@pytest.mark.parametrize(
    "name",
    [pytest.param("kick-scooter.png", id="unsure"), pytest.param("cat.jpg", id="other")],
)
def test_what_the_model_cannot_name_is_reviewed(stack: Stack, images: Path, name: str) -> None:
    item = decided(stack, (images / name).read_bytes(), name)
    assert item["outcome"] == item["decision"] == "review"
    assert item["label"]
    assert json.loads(item["inferences"])


def test_what_is_no_image_is_rejected_with_its_reason(stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "no-image.jpg").read_bytes(), "no-image.jpg")
    assert (item["outcome"], item["reason"]) == ("rejected", "unsupported_format")
    assert item["detail"].startswith("unsupported_format: ")
    assert (item["label"], item["confidence"], item["inferences"]) == ("", "0", "[]")


def test_an_odd_key_arrives_as_it_was_given(stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "bicycle.png").read_bytes(), ODD_NAME)
    assert item["s3_key"] == f"uploads/{ODD_NAME}"
    assert item["outcome"] == "accepted"
    [announcement] = announced(stack, item["upload"], 1)
    assert announcement["s3_key"] == f"uploads/{ODD_NAME}"


@pytest.mark.parametrize(
    ("width", "height", "at_least_bytes"),
    [
        pytest.param(400, 300, 300_000, id="300-KB"),
        pytest.param(4000, 3000, 1_000_000, id="12-megapixels"),
    ],
)
def test_a_photo_of_any_size_is_decided(
    stack: Stack, width: int, height: int, at_least_bytes: int
) -> None:
    photo = Image.effect_noise((width, height), 90).convert("RGB")
    buffer = io.BytesIO()
    photo.save(buffer, "PNG" if width < 1000 else "JPEG", quality=80)
    data = buffer.getvalue().ljust(at_least_bytes, b"\0")  # bytes after the end are not looked at
    assert decided(stack, data)["outcome"] in ("accepted", "review")


def test_a_passing_endpoint_fault_is_retried(stack: Stack, images: Path) -> None:
    stack.container.tell((503, "text/plain", b"busy"), (500, "text/plain", b"oops"))
    item = decided(stack, (images / "bicycle.png").read_bytes())
    assert item["outcome"] == "accepted"
    assert stack.container.asked == 3


def test_an_endpoint_that_refuses_is_not_asked_again(stack: Stack, images: Path) -> None:
    stack.container.tell((415, "application/json", b'{"error": "no such type"}'))
    item = decided(stack, (images / "bicycle.png").read_bytes())
    assert (item["outcome"], item["reason"]) == ("failed", "EndpointRefused")
    assert "no such type" in item["detail"]
    assert stack.container.asked == 1


def test_half_an_answer_is_no_answer(stack: Stack, images: Path) -> None:
    stack.container.tell((200, "application/json", b'{"inferences": [{"label": "bic'))
    assert decided(stack, (images / "bicycle.png").read_bytes())["outcome"] == "accepted"


def test_a_success_replaces_a_failure_and_is_announced(stack: Stack, images: Path) -> None:
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    failed = decided(stack, (images / "bicycle.png").read_bytes())
    assert failed["outcome"] == "failed"
    start_again(stack, failed)
    item = changed(stack, failed["upload"], "failed")
    assert (item["outcome"], item["revision"]) == ("accepted", "2")
    announcements = announced(stack, item["upload"], 2)
    assert [(detail["outcome"], detail["revision"]) for detail in announcements] == [
        ("failed", "1"),
        ("accepted", "2"),
    ]


def test_a_failure_after_a_failure_tells_the_newer_cause(stack: Stack, images: Path) -> None:
    """What a redrive meets is what an operator has to mend now."""
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    failed = decided(stack, (images / "bicycle.png").read_bytes())
    stack.container.tell(*[(503, "text/plain", b"busy")] * 5)
    start_again(stack, failed)
    deadline = time.monotonic() + 60
    item = failed
    while item["reason"] == failed["reason"] and time.monotonic() < deadline:
        time.sleep(0.1)
        item = item_of(stack, Followed("", failed["upload"]))
    assert (failed["reason"], failed["revision"]) == ("EndpointRefused", "1")
    assert (item["outcome"], item["reason"]) == ("failed", "EndpointUnavailable")
    assert item["revision"] == "2"
    assert item["execution"] != failed["execution"]
    announcements = announced(stack, item["upload"], 2)
    reasons = [detail["reason"] for detail in announcements]
    assert reasons == ["EndpointRefused", "EndpointUnavailable"]


def test_a_duplicate_event_changes_nothing_and_ends_quietly(standard: Stack, images: Path) -> None:
    first = decided(standard, (images / "bicycle.png").read_bytes(), "duplicate.png")
    arn = start_again(standard, first)
    client = standard.aws.client("stepfunctions")
    deadline = time.monotonic() + 30
    while (status := client.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status == "SUCCEEDED"
    assert "Already decided" in standard.follower.states(arn)
    assert item_of(standard, Followed("", first["upload"])) == first
    assert len(announced(standard, first["upload"], 1)) == 1


def test_a_failure_never_replaces_a_decision(standard: Stack, images: Path) -> None:
    first = decided(standard, (images / "bicycle.png").read_bytes(), "kept.png")
    standard.container.tell((400, "application/json", b'{"error": "broken"}'))
    arn = start_again(standard, first)
    client = standard.aws.client("stepfunctions")
    deadline = time.monotonic() + 30
    while (status := client.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert status == "FAILED"
    assert item_of(standard, Followed("", first["upload"])) == first


def test_an_overwritten_upload_is_superseded_and_the_newer_one_decided(
    stack: Stack, images: Path
) -> None:
    functions = stack.aws.client("lambda")
    [name] = [
        function["FunctionName"]
        for function in functions.list_functions()["Functions"]
        if function["FunctionName"].startswith(
            f"test-{stack.outputs['WorkflowType'].lower()}-Serial"
        )
    ]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    data = (images / "bicycle.png").read_bytes()
    older = stack.follower.upload(data, "overwritten.png")
    newer = stack.follower.upload(data + b"\n", "overwritten.png")
    functions.delete_function_concurrency(FunctionName=name)
    assert item_of(stack, older)["outcome"] == "superseded"
    assert item_of(stack, newer)["outcome"] == "accepted"


def test_bytes_that_come_back_after_they_were_overwritten_are_decided(
    stack: Stack, images: Path
) -> None:
    """Two events of one upload: the first met another picture, the second meets its own."""
    first = decided(stack, (images / "bicycle.png").read_bytes(), "back.png")
    event = json.loads(first["event"])
    older = (images / "cat.jpg").read_bytes()
    event["detail"]["object"]["etag"] = hashlib.md5(older, usedforsecurity=False).hexdigest()
    upload = f"{first['s3_bucket']}/uploads/back.png#{event['detail']['object']['etag']}"
    for _ in range(2):  # delivered twice: the second changes nothing
        start_again(stack, {"event": json.dumps(event)})
        assert item_of(stack, Followed("", upload))["outcome"] == "superseded"
    stack.follower.upload(older, "back.png")
    item = changed(stack, upload, "superseded")
    assert (item["outcome"], item["label"], item["revision"]) == ("review", "other", "2")
    outcomes = [detail["outcome"] for detail in announced(stack, upload, 2)]
    assert outcomes == ["superseded", "review"]


def absent(stack: Stack, images: Path, name: str) -> dict[str, str]:
    """Return the item of a picture's event that came when there was no object of this name."""
    first = decided(stack, (images / "bicycle.png").read_bytes(), f"before-{name}")
    event = json.loads(first["event"])
    event["detail"]["object"]["key"] = f"uploads/{name}"
    event["time"] = "2026-01-31T12:00:00Z"  # before whatever comes under the name later
    start_again(stack, {"event": json.dumps(event)})
    upload = f"{first['s3_bucket']}/uploads/{name}#{first['etag']}"
    item = item_of(stack, Followed("", upload))
    assert (item["outcome"], item["reason"]) == ("rejected", "not_found")
    return item


def test_an_object_that_is_gone_is_rejected(stack: Stack, images: Path) -> None:
    assert absent(stack, images, "gone.png")["revision"] == "1"


def test_an_upload_that_was_deleted_and_comes_again_is_decided(stack: Stack, images: Path) -> None:
    upload = absent(stack, images, "again.png")["upload"]
    stack.follower.upload((images / "bicycle.png").read_bytes(), "again.png")
    item = changed(stack, upload, "rejected")
    assert (item["outcome"], item["reason"], item["revision"]) == ("accepted", "", "2")


def test_what_comes_again_and_fails_waits_for_a_redrive(stack: Stack, images: Path) -> None:
    upload = absent(stack, images, "fails.png")["upload"]
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    stack.follower.upload((images / "bicycle.png").read_bytes(), "fails.png")
    item = changed(stack, upload, "rejected")
    assert (item["outcome"], item["reason"], item["revision"]) == ("failed", "EndpointRefused", "2")


def test_an_error_nobody_foresaw_is_recorded_and_fails_the_execution(
    standard: Stack, images: Path
) -> None:
    """An event without an etag cannot come from S3; whatever fails, the ledger has to record it."""
    first = decided(standard, (images / "bicycle.png").read_bytes(), "unforeseen.png")
    event = json.loads(first["event"])
    event["detail"]["object"]["key"] = ""  # refused by the SDK, before any call
    arn = standard.aws.client("stepfunctions").start_execution(
        stateMachineArn=standard.outputs["StateMachineArn"], input=json.dumps(event)
    )["executionArn"]
    item = item_of(standard, Followed("", f"{first['s3_bucket']}/#{first['etag']}"))
    assert (item["outcome"], item["execution"]) == ("failed", arn)
    client = standard.aws.client("stepfunctions")
    deadline = time.monotonic() + 10
    while (status := client.describe_execution(executionArn=arn)["status"]) == "RUNNING":
        assert time.monotonic() < deadline
        time.sleep(0.02)
    assert status == "FAILED"


def test_uploads_at_once_are_all_decided(stack: Stack, images: Path) -> None:
    data = (images / "bicycle.png").read_bytes()
    with ThreadPoolExecutor(8) as pool:
        items = list(pool.map(lambda n: decided(stack, data, f"at-once-{n}.png"), range(8)))
    assert {item["outcome"] for item in items} == {"accepted"}
    assert len({item["upload"] for item in items}) == 8


def test_the_picture_leaves_the_state_as_soon_as_it_is_classified(
    standard: Stack, images: Path
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes(), "state.png")
    history = standard.aws.client("stepfunctions").get_execution_history(
        executionArn=item["execution"]
    )["events"]
    inputs = {
        entered["name"]: entered["input"]
        for event in history
        if (entered := event.get("stateEnteredEventDetails"))
    }
    assert "image_data" in inputs["Classify image"]
    assert len(inputs["Classify image"].encode()) <= 65_536
    assert "image_data" not in inputs["Filter inferences"] + inputs["Record decision"]


def test_a_folder_is_no_upload(standard: Stack) -> None:
    bucket, client = standard.outputs["UploadBucket"], standard.aws.client("stepfunctions")
    machine = standard.outputs["StateMachineArn"]

    def ended() -> set[str]:
        found = client.list_executions(stateMachineArn=machine)["executions"]
        return {e["executionArn"] for e in found if e["status"] != "RUNNING"}

    before = ended()
    standard.aws.client("s3").put_object(Bucket=bucket, Key="uploads/sub/", Body=b"")
    [arn] = until(lambda: ended() - before)
    assert standard.follower.states(arn) == ["Serialize image", "Folder passed over"]
    items = standard.aws.client("dynamodb").scan(TableName=standard.outputs["DecisionsTable"])
    assert not [i for i in items["Items"] if i["upload"]["S"].startswith(f"{bucket}/uploads/sub/#")]
    # What is empty and no folder is an upload, and rejected.
    assert decided(standard, b"", "empty.png")["reason"] == "empty"


def test_an_archived_object_is_decided_after_it_is_restored_and_redriven(
    stack: Stack, images: Path
) -> None:
    bucket, s3 = stack.outputs["UploadBucket"], stack.aws.client("s3")
    data = (images / "bicycle.png").read_bytes()
    key, etag = "uploads/cold.png", hashlib.md5(data, usedforsecurity=False).hexdigest()
    s3.put_object(Bucket=bucket, Key=key, Body=data, StorageClass="GLACIER")
    item = item_of(stack, Followed("", f"{bucket}/{key}#{etag}"))
    assert (item["outcome"], item["reason"]) == ("failed", "StorageRefused")
    assert "restore it" in item["detail"]
    s3.restore_object(Bucket=bucket, Key=key, RestoreRequest={"Days": 1})
    start_again(stack, item)  # as a redrive does
    assert changed(stack, item["upload"], "failed")["outcome"] == "accepted"


def test_express_keeps_no_history(express: Stack, images: Path) -> None:
    item = decided(express, (images / "bicycle.png").read_bytes(), "express.png")
    client = express.aws.client("stepfunctions")
    for call in (
        lambda: client.get_execution_history(executionArn=item["execution"]),
        lambda: client.describe_execution(executionArn=item["execution"]),
        lambda: client.list_executions(stateMachineArn=express.outputs["StateMachineArn"]),
        lambda: client.stop_execution(executionArn=item["execution"]),
    ):
        with pytest.raises(client.exceptions.ClientError, match="StateMachineTypeNotSupported"):
            call()


def test_a_failed_execution_is_logged_without_its_data(stack: Stack, images: Path) -> None:
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    item = decided(stack, (images / "bicycle.png").read_bytes())
    assert item["outcome"] == "failed"
    logs = stack.aws.client("logs")
    deadline = time.monotonic() + 10
    while True:
        events = logs.filter_log_events(logGroupName=stack.outputs["WorkflowLogGroup"])["events"]
        mine = [event["message"] for event in events if item["execution"] in event["message"]]
        if mine or time.monotonic() > deadline:
            break
        time.sleep(0.05)
    assert len(mine) == 1
    assert "image_data" not in mine[0]


def test_objects_outside_the_prefix_start_nothing(stack: Stack, images: Path) -> None:
    bucket = stack.outputs["UploadBucket"]
    data = (images / "bicycle.png").read_bytes()
    stack.aws.client("s3").put_object(Bucket=bucket, Key="labelled/bicycle/a.png", Body=data)
    # A later upload is decided; had the first started anything, it would be in the ledger too.
    decided(stack, data, "after.png")
    items = stack.aws.client("dynamodb").scan(TableName=stack.outputs["DecisionsTable"])["Items"]
    assert not [item for item in items if item["upload"]["S"].startswith(f"{bucket}/labelled/")]
