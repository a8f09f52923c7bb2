"""The state machine of backfills on the embedded AWS, for both types of image workflow."""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

import pytest
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from tests.support.backfill import (
    BUCKET,
    INVENTORIES,
    allowance,
    counts,
    ended,
    inventory,
    put,
    recorded,
    start,
)
from tests.support.cloud import Stack

FIFTY = 50
TIMEOUT_S = 5  # of the state that starts a workflow
ODD_NAMES = ("a b+c%20ü.png", "100 %.png", 'quote".png')


@pytest.fixture
def picture(images: Path) -> bytes:
    return (images / "bicycle.png").read_bytes()


def test_it_decides_what_has_no_outcome_and_a_second_run_starts_nothing(
    stack: Stack, picture: bytes
) -> None:
    names = [*ODD_NAMES, *(f"{number:02}.png" for number in range(FIFTY - 4))]
    prefix = put(stack, dict.fromkeys(names, picture) | {"broken.png": b"no picture"})
    run = start(stack, prefix)
    assert ended(stack, run)["status"] == "SUCCEEDED"
    items = recorded(stack, prefix)
    assert set(items) == {*names, "broken.png"}
    assert items.pop("broken.png")["outcome"] == "rejected"
    assert {item["outcome"] for item in items.values()} == {"accepted"}
    assert {item["origin"] for item in items.values()} == {"backfill"}
    assert {item["revision"] for item in items.values()} == {"1"}
    assert allowance(stack, run) == (1000 - FIFTY, FIFTY)
    again = start(stack, prefix)
    assert ended(stack, again)["status"] == "SUCCEEDED"
    assert allowance(stack, again) == (1000, 0)


def test_an_event_of_a_backfill_says_when_the_object_was_uploaded_and_by_which_run(
    standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {"a.png": picture})
    run = start(standard, prefix)
    ended(standard, run)
    item = recorded(standard, prefix)["a.png"]
    head = standard.aws.client("s3").head_object(Bucket=BUCKET, Key=f"{prefix}a.png")
    assert item["uploaded_at"] == head["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ")
    event = json.loads(item["event"])
    assert event["resources"] == [f"arn:aws:s3:::{BUCKET}", run]
    assert event["detail"]["object"]["size"] == len(picture)


def test_the_allowance_ends_the_run_and_no_photo_more_is_started(
    stack: Stack, picture: bytes
) -> None:
    prefix = put(stack, {f"{number:02}.png": picture for number in range(30)})
    run = start(stack, prefix, allowance=7, concurrency=5)
    end = ended(stack, run)
    assert (end["status"], end["error"]) == ("ABORTED", "AllowanceUsedUp")
    assert allowance(stack, run) == (0, 7)
    settled(stack, prefix, 7)


def settled(stack: Stack, prefix: str, expected: int) -> None:
    """Hold that as many uploads get an outcome, and no more."""
    deadline = time.monotonic() + 30
    while len(recorded(stack, prefix)) < expected and time.monotonic() < deadline:
        time.sleep(0.2)
    time.sleep(2)  # as long as a photo takes here, should one be on its way still
    assert len(recorded(stack, prefix)) == expected


def test_a_run_that_is_stopped_leaves_nothing_half_done_and_the_next_does_the_rest(
    stack: Stack, picture: bytes
) -> None:
    prefix = put(stack, {f"{number:02}.png": picture for number in range(20)})
    run = start(stack, prefix, concurrency=4)
    while allowance(stack, run)[1] < 6:
        time.sleep(0.1)
    stack.aws.client("stepfunctions").stop_execution(executionArn=run)
    assert ended(stack, run)["status"] == "ABORTED"
    time.sleep(0.5)  # a child that had taken from the allowance may start its photo still
    before = allowance(stack, run)[1]
    assert before < 20
    assert ended(stack, start(stack, prefix))["status"] == "SUCCEEDED"
    items = recorded(stack, prefix)
    assert len(items) == 20
    assert {item["revision"] for item in items.values()} == {"1"}


def test_what_is_gone_or_left_out_costs_nothing(standard: Stack, picture: bytes) -> None:
    prefix = put(standard, {f"{number}.png": picture for number in range(4)})
    key = inventory(standard, prefix)
    standard.aws.client("s3").delete_object(Bucket=BUCKET, Key=f"{prefix}0.png")
    run = start(standard, prefix, inventory={"bucket": INVENTORIES, "key": key})
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert set(recorded(standard, prefix)) == {"1.png", "2.png", "3.png"}
    assert allowance(standard, run)[1] == 3
    none = start(standard, put(standard, {"a.png": picture}), sample_below="0")
    assert ended(standard, none)["status"] == "SUCCEEDED"
    assert allowance(standard, none)[1] == 0


