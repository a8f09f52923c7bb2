"""Each role may do what it does, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from local.moto_patches.permissions import Call
from tests.support.cloud import Stack
from tests.support.permissions import IMAGES, PAGE, every_route, judged, page, recorded
from tests.support.waiting import PATIENCE_S, until
from tests.support.workflow import decided, start_again

STACK = "test-standard"


@pytest.fixture(scope="module")
def calls() -> set[Call]:
    return set()


def test_the_page_tells_what_is_allowed_and_used(standard: Stack, calls: set[Call]) -> None:
    with recorded() as made:
        every_route(standard)
    calls |= made
    proof = judged(standard, STACK, made)
    assert proof.broken == []
    assert page(proof) == PAGE.read_text(), "run `python -m tests.support.permissions`"


@contextmanager
def changed(role: str, sid: str, **change: Any) -> Iterator[None]:
    """Change a statement of the stack's role whose name has that part."""
    roles = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()
    [found] = [known for known in roles if known.name.startswith(f"{STACK}-{role}-")]
    kept = dict(found.policies)
    changes = 0
    for name, document in kept.items():
        policy = json.loads(document if isinstance(document, str) else json.dumps(document))
        statements = policy["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            if statement.get("Sid", "") == sid:
                changes += 1
                statement |= change
        found.policies[name] = json.dumps(policy)
    assert changes == 1
    try:
        yield
    finally:
        found.policies.clear()
        found.policies.update(kept)


@pytest.mark.parametrize(
    ("role", "sid", "change", "words"),
    [
        pytest.param(
            "ClassifyFunctionRole",
            "InvokeEndpoint",
            {"Action": ["sagemaker:InvokeEndpoint", "sagemaker:DeleteEndpoint"]},
            "may sagemaker:DeleteEndpoint on endpoint/scones-image-classifier, and never did",
            id="an action that nothing calls",
        ),
        pytest.param(
            "AnnouncementPipeRole",
            "ReadStream",
            {"Action": ["dynamodb:GetRecords", "dynamodb:DeleteTable"]},
            "may dynamodb:DeleteTable on table/DecisionsTable/stream/LABEL, and never did",
            id="an action that no pipe needs",
        ),
        pytest.param(
            "SerializeFunctionRole",
            "ReadUploads",
            {"Resource": "arn:aws:s3:::*"},
            "may s3:GetObject on *: wider than it has to be",
            id="every bucket",
        ),
        pytest.param(
            "SerializeFunctionRole",
            "ReadUploads",
            {"Resource": "arn:aws:s3:::BUCKET/*"},
            "may s3:GetObject on UploadBucket/*: wider than it has to be",
            id="every object",
        ),
        pytest.param(
            "ClassifyFunctionRole",
            "InvokeEndpoint",
            {"Resource": "arn:aws:sagemaker:us-east-1:123456789012:endpoint/*"},
            "may sagemaker:InvokeEndpoint on endpoint/*: wider than it has to be",
            id="every endpoint",
        ),
        pytest.param(
            "ImageWorkflowRole",
            "CallSteps",
            {"Resource": "arn:aws:lambda:us-east-1:123456789012:function:*"},
            "may lambda:InvokeFunction on function:*: wider than it has to be",
            id="every function",
        ),
    ],
)
def test_a_grant_that_is_too_wide_is_found(
    standard: Stack, calls: set[Call], role: str, sid: str, change: dict[str, Any], words: str
) -> None:
    text = json.dumps(change).replace("BUCKET", standard.outputs["UploadBucket"])
    with changed(role, sid, **json.loads(text)):
        broken = judged(standard, STACK, calls).broken
    assert f"{role} {words}" in broken


def test_a_function_s_call_without_permission_is_refused_and_found(standard: Stack) -> None:
    denied = {"Action": "sagemaker:DescribeEndpoint"}
    with changed("ClassifyFunctionRole", "InvokeEndpoint", **denied), recorded() as made:
        item = decided(standard, (IMAGES / "bicycle.png").read_bytes())
        broken = judged(standard, STACK, made).broken
    assert (item["outcome"], item["reason"]) == ("failed", "EndpointRefused")
    assert any("did sagemaker:InvokeEndpoint" in line and "not allowed" in line for line in broken)


def test_a_state_machine_s_call_without_permission_is_refused_although_another_s_may(
    standard: Stack, express: Stack
) -> None:
    first = decided(standard, (IMAGES / "bicycle.png").read_bytes())
    states = standard.aws.client("stepfunctions")
    denied = {"Action": "dynamodb:GetItem"}
    with changed("ImageWorkflowRole", "RecordOutcome", **denied), recorded() as made:
        arn = start_again(standard, first)
        until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
        broken = judged(standard, STACK, made).broken
        assert decided(express, (IMAGES / "bicycle.png").read_bytes())["outcome"] == "accepted"
    ended = states.describe_execution(executionArn=arn)
    assert (ended["status"], ended["error"]) == ("FAILED", "DynamoDB.AccessDeniedException")
    assert any("did dynamodb:UpdateItem" in line and "not allowed" in line for line in broken)


def test_a_rule_that_may_not_start_the_workflow_leaves_a_dead_letter(standard: Stack) -> None:
    with changed("ImageWorkflowUploadRole", "", Action="states:StopExecution"):
        uploaded = standard.follower.upload(b"", "not-started.png")
        letter = received(standard, "UploadEventsDeadLetterQueue")
    assert json.loads(letter)["detail"]["object"]["key"] == "uploads/not-started.png"
    assert standard.follower.outcome(uploaded.upload, patience_s=0.1) is None


def test_a_pipe_that_may_not_announce_leaves_a_dead_letter(standard: Stack) -> None:
    with changed("AnnouncementPipeRole", "Announce", Action="events:PutRule"):
        uploaded = standard.follower.upload(b"", "not-announced.png")
        assert standard.follower.outcome(uploaded.upload, patience_s=60)
        letter = received(standard, "AnnouncementsDeadLetterQueue")
    assert json.loads(letter)["DDBStreamBatchInfo"]["batchSize"] == 1


def test_a_pipe_that_may_not_keep_dead_letters_loses_them(
    standard: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    with (
        changed("AnnouncementPipeRole", "Announce", Action="events:PutRule"),
        changed("AnnouncementPipeRole", "KeepDeadLetters", Action="sqs:GetQueueUrl"),
        caplog.at_level("WARNING", logger="local.moto_patches.pipes"),
    ):
        standard.follower.upload(b"", "lost.png")
        assert until(lambda: "lost 1 records" in caplog.text)
    assert received(standard, "AnnouncementsDeadLetterQueue", patience_s=0) == ""


def received(stack: Stack, queue: str, patience_s: float = PATIENCE_S) -> str:
    """Take a message out of a queue and return it, or nothing."""
    sqs, url = stack.aws.client("sqs"), stack.outputs[queue]

    def take() -> str:
        for message in sqs.receive_message(QueueUrl=url).get("Messages", []):
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            return str(message["Body"])
        return ""

    return str(until(take, patience_s))
