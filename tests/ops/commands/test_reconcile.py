"""Every object against the ledger."""

import json
import time
from pathlib import Path

import pytest

from benchmarks.reconcile import measured
from cli.terminal import own_command
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import changed, decided


def forgotten(stack: Stack, images: Path) -> dict[str, str]:
    """Return the item of an upload, after it was taken out of the ledger."""
    item = decided(stack, (images / "bicycle.png").read_bytes())
    client = stack.aws.client("stepfunctions")
    while (
        stack.outputs["WorkflowType"] == "STANDARD"
        and client.describe_execution(executionArn=item["execution"])["status"] == "RUNNING"
    ):
        time.sleep(0.01)
    stack.aws.client("dynamodb").delete_item(
        TableName=stack.outputs["DecisionsTable"], Key={"upload": {"S": item["upload"]}}
    )
    return item


def test_what_the_ledger_knows_is_decided(ops: Ops, stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "bicycle.png").read_bytes(), "in/ö +%.png")
    ran = ops(stack, "reconcile", "--json", "--grace", "0m", "--prefix", item["s3_key"])
    found = json.loads(ran.out)
    assert (ran.code, found["objects"], found["decided"]) == (0, 1, 1)
    assert found["outcomes"] == {"accepted": 1}


def test_a_folder_is_no_object_and_what_is_empty_is_one(ops: Ops, stack: Stack) -> None:
    for key in ("uploads/folders/", "uploads/folders/within/"):
        stack.aws.client("s3").put_object(Bucket=stack.outputs["UploadBucket"], Key=key, Body=b"")
    decided(stack, b"", "folders/empty.png")
    ran = ops(stack, "reconcile", "--json", "--grace", "0m", "--prefix", "uploads/folders/")
    found = json.loads(ran.out)
    assert (ran.code, found["objects"], found["outcomes"]) == (0, 1, {"rejected": 1})


def test_what_is_young_is_in_flight(ops: Ops, stack: Stack, images: Path) -> None:
    item = forgotten(stack, images)
    ran = ops(stack, "reconcile", "--json", "--prefix", item["s3_key"])
    assert (ran.code, json.loads(ran.out)["in_flight"]) == (0, 1)


def test_what_is_missing_is_found_and_started(
    ops: Ops, stack: Stack, images: Path, tmp_path: Path
) -> None:
    item = forgotten(stack, images)
    words = ("--grace", "0m", "--prefix", item["s3_key"], "--missing", str(tmp_path / "missing"))
    time.sleep(1)  # S3 tells whole seconds: younger than now
    ran = ops(stack, "reconcile", *words)
    assert ran.code == 1
    assert f"missing            1  {own_command('ops', 'reconcile', '--start')}" in ran.out
    assert json.loads((tmp_path / "missing").read_text()) == item["s3_key"]
    assert ops(stack, "reconcile", "--newer-than", "0m", *words).code == 0
    ran = ops(stack, "reconcile", "--json", "--start", *words)
    assert (ran.code, json.loads(ran.out)["started"]) == (0, 1)
    again = stack.follower.outcome(item["upload"], patience_s=60)
    assert again is not None
    assert again["outcome"]["S"] == "accepted"
    event = json.loads(again["event"]["S"])
    assert event["detail"]["reason"] == "ops reconcile"
    kept = json.loads(item["event"])
    for event_ in (event, kept):
        for part in ("id", "time"):
            del event_[part]
        for part in ("reason", "request-id", "requester", "source-ip-address"):
            event_["detail"].pop(part, None)
        event_["detail"]["object"].pop("sequencer", None)
    assert event == kept
    assert ops(stack, "reconcile", *words).code == 0


def test_what_is_there_although_the_ledger_says_it_was_gone_is_missing(
    ops: Ops, stack: Stack, images: Path
) -> None:
    """An event was lost: of the bytes that came back under their key."""
    item = decided(stack, (images / "bicycle.png").read_bytes())
    stack.aws.client("dynamodb").update_item(
        TableName=stack.outputs["DecisionsTable"],
        Key={"upload": {"S": item["upload"]}},
        UpdateExpression="SET outcome = :outcome, reason = :reason",
        ExpressionAttributeValues={
            ":outcome": {"S": "superseded"},
            ":reason": {"S": "superseded"},
        },
    )
    time.sleep(1)  # S3 tells whole seconds: younger than now
    words = ("--grace", "0m", "--prefix", item["s3_key"])
    ran = ops(stack, "reconcile", *words)
    assert (ran.code, "missing            1" in ran.out) == (1, True)
    assert ops(stack, "reconcile", "--start", *words).code == 0
    assert changed(stack, item["upload"], "superseded")["outcome"] == "accepted"
    assert ops(stack, "reconcile", *words).code == 0


def test_a_failure_is_not_missing(ops: Ops, stack: Stack, images: Path) -> None:
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    item = decided(stack, (images / "bicycle.png").read_bytes())
    ran = ops(stack, "reconcile", "--grace", "0m", "--prefix", item["s3_key"])
    assert ran.code == 0
    assert f"failed             1  {own_command('ops', 'redrive')}" in ran.out


def test_an_execution_that_cannot_be_started_stays_missing(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = forgotten(standard, images)
    time.sleep(1)
    strange = standard.outputs["StateMachineArn"] + "-gone"
    monkeypatch.setattr("ops.stack.outputs.Stack.state_machine_arn", strange)
    ran = ops(standard, "reconcile", "--start", "--grace", "0m", "--prefix", item["s3_key"])
    assert ran.code == 1
    assert "started            0, refused 1" in ran.out
    assert "StartExecution was refused: StateMachineDoesNotExist" in ran.err


def test_a_prefix_that_starts_nothing_is_refused(ops: Ops, standard: Stack) -> None:
    ran = ops(standard, "reconcile", "--prefix", "labelled/")
    assert (ran.code, ran.out) == (2, "")
    assert "only objects under uploads/" in ran.err


def test_memory_stays_flat() -> None:
    small, _ = measured(10_000)
    large, _ = measured(100_000)
    assert large < small * 1.2
