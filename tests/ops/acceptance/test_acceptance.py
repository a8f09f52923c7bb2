"""`python -m ops acceptance` finds all well on a stack that is, and names what is not."""

import json
from collections.abc import Collection, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote_plus

import pytest
from moto.cloudwatch.models import cloudwatch_backends
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.events.models import events_backends
from moto.iam.models import iam_backends
from moto.s3 import notifications
from moto.s3.models import s3_backends
from moto.sagemaker.models import sagemaker_backends

from local.follow import Follower
from local.moto_patches import pipes
from local.moto_patches.stack_resources import MetricFilter, Pipe, Transformer
from ops.acceptance import checks, decisions
from ops.acceptance.rows import DIFFERS, GOOD, UNCHECKED, Row, exit_code
from ops.acceptance.run import Run
from ops.acceptance.samples import SAMPLES
from ops.acceptance.trials import trials
from ops.stack.outputs import Stack as OpsStack
from tests.ops.test_operator_policy import granted
from tests.support.build import TEMPLATE
from tests.support.cloud import Cloud, Stack
from tests.support.ops import Ops, empty
from tests.support.project import ROOT

REGION = "us-east-1"
KINDS = ("STANDARD", "EXPRESS")
TO_ITEMS = ("bucket events", *(sample.kind for sample in SAMPLES))
TO_RULE = ("rule that listens", "bucket events", "announcements")
PATIENCE_S = 60.0
SHORT_S = 4.0  # what is not there then does not come
DECISIONS = (ROOT / "docs" / "decisions.md").read_text()


def name_of(kind: str) -> str:
    return f"accepted-{kind.lower()}"


@pytest.fixture(scope="module")
def deployed(cloud: Cloud, built: Path | None) -> dict[str, Stack]:
    """Stacks of their own: failures of other tests would keep alarms on for minutes."""
    template = (built / TEMPLATE) if built else ROOT / "template.yaml"
    stacks = {}
    for kind in KINDS:
        outputs = cloud.aws.deploy(name_of(kind), {"WorkflowType": kind}, template)
        follower = Follower(cloud.aws, outputs)
        stacks[kind] = Stack(cloud.aws, cloud.container, outputs, follower)
    return stacks


@pytest.fixture
def stack(deployed: dict[str, Stack], monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    """The STANDARD stack, and the environment in which ops finds it."""
    found = deployed["STANDARD"]
    for name, value in found.aws.environment().items():
        monkeypatch.setenv(name, value)
    # What an earlier run has counted in this minute would count for a later one.
    cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION].metric_data.clear()
    yield found
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(found, queue)


def run_of() -> Run:
    return Run(OpsStack(name_of("STANDARD")), PATIENCE_S)


def rows(run: Run, *names: str, faulty: Collection[str] = ()) -> dict[str, Row]:
    """Make some of the checks; return their rows by name. faulty: those that would wait in vain."""

    def limited(name: str) -> checks.Check:
        def check(run: Run) -> Row:
            run.wait_s = SHORT_S if name in faulty else PATIENCE_S
            return (checks.CHECKS | checks.PROVOKED)[name](run)

        return check

    return {row.what: row for row in checks.rows(run, {name: limited(name) for name in names})}


def left_of(stack: Stack, name: str) -> list[str]:
    """Return everything that bears the name of a run, or part of it."""
    client, outputs = stack.aws.client, stack.outputs
    listed = client("s3").list_objects_v2(Bucket=outputs["UploadBucket"])
    items = client("dynamodb").scan(TableName=outputs["DecisionsTable"])["Items"]
    rules = client("events").list_rules(EventBusName=outputs["DecisionsBus"])["Rules"]
    found = [
        *(entry["Key"] for entry in listed.get("Contents", [])),
        *(item["upload"]["S"] for item in items if "outcome" in item),  # as forget leaves them
        *(rule["Name"] for rule in rules),
        *client("sqs").list_queues().get("QueueUrls", []),
        *(role["RoleName"] for role in client("iam").list_roles()["Roles"]),
    ]
    return [text for text in found if name in text]


@pytest.mark.usefixtures("stack")
@pytest.mark.parametrize("kind", KINDS)
def test_all_rows_are_good_on_a_stack_that_is_well(
    deployed: dict[str, Stack], ops: Ops, kind: str
) -> None:
    done = ops(None, "acceptance", "--stack", name_of(kind), "--wait", "1m", "--json")
    found = json.loads(done.out)
    assert [row for row in found["rows"] if row["result"] != GOOD] == []
    assert [row["what"] for row in found["rows"]] == [*checks.CHECKS, "removed afterwards"]
    assert done.code == 0
    assert found["run"] in done.err
    assert left_of(deployed[kind], found["run"]) == []
    settled = {row["decision"] for row in found["rows"]} - {""}
    assert settled
    for title in settled:
        assert f" - {title}\n" in DECISIONS


