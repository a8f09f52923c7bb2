"""The stack's policies allow what the commands call, and nothing that none calls.

OperatorPolicy is for all of them, ViewerPolicy for those that only read.
"""

import json
import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from moto.iam.access_control import IAMPolicy, PermissionResult

from ops.__main__ import COMMANDS
from ops.reviewing.reviews import Reviews
from ops.stack.glance import attention
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty, pointer
from tests.support.project import resources
from tests.support.waiting import until
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


# What `status` advises to type, and no command of ops calls.
ADVISED = {"pipes:StartPipe"}


def statements(policy: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = resources("AWS::IAM::ManagedPolicy")[policy]["PolicyDocument"][
        "Statement"
    ]
    return found


def granted(policy: str) -> set[str]:
    actions = [statement["Action"] for statement in statements(policy)]
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
        "logs": lambda: f"log-group:{params['logGroupName']}:log-stream:",
        "cloudwatch": lambda: f"alarm:{params['AlarmNames'][0]}",
    }
    if service in named:
        return f"arn:aws:{service}:{place}:{named[service]()}"
    names = ("stateMachineArn", "executionArn", "mapRunArn", "StreamArn")
    found = [params[name] for name in names if name in params]
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
                if name == "sts:GetCallerIdentity":  # it needs no permission
                    return
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


def children(stack: Stack) -> list[Any]:
    """Return the map runs of the newest backfill."""
    states, machine = stack.aws.client("stepfunctions"), stack.outputs["BackfillWorkflowArn"]
    newest = states.list_executions(stateMachineArn=machine)["executions"][0]["executionArn"]
    found: list[Any] = states.list_map_runs(executionArn=newest)["mapRuns"]
    return found


def policy_of(stack: Stack, output: str) -> IAMPolicy:
    """Return a policy as it is deployed."""
    iam, arn = stack.aws.client("iam"), stack.outputs[output]
    document = iam.get_policy_version(PolicyArn=arn, VersionId="v1")["PolicyVersion"]["Document"]
    return IAMPolicy(json.dumps(document))


def permitted(policies: list[IAMPolicy], call: tuple[str, str]) -> bool:
    return any(
        policy.is_action_permitted(*call) is PermissionResult.PERMITTED for policy in policies
    )


def test_the_policies_grant_what_the_commands_call(
    ops: Ops,
    called: set[tuple[str, str]],
    standard: Stack,
    versioned: Stack,
    images: Path,
    tmp_path: Path,
) -> None:
    run, ran = ops, set()
    read: set[tuple[str, str]] = set()

    def ops(stack: Stack | None, *words: str) -> None:
        ran.add(words[0])
        run(stack, *words)

    @contextmanager
    def reading() -> Iterator[None]:
        before = set(called)
        called.clear()
        yield
        read.update(called)
        called.update(before)

    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(standard, queue)
    seen = decided(standard, (images / "kick-scooter.png").read_bytes())
    reviews = Reviews(OpsStack("test-standard"), "ann")
    read_item = reviews.ledger.get(seen["upload"])
    assert read_item is not None
    reviews.uploads.read(read_item.s3_bucket, read_item.s3_key, read_item.etag)
    reviews.undo(reviews.label(read_item, "other").decision)
    relabelled = decided(standard, (images / "bicycle.png").read_bytes())
    ops(standard, "relabel", relabelled["upload"], "motorcycle")
    standard.aws.client("s3").delete_object(
        Bucket=relabelled["s3_bucket"], Key=relabelled["s3_key"]
    )
    ops(standard, "relabel", relabelled["upload"], "other")  # the copy moves
    ops(standard, "forget", relabelled["upload"], "--yes")
    dead_letter(standard, "UploadEventsDeadLetterQueue", seen["event"])
    dead_letter(standard, "UploadEventsDeadLetterQueue", "strange")
    ancient = decided(standard, b"no image")["upload"]
    batch = {"DDBStreamBatchInfo": pointer(standard, ancient)}
    dead_letter(standard, "AnnouncementsDeadLetterQueue", batch)
    ops(standard, "redrive")
    ops(standard, "announce", "--since", "1h")
    with reading():
        ops(standard, "status")
        ops(standard, "review")
        ops(standard, "review", "--audits")
        ops(standard, "list")
        ops(standard, "show", seen["upload"], "--announcements")
        ops(standard, "quality")
    standard.aws.client("dynamodb").delete_item(
        TableName=standard.outputs["DecisionsTable"], Key={"upload": {"S": seen["upload"]}}
    )
    with reading():
        ops(standard, "reconcile", "--grace", "0m")
    ops(standard, "reconcile", "--start", "--grace", "0m")
    for number in range(60):  # enough to be stopped before all are asked about
        standard.aws.client("s3").put_object(
            Bucket=standard.outputs["UploadBucket"], Key=f"uploads/old/{number}.png", Body=b"old"
        )
    old = ("--prefix", "uploads/old/", "--concurrency", "1")
    with reading():
        ops(standard, "backfill", "plan", *old)
    ops(standard, "backfill", "start", *old, "--yes")
    until(lambda: children(standard))  # else there is no map run to watch
    ops(standard, "backfill", "stop")
    with reading():
        ops(standard, "backfill", "watch")
        ops(standard, "backfill", "list")
    standard.aws.client("dynamodb").update_item(
        TableName=standard.outputs["DecisionsTable"],
        Key={"upload": {"S": ancient}},
        UpdateExpression="SET recorded_at = :then",
        ExpressionAttributeValues={":then": {"S": "2020-02-02T02:02:02.222Z"}},
    )
    ops(standard, "prune", "--older-than", "400d", "--yes")
    answer = {"inferences": [{"label": "cat", "confidence": 0.5}], "model": "not-the-shipped-one"}
    standard.container.tell((200, "application/json", json.dumps(answer).encode()))
    decided(standard, (images / "bicycle.png").read_bytes())  # monitor looks for that model's card
    with reading():
        ops(standard, "export", "--out", str(tmp_path / "definition.json"))
        words = ("--execution", "latest", "--out", str(tmp_path / "execution.svg"))
        ops(standard, "picture", *words)
        ops(standard, "monitor", "--out", str(tmp_path / "ledger"))
        ops(standard, "monitor", "--captures", "--out", str(tmp_path / "captures"))
    ops(standard, "forget", seen["upload"], "--yes")
    again = decided(versioned, (images / "cat.jpg").read_bytes())
    with reading():
        ops(None, "show", again["upload"], "--stack", "test-versioned")
    ops(None, "forget", again["upload"], "--yes", "--stack", "test-versioned")
    empty(standard, "UploadEventsDeadLetterQueue")
    # cost calls nothing, teardown and acceptance are for whoever deploys; console calls what
    # status, list, show, review, picture, quality and monitor call, and PutObject for who may
    assert ran == set(COMMANDS) - {"cost", "teardown", "acceptance", "console"}, (
        "run the new command here: the policy must allow it"
    )
    judged(called | read, "OperatorPolicy", [standard, versioned], ADVISED)
    judged(read, "ViewerPolicy", [standard, versioned])


