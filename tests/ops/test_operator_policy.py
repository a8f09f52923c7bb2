"""The stack's OperatorPolicy allows what the commands call, and nothing that none calls."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from ops.__main__ import COMMANDS
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty, pointer
from tests.support.project import resources
from tests.support.workflow import decided

# Where an action is not called as the operation is.
# https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
ACTIONS = {
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjectVersions": "s3:ListBucketVersions",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
SERVICES = {"dynamodbstreams": "dynamodb", "stepfunctions": "states"}


def statements() -> list[dict[str, Any]]:
    [policy] = resources("AWS::IAM::ManagedPolicy").values()
    found: list[dict[str, Any]] = policy["PolicyDocument"]["Statement"]
    return found


def granted() -> set[str]:
    actions = [statement["Action"] for statement in statements()]
    return {
        name for action in actions for name in ([action] if isinstance(action, str) else action)
    }


def arn_of(service: str, params: dict[str, Any]) -> str:
    """Return the resource that a call of a command is about."""
    place = "us-east-1:123456789012"
    if service == "s3":
        key = f"/{params['Key']}" if "Key" in params else ""
        return f"arn:aws:s3:::{params['Bucket']}{key}"
    if service == "sqs":
        return f"arn:aws:sqs:{place}:{params['QueueUrl'].rsplit('/', 1)[-1]}"
    if service == "events":
        return f"arn:aws:events:{place}:event-bus/{params['Entries'][0]['EventBusName']}"
    if service == "dynamodb":
        [table] = params.get("RequestItems", [params.get("TableName")])
        index = f"/index/{params['IndexName']}" if "IndexName" in params else ""
        return f"arn:aws:dynamodb:{place}:table/{table}{index}"
    named = {
        "cloudformation": lambda: f"stack/{params['StackName']}/id",
        "sagemaker": lambda: f"endpoint/{params['EndpointName']}",
        "pipes": lambda: f"pipe/{params['Name']}",
    }
    if service in named:
        return f"arn:aws:{service}:{place}:{named[service]()}"
    found = [
        params[name] for name in ("stateMachineArn", "executionArn", "StreamArn") if name in params
    ]
    # GetRecords names its stream in the iterator alone, after its place: "...|ARN|..."
    return str(found[0]) if found else re.search(r"arn:[^|]+", params["ShardIterator"])[0]  # type: ignore[index]


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """The actions that the calls of every client of ops stacks need, and on which resources."""
    actions: set[tuple[str, str]] = set()
    client = OpsStack.client

    def recorded(stack: OpsStack, service: str) -> Any:
        known = service in stack._clients
        found = client(stack, service)
        if not known:

            def record(params: dict[str, Any], model: Any, **_: Any) -> None:
                name = f"{SERVICES.get(service, service)}:{model.name}"
                if name == "s3:DeleteObject" and "VersionId" in params:
                    name = "s3:DeleteObjectVersion"
                arn = arn_of(service, params)
                if name == "s3:CopyObject":
                    actions.add(("s3:GetObject", arn_of(service, params["CopySource"])))
                    name = "s3:PutObject"
                actions.add((ACTIONS.get(name, name), arn))

            found.meta.events.register("provide-client-params", record)
        return found

    monkeypatch.setattr(OpsStack, "client", recorded)
    return actions


def policy_of(stack: Stack) -> IAMPolicy:
    """Return the policy as it is deployed."""
    iam, arn = stack.aws.client("iam"), stack.outputs["OperatorPolicyArn"]
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    return IAMPolicy(json.dumps(document))


def test_the_policy_grants_what_the_commands_call(
    ops: Ops,
    called: set[tuple[str, str]],
    standard: Stack,
    versioned: Stack,
    images: Path,
    tmp_path: Path,
) -> None:
    run, ran = ops, set()

    def ops(stack: Stack | None, *words: str) -> None:
        ran.add(words[0])
        run(stack, *words)

    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(standard, queue)
    seen = decided(standard, (images / "cat.jpg").read_bytes())
    reviews = Reviews(OpsStack("test-standard"), "ann")
    read = reviews.ledger.get(seen["upload"])
    assert read is not None
    reviews.uploads.read(read.s3_key, read.etag)
    reviews.undo(reviews.label(read, "other").decision)
    dead_letter(standard, "UploadEventsDeadLetterQueue", seen["event"])
    dead_letter(standard, "UploadEventsDeadLetterQueue", "strange")
    batch = {"DDBStreamBatchInfo": pointer(standard, decided(standard, b"no image")["upload"])}
    dead_letter(standard, "AnnouncementsDeadLetterQueue", batch)
    ops(standard, "redrive")
    ops(standard, "announce", "--since", "1h")
    ops(standard, "status")
    ops(standard, "review")
    ops(standard, "list")
    ops(standard, "show", seen["upload"])
    standard.aws.client("dynamodb").delete_item(
        TableName=standard.outputs["DecisionsTable"], Key={"upload": {"S": seen["upload"]}}
    )
    ops(standard, "reconcile", "--start", "--grace", "0m")
    ops(standard, "prune", "--older-than", "400d", "--yes")
    ops(standard, "export", "--out", str(tmp_path / "definition.json"))
    words = ("--execution", "latest", "--out", str(tmp_path / "execution.svg"))
    ops(standard, "picture", *words)
    answer = {"inferences": [{"label": "cat", "confidence": 0.5}], "model": "not-the-shipped-one"}
    standard.container.tell((200, "application/json", json.dumps(answer).encode()))
    decided(standard, (images / "bicycle.png").read_bytes())  # monitor looks for that model's card
    ops(standard, "monitor", "--out", str(tmp_path / "ledger"))
    ops(standard, "monitor", "--captures", "--out", str(tmp_path / "captures"))
    ops(standard, "forget", seen["upload"], "--yes")
    again = decided(versioned, (images / "cat.jpg").read_bytes())
    ops(None, "forget", again["upload"], "--yes", "--stack", "test-versioned")
    empty(standard, "UploadEventsDeadLetterQueue")
    # acceptance is for who deploys: it makes a role, with which it tries this policy itself.
    others = {"cost", "acceptance"}
    assert ran == set(COMMANDS) - others, "run the new command here: the policy must allow it"
    assert granted() == {action for action, _ in called}
    policies = [policy_of(standard), policy_of(versioned)]
    denied = {
        (action, arn)
        for action, arn in called
        if PermissionResult.PERMITTED
        not in [policy.is_action_permitted(action, arn) for policy in policies]
    }
    assert denied == set()
    elsewhere = {(action, arn.replace("test-", "other-")) for action, arn in called} - called
    assert elsewhere
    assert not any(
        policy.is_action_permitted(*call) is PermissionResult.PERMITTED
        for policy in policies
        for call in elsewhere
    )


def test_every_resource_is_of_this_stack() -> None:
    names = ("DecisionsTable", "DecisionsBus", "UploadBucket", "ImageWorkflow", "EndpointName")
    names += ("AnnouncementPipe",)
    for statement in statements():
        found = statement["Resource"]
        for resource in found if isinstance(found, list) else [found]:
            text = json.dumps(resource)
            own = (*names, "DeadLetterQueue.Arn", "stack/${AWS::StackName}/")
            assert any(name in text for name in own), statement["Sid"]