def test_a_provoked_failure_is_told_and_removed(stack: Stack) -> None:
    run = run_of()
    found = rows(run, "failure")
    assert found["failure"].result == GOOD, found["failure"]
    assert "StorageRefused" in found["failure"].seen
    assert left_of(stack, run.name) == []


def test_keys_that_come_encoded_are_named(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    send = notifications._send_event_bridge_message

    def encoded(account: str, bucket: Any, event: Any, key: Any) -> None:
        name = quote_plus(key.name, safe="/")
        changed: Any = SimpleNamespace(name=name, size=key.size, etag=key.etag)
        send(account, bucket, event, changed)

    monkeypatch.setattr(notifications, "_send_event_bridge_message", encoded)
    run = run_of()
    found = rows(run, *TO_ITEMS)
    for kind in ("JPEG", "HEIC", "PNG"):
        assert found[kind].result == DIFFERS
        assert "URL-encoded" in found[kind].change
    assert "a+b%2Bc+100%2520+%C3%BC.jpg" in found["JPEG"].seen
    assert left_of(stack, run.name) == []


def test_a_bucket_that_tells_nothing_is_named(stack: Stack) -> None:
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[stack.outputs["UploadBucket"]]
    before, bucket.notification_configuration = bucket.notification_configuration, None
    try:
        found = rows(run_of(), *TO_ITEMS, "executions", faulty=["bucket events"])
    finally:
        bucket.notification_configuration = before
    assert found["bucket events"].result == DIFFERS
    assert "the bucket tells EventBridge nothing" in found["bucket events"].seen
    assert {found[name].result for name in (*TO_ITEMS[1:], "executions")} == {UNCHECKED}


def test_pictures_from_before_the_events_began_are_removed_too(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    send, deaf = notifications._send_event_bridge_message, [True]

    def late(*event: Any) -> None:
        if not deaf:
            send(*event)
        deaf.clear()

    monkeypatch.setattr(notifications, "_send_event_bridge_message", late)
    monkeypatch.setattr(decisions, "ASK_AGAIN_S", 0.5)
    run = run_of()
    assert {row.result for row in rows(run, *TO_ITEMS).values()} == {GOOD}
    assert len(run.lost) >= 1
    assert left_of(stack, run.name) == []


def test_two_executions_of_each_upload_are_named(stack: Stack) -> None:
    name = stack.outputs["StateMachineArn"]
    rules = events_backends[DEFAULT_ACCOUNT_ID][REGION].event_buses["default"].rules.values()
    [rule] = [rule for rule in rules if any(name == target["Arn"] for target in rule.targets)]
    rule.targets.append({**rule.targets[0], "Id": "again"})
    try:
        found = rows(run_of(), *TO_ITEMS, "the same upload twice", "executions")
    finally:
        rule.targets.pop()
    assert found["executions"].result == DIFFERS
    assert "two of each" in found["executions"].seen


def pipe_of(stack: Stack) -> Pipe:
    [found] = [pipe for pipe in Pipe.made if pipe.name == stack.outputs["AnnouncementPipe"]]
    return found


def test_a_quoted_placeholder_is_named_by_the_key_that_it_breaks(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipes, "RETRY_WAITS_S", (0.01,))
    parameters = pipe_of(stack).properties["TargetParameters"]
    before, name = parameters["InputTemplate"], "<$.dynamodb.NewImage.s3_key.S>"
    parameters["InputTemplate"] = before.replace(name, f'"{name}"')
    try:
        found = rows(run_of(), *TO_RULE, "dead letters", faulty=["announcements"])
    finally:
        parameters["InputTemplate"] = before
    row = found["announcements"]
    assert row.result == DIFFERS
    assert row.seen.startswith("5 of 6 items; missing: ")
    assert "'name'.heic" in row.seen
    assert "InputTemplate" in row.change
    assert row.decision == "Placeholders of the pipe stand unquoted"
    assert found["dead letters"].result == DIFFERS


def test_a_value_that_the_pipe_changes_is_named(stack: Stack) -> None:
    parameters = pipe_of(stack).properties["TargetParameters"]
    before = parameters["InputTemplate"]
    parameters["InputTemplate"] = before.replace("NewImage.label.S", "NewImage.model.S")
    try:
        found = rows(run_of(), *TO_RULE, "values of the pipe")
    finally:
        parameters["InputTemplate"] = before
    assert found["values of the pipe"].result == DIFFERS
    assert "not 'bicycle'" in found["values of the pipe"].seen


def test_a_pipe_that_is_stopped_is_named(stack: Stack) -> None:
    client, name = stack.aws.client("pipes"), stack.outputs["AnnouncementPipe"]
    client.stop_pipe(Name=name)
    try:
        names = ("audit log", "metric Decisions", "metric Confidence", "dimensions watched")
        vain = ["announcements", *names]
        found = rows(run_of(), "pipe", *TO_RULE, *names, faulty=vain)
    finally:
        client.start_pipe(Name=name)
    assert (found["pipe"].result, found["pipe"].seen) == (DIFFERS, "STOPPED")
    assert name in found["pipe"].where
    assert found["announcements"].result == DIFFERS
    # What follows from it blames no line of the template.
    assert {found[name].result for name in names[1:3]} == {UNCHECKED}
    assert (found["dimensions watched"].result, found["dimensions watched"].decision) == (GOOD, "")


@pytest.mark.usefixtures("stack")
def test_a_dimension_that_is_misspelt_is_named_with_its_alarm() -> None:
    alarms = cloudwatch_backends[DEFAULT_ACCOUNT_ID][REGION].alarms.values()
    prefix = f"{name_of('STANDARD')}-FailedExecutionsAlarm"
    [alarm] = [alarm for alarm in alarms if alarm.name.startswith(prefix)]
    [first, *_] = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
    first.metric.dimensions[0].name, name = "StateMachine", "dimensions watched"
    try:
        found = rows(run_of(), "bucket events", "alarms", name, faulty=[name])
    finally:
        first.metric.dimensions[0].name = "StateMachineArn"
    assert found["alarms"].result == GOOD  # which is why the dimensions are looked at
    assert found["dimensions watched"].result == DIFFERS
    assert "StateMachine=arn:" in found["dimensions watched"].seen
    assert "FailedExecutionsAlarm" in found["dimensions watched"].seen


def test_an_outcome_that_is_not_counted_is_named(stack: Stack) -> None:
    group = stack.outputs["AuditLogGroup"]
    [made] = [
        metric
        for metric in MetricFilter.made
        if metric.group == group and "DecisionsMetric" in metric.name
    ]
    dimension = made.properties["MetricTransformations"][0]["Dimensions"][0]
    dimension["Key"], name = "Outcom", "metric Decisions"
    try:
        found = rows(run_of(), *TO_RULE, "audit log", name, faulty=[name])
    finally:
        dimension["Key"] = "Outcome"
    assert found["metric Decisions"].result == DIFFERS
    assert "accepted: " in found["metric Decisions"].seen


def test_numbers_that_stay_texts_are_named(stack: Stack) -> None:
    [made] = [made for made in Transformer.made if made.group == stack.outputs["AuditLogGroup"]]
    converter = made.properties["TransformerConfig"].pop()
    try:
        names = ("audit log", "numbers of the log", "metric Confidence")
        found = rows(run_of(), *TO_RULE, *names, faulty=names[2:])
    finally:
        made.properties["TransformerConfig"].append(converter)
    assert found["numbers of the log"].result == DIFFERS
    assert "confidence is '" in found["numbers of the log"].seen
    assert found["metric Confidence"].result == DIFFERS


@pytest.mark.parametrize("queue", ["UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"])
def test_a_queue_without_its_policy_is_named(stack: Stack, queue: str) -> None:
    sqs, url = stack.aws.client("sqs"), stack.outputs[queue]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": ""})
    try:
        found = rows(run_of(), "policies of queues")
    finally:
        sqs.set_queue_attributes(QueueUrl=url, Attributes=policy)
    assert found["policies of queues"].result == DIFFERS
    assert url.rsplit("/", 1)[-1] in found["policies of queues"].seen


def test_an_endpoint_that_captures_nothing_is_named(stack: Stack) -> None:
    endpoints = sagemaker_backends[DEFAULT_ACCOUNT_ID][REGION].endpoints.values()
    name = stack.outputs["EndpointName"]
    [endpoint] = [endpoint for endpoint in endpoints if endpoint.endpoint_name == name]
    before = endpoint.data_capture_config
    endpoint.data_capture_config = {**before, "EnableCapture": False}
    try:
        found = rows(run_of(), "captures")
    finally:
        endpoint.data_capture_config = before
    assert (found["captures"].result, found["captures"].seen) == (DIFFERS, "off")


def test_a_picture_that_failed_is_named_with_its_cause(stack: Stack) -> None:
    stack.container.tell(*[(400, "text/plain", b"no such model")] * 9)
    try:
        run = run_of()
        found = rows(run, *TO_ITEMS)
    finally:
        stack.container.heal()
    assert found["PNG"].result == DIFFERS
    assert found["PNG"].seen.startswith("failed: EndpointRefused")
    assert found["no picture"].result == GOOD
    assert left_of(stack, run.name) == []


def test_an_action_that_the_operator_policy_lacks_is_named(stack: Stack) -> None:
    arn = stack.outputs["OperatorPolicyArn"]
    policy = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].managed_policies[arn]
    [version] = policy.versions
    before: Any = version.document
    name = "operator policy"
    version.document = json.dumps(json.loads(_text(before))).replace("dynamodb:Query", "dynamodb:X")
    try:
        found = rows(run_of(), "bucket events", name, faulty=[name])
    finally:
        version.document = before
    row = found["operator policy"]
    assert (row.result, row.seen) == (DIFFERS, "denied: dynamodb:Query")
    assert "Query is not allowed" in row.where


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


@pytest.mark.usefixtures("stack")
def test_every_action_of_the_operator_policy_is_tried() -> None:
    run = run_of()
    run.remove_later("pictures and items", run.remove_uploads)
    with run.removal:
        begun = checks.CHECKS["bucket events"](run)
        assert begun.result == GOOD
        tried = {action.partition(" ")[0] for action, _ in trials(run, run.stack)}
    assert tried == granted("OperatorPolicy")


def test_an_interrupted_run_removes_what_it_has_made(stack: Stack) -> None:
    run = run_of()
    names = ("rule that listens", "bucket events", "operator policy", "announcements")
    going = checks.rows(run, {name: checks.CHECKS[name] for name in names})
    assert [next(going).result for _ in names[:-1]] == [GOOD] * 3
    assert len(left_of(stack, run.name)) > 8
    with pytest.raises(KeyboardInterrupt):
        going.throw(KeyboardInterrupt)
    assert left_of(stack, run.name) == []
    assert run.left == []


def test_an_interruption_shows_what_was_seen_and_removed(
    stack: Stack, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: Run) -> Row:
        raise KeyboardInterrupt

    chosen = {name: checks.CHECKS[name] for name in ("rule that listens", "bucket events")}
    monkeypatch.setattr(checks, "CHECKS", {**chosen, "announcements": interrupted})
    done = ops(None, "acceptance", "--stack", name_of("STANDARD"), "--json")
    assert done.code == 130
    found = json.loads(done.out)
    assert [row["what"] for row in found["rows"]] == [*chosen, "removed afterwards"]
    assert {row["result"] for row in found["rows"]} == {GOOD}
    assert left_of(stack, found["run"]) == []


@pytest.mark.usefixtures("stack")
def test_what_cannot_be_removed_is_named() -> None:
    run = run_of()
    iam = run.stack.client("iam")
    run.remove_later("role nobody", lambda: iam.delete_role(RoleName="nobody"))
    found = rows(run)["removed afterwards"]
    assert found.result == DIFFERS
    assert "role nobody (DeleteRole was refused" in found.seen


@pytest.mark.usefixtures("stack")
def test_a_check_that_fails_by_itself_keeps_no_other_from_being_made() -> None:
    def broken(_: Run) -> Row:
        raise ZeroDivisionError("broken")

    run = run_of()
    found = list(checks.rows(run, {"broken": broken, "endpoint": checks.CHECKS["endpoint"]}))
    assert [row.result for row in found] == [UNCHECKED, GOOD, GOOD]
    assert found[0].seen == "ZeroDivisionError: broken"
    assert exit_code(found) == 2


def test_a_dry_run_makes_nothing(stack: Stack, ops: Ops) -> None:
    roles = len(stack.aws.client("iam").list_roles()["Roles"])
    done = ops(None, "acceptance", "--stack", name_of("STANDARD"), "--dry-run", "--provoke")
    assert done.code == 0
    assert all(f"  {name}\n" in done.out for name in (*checks.CHECKS, "failure"))
    assert left_of(stack, "acceptance-") == []
    assert len(stack.aws.client("iam").list_roles()["Roles"]) == roles