def judged(
    called: set[tuple[str, str]], policy: str, stacks: list[Stack], advised: Collection[str] = ()
) -> None:
    """Hold calls against a policy; advised: actions that it allows though no command calls them."""
    policies = [policy_of(stack, f"{policy}Arn") for stack in stacks]
    assert granted(policy) == {action for action, _ in called} | set(advised)
    assert {call for call in called if not permitted(policies, call)} == set()
    elsewhere = {(action, arn.replace("test-", "other-")) for action, arn in called} - called
    assert elsewhere
    assert not any(permitted(policies, call) for call in elsewhere)


def test_what_status_advises_is_allowed_to_operators(standard: Stack) -> None:
    """All that can need attention does; what is not allowed says who may do it."""
    name, pipe = (standard.outputs[output] for output in ("EndpointName", "AnnouncementPipe"))
    policies, place = [policy_of(standard, "OperatorPolicyArn")], "us-east-1:123456789012"
    allowed = {
        f"aws pipes start-pipe --name {pipe}": ("pipes:StartPipe", f"pipes:{place}:pipe/{pipe}"),
        f"aws sagemaker describe-endpoint --endpoint-name {name}": (
            "sagemaker:DescribeEndpoint",
            f"sagemaker:{place}:endpoint/{name}",
        ),
    }
    seen = set()
    for status in ("Missing", "Failed"):
        found = {
            "endpoint": {"name": name, "status": status},
            "announcements": {"pipe": pipe, "state": "STOPPED", "reason": "denied"},
            "waiting": {"failures": 1},
            "dead_letters": {"uploads": 1, "announcements": 1},
            "alarms": [],
        }
        for sentence in attention(found, OpsStack("test-standard")):
            if "whoever deploys" in sentence:
                continue
            commands = [command for command in allowed if command in sentence]
            own = re.findall(r"-m ops (\w+)", sentence)
            assert commands or own, sentence
            assert set(own) <= set(COMMANDS)
            for command in commands:
                action, arn = allowed[command]
                assert permitted(policies, (action, f"arn:aws:{arn}"))
            seen.update(commands)
    assert seen == set(allowed)


@pytest.mark.parametrize("policy", ["OperatorPolicy", "ViewerPolicy"])
def test_every_resource_is_of_this_stack(policy: str) -> None:
    names = ("DecisionsTable", "DecisionsBus", "UploadBucket", "ImageWorkflow", "EndpointName")
    names += ("AnnouncementPipe", "BackfillWorkflow", "BackfillsTable")
    for statement in statements(policy):
        found = statement["Resource"]
        for resource in found if isinstance(found, list) else [found]:
            text = json.dumps(resource)
            own = (*names, "DeadLetterQueue.Arn", "stack/${AWS::StackName}/")
            own += ("alarm:${AWS::StackName}-", "AuditLogGroup.Arn")
            assert any(name in text for name in own), statement["Sid"]


def test_a_viewer_may_do_nothing_that_an_operator_may_not() -> None:
    assert granted("ViewerPolicy") < granted("OperatorPolicy")
    verbs = {action.split(":")[1] for action in granted("ViewerPolicy")}
    assert [
        verb
        for verb in verbs
        if not re.match("Get|BatchGet|List|Describe|Query|FilterLogEvents", verb)
    ] == []
