"""The stack's OperatorPolicy allows what the commands call, and nothing that none calls."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.reviews import Reviews
from ops.stack import Stack as OpsStack
from tests.conftest import Stack
from tests.ops.conftest import Ops, empty
from tests.ops.test_redrive import letter, pointer
from tests.support.project import resources
from tests.workflow.test_routes import decided

# Where an action is not called as the operation is.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
ACTIONS = {
    "s3:HeadObject": {"s3:GetObject"},
    "s3:ListObjectsV2": {"s3:ListBucket"},
    "s3:ListObjectVersions": {"s3:ListBucketVersions"},
    "s3:CopyObject": {"s3:GetObject", "s3:PutObject"},
    "sqs:DeleteMessageBatch": {"sqs:DeleteMessage"},
    "sqs:ChangeMessageVisibilityBatch": {"sqs:ChangeMessageVisibility"},
}
SERVICES = {"dynamodbstreams": "dynamodb", "stepfunctions": "states"}


def statements() -> list[dict[str, Any]]:
    [policy] = resources("AWS::IAM::ManagedPolicy").values()
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def granted() -> set[str]:
    actions = [each["Action"] for each in statements()]
    return {
        each for action in actions for each in ([action] if isinstance(action, str) else action)
    }


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The actions that the calls of every client of ops stacks need."""
    actions: set[str] = set()
    client = OpsStack.client

    def recorded(stack: OpsStack, service: str) -> Any:
        known = service in stack._clients
        found = client(stack, service)
        if not known:

            def record(params: dict[str, Any], model: Any, **_: Any) -> None:
                name = f"{SERVICES.get(service, service)}:{model.name}"
                if name == "s3:DeleteObject" and "VersionId" in params:
                    name = "s3:DeleteObjectVersion"
                actions.update(ACTIONS.get(name, {name}))

            found.meta.events.register("provide-client-params", record)
        return found

    monkeypatch.setattr(OpsStack, "client", recorded)
    return actions


def test_the_policy_grants_what_the_commands_call(
    ops: Ops, called: set[str], standard: Stack, versioned: Stack, images: Path, tmp_path: Path
) -> None:
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(standard, queue)
    seen = decided(standard, (images / "cat.jpg").read_bytes())
    reviews = Reviews(OpsStack("test-standard"), "ann")
    read = reviews.ledger.get(seen["upload"])
    assert read is not None
    reviews.pictures.read(read.s3_key, read.etag)
    reviews.undo(reviews.label(read, "other").decision)
    letter(standard, "UploadEventsDeadLetterQueue", seen["event"])
    letter(standard, "UploadEventsDeadLetterQueue", "strange")
    batch = {"DDBStreamBatchInfo": pointer(standard, decided(standard, b"no image")["upload"])}
    letter(standard, "AnnouncementsDeadLetterQueue", batch)
    ops(standard, "redrive")
    ops(standard, "status")
    ops(standard, "review")
    standard.aws.client("dynamodb").delete_item(
        TableName=standard.outputs["DecisionsTable"], Key={"upload": {"S": seen["upload"]}}
    )
    ops(standard, "reconcile", "--start", "--grace", "0m")
    ops(standard, "prune", "--older-than", "400d", "--yes")
    ops(standard, "export", "--out", str(tmp_path / "definition.json"))
    words = ("--execution", "latest", "--out", str(tmp_path / "execution.svg"))
    ops(standard, "picture", *words)
    ops(standard, "forget", seen["upload"], "--yes")
    again = decided(versioned, (images / "cat.jpg").read_bytes())
    ops(None, "forget", again["upload"], "--yes", "--stack", "test-versioned")
    empty(standard, "UploadEventsDeadLetterQueue")
    assert called - granted() == set()
    assert granted() - called == set()


def test_every_resource_is_of_this_stack() -> None:
    names = ("DecisionsTable", "DecisionsBus", "UploadBucket", "ImageWorkflow", "EndpointName")
    for statement in statements():
        found = statement["Resource"]
        for resource in found if isinstance(found, list) else [found]:
            text = json.dumps(resource)
            own = (*names, "DeadLetterQueue.Arn", "stack/${AWS::StackName}/")
            assert any(name in text for name in own), statement["Sid"]