def test_nothing_is_started_of_which_the_workflow_would_record_nothing(
    standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {"a.png": picture, "folder/": b""})
    s3, dynamodb = standard.aws.client("s3"), standard.aws.client("dynamodb")
    etag = s3.head_object(Bucket=BUCKET, Key=f"{prefix}a.png")["ETag"].strip('"')
    forgotten = {"upload": {"S": f"{BUCKET}/{prefix}a.png#{etag}"}, "forgotten_at": {"S": "2999"}}
    dynamodb.put_item(TableName=standard.outputs["DecisionsTable"], Item=forgotten)
    run = start(standard, prefix)
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert counts(standard, run)["succeeded"] == 2
    assert allowance(standard, run) == (1000, 0)


def test_what_was_overwritten_since_an_inventory_is_left_to_one_that_lists_it(
    standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {"a.png": picture, "b.png": picture})
    key = inventory(standard, prefix)
    standard.aws.client("s3").put_object(Bucket=BUCKET, Key=f"{prefix}a.png", Body=b"newer")
    run = start(standard, prefix, inventory={"bucket": INVENTORIES, "key": key})
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert set(recorded(standard, prefix)) == {"b.png"}
    assert allowance(standard, run)[1] == 1


def test_what_is_forgotten_while_it_is_on_its_way_ends_its_child(
    standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {"a.png": picture})
    etag = hashlib.md5(picture, usedforsecurity=False).hexdigest()
    item = {"upload": {"S": f"{BUCKET}/{prefix}a.png#{etag}"}, "forgotten_at": {"S": "2999"}}
    run = start(standard, prefix)
    while allowance(standard, run)[1] < 1:
        time.sleep(0.01)
    table = standard.outputs["DecisionsTable"]
    standard.aws.client("dynamodb").put_item(TableName=table, Item=item)
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert counts(standard, run)["succeeded"] == 1
    assert recorded(standard, prefix) == {}


def test_an_inventory_of_a_whole_bucket_is_taken_under_the_prefix_alone(
    standard: Stack, picture: bytes
) -> None:
    inside, outside = (put(standard, {"a.png": picture}) for _ in range(2))
    key = inventory(standard, "")
    run = start(standard, inside, inventory={"bucket": INVENTORIES, "key": key})
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert len(recorded(standard, inside)) == 1
    assert recorded(standard, outside) == {}


def test_more_failures_than_are_tolerated_end_the_run(stack: Stack, picture: bytes) -> None:
    prefix = put(stack, {f"{number:02}.png": picture for number in range(12)})
    refused = (400, "application/json", b'{"error": "broken"}')
    stack.container.tell(*[refused] * 12)
    run = start(stack, prefix, concurrency=2, tolerated_failure_percentage=20)
    end = ended(stack, run)
    assert (end["status"], end["error"]) == ("FAILED", "States.ExceedToleratedFailureThreshold")
    assert 2 < counts(stack, run)["failed"] < 12
    failures = [item for item in recorded(stack, prefix).values() if item["outcome"] == "failed"]
    assert {item["reason"] for item in failures} == {"EndpointRefused"}


def test_a_start_whose_answer_came_too_late_is_not_another_one(
    standard: Stack, picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[str] = []
    starting = StepFunctionsParserBackend.start_execution

    def late(backend: Any, arn: str, name: str, *args: Any, **kwargs: Any) -> Any:
        if name.startswith("backfill-"):
            begun.append(name)
        found = starting(backend, arn, name, *args, **kwargs)
        if len(begun) == 1:
            time.sleep(TIMEOUT_S + 1)  # the execution has ended by then
        return found

    prefix = put(standard, {"a.png": picture})
    monkeypatch.setattr(StepFunctionsParserBackend, "start_execution", late)
    run = start(standard, prefix)
    assert ended(standard, run)["status"] == "SUCCEEDED"
    assert counts(standard, run)["succeeded"] == 1
    assert len(begun) > 1
    assert len(set(begun)) == 1
    [item] = recorded(standard, prefix).values()
    assert (item["outcome"], item["revision"]) == ("accepted", "1")
    assert item["execution"].endswith(f":{begun[0]}")


def test_a_bucket_that_no_parameter_names_is_refused(standard: Stack, picture: bytes) -> None:
    prefix = put(standard, {"a.png": picture}, bucket="somebody-elses")
    end = ended(standard, start(standard, prefix, bucket="somebody-elses"))
    assert end["status"] == "FAILED"
    assert recorded(standard, prefix) == {}


def test_the_results_are_written_beside_the_uploads(standard: Stack, picture: bytes) -> None:
    run = start(standard, put(standard, {"a.png": picture}))
    output = json.loads(ended(standard, run)["output"])
    place = output["ResultWriterDetails"]
    assert place["Key"].startswith(f"backfills/{run.rpartition(':')[2]}/")
    s3 = standard.aws.client("s3")
    manifest = json.load(s3.get_object(**place)["Body"])
    [file] = manifest["ResultFiles"]["SUCCEEDED"]
    [result] = json.load(s3.get_object(Bucket=place["Bucket"], Key=file["Key"])["Body"])
    assert json.loads(result["Output"]) == {"S": "accepted"}
