"""Teardown deletes the stack, whoever has its policies, and says what stays."""

import io
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.terminal import own_command
from local.follow import Follower
from local.moto_patches.stack_resources import MetricFilter, Pipe, Transformer
from tests.support.cloud import Cloud, Stack
from tests.support.ops import Ops
from tests.support.workflow import decided

NAME = "test-teardown"
WORDS = ("--stack", NAME)


@pytest.fixture
def doomed(cloud: Cloud) -> Iterator[Stack]:
    """A stack of its own, whose OperatorPolicy a user, a group and a role have."""
    aws, iam = cloud.aws, cloud.aws.client("iam")
    outputs = aws.deploy(NAME)
    policy = outputs["OperatorPolicyArn"]
    iam.create_user(UserName="ann")
    iam.create_group(GroupName="operators")
    iam.create_role(RoleName="on-call", AssumeRolePolicyDocument="{}")
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.attach_group_policy(GroupName="operators", PolicyArn=policy)
    iam.attach_role_policy(RoleName="on-call", PolicyArn=policy)
    iam.attach_user_policy(UserName="ann", PolicyArn=outputs["ViewerPolicyArn"])
    yield Stack(aws, cloud.container, outputs, Follower(aws, outputs))
    for kept in iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"]:
        iam.detach_user_policy(UserName="ann", PolicyArn=kept["PolicyArn"])
    for kept in iam.list_attached_group_policies(GroupName="operators")["AttachedPolicies"]:
        iam.detach_group_policy(GroupName="operators", PolicyArn=kept["PolicyArn"])
    for kept in iam.list_attached_role_policies(RoleName="on-call")["AttachedPolicies"]:
        iam.detach_role_policy(RoleName="on-call", PolicyArn=kept["PolicyArn"])
    iam.delete_user(UserName="ann")
    iam.delete_group(GroupName="operators")
    iam.delete_role(RoleName="on-call")
    aws.client("cloudformation").delete_stack(StackName=NAME)


def status(stack: Stack) -> str:
    """Return the stack's status, DELETE_COMPLETE once it is gone."""
    cloudformation = stack.aws.client("cloudformation")
    try:
        [found] = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    except cloudformation.exceptions.ClientError:
        return "DELETE_COMPLETE"
    return str(found["StackStatus"])


def attached(stack: Stack) -> int:
    """Return how many users, groups and roles have the policies of the stack."""
    iam = stack.aws.client("iam")
    found = iam.list_attached_user_policies(UserName="ann")["AttachedPolicies"]
    found += iam.list_attached_group_policies(GroupName="operators")["AttachedPolicies"]
    found += iam.list_attached_role_policies(RoleName="on-call")["AttachedPolicies"]
    return len(found)


def working(stack: Stack) -> list[str]:
    """Return what of the stack would go on: its pipe, alarms and metric filters."""
    alarms = stack.aws.client("cloudwatch").describe_alarms(AlarmNamePrefix=f"{NAME}-")
    names = [alarm["AlarmName"] for alarm in alarms["MetricAlarms"]]
    names += [made.name for kind in (Pipe, MetricFilter, Transformer) for made in kind.made]
    return [name for name in names if name.startswith(f"{NAME}-")]


def exists(stack: Stack) -> tuple[bool, bool]:
    """Return whether the bucket is there, and whether the table is."""
    buckets = stack.aws.client("s3").list_buckets()["Buckets"]
    return (
        stack.outputs["UploadBucket"] in [bucket["Name"] for bucket in buckets],
        stack.outputs["DecisionsTable"] in stack.aws.client("dynamodb").list_tables()["TableNames"],
    )


def test_it_shows_and_changes_nothing_without_consent(
    ops: Ops, doomed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    ran = ops(None, "teardown", *WORDS)
    assert ran.code == 1
    shown = ops(None, "teardown", "--dry-run", *WORDS)
    assert shown.code == 0
    for whom in ("the user ann", "the group operators", "the role on-call"):
        assert f"  detaches  {NAME}-OperatorPolicy-" in shown.out
        assert f" from {whom}\n" in shown.out
    assert "\n  deletes   the stack\n" in shown.out
    assert f"  keeps     s3://{doomed.outputs['UploadBucket']}\n" in shown.out
    assert f"  keeps     the table {doomed.outputs['DecisionsTable']}\n" in shown.out
    endpoint = doomed.outputs["EndpointName"]
    delete = own_command("model.delete_endpoint", "--name", endpoint)
    assert f"the endpoint {endpoint}, which is billed until {delete}" in shown.out
    assert (attached(doomed), status(doomed)) == (4, "CREATE_COMPLETE")


def test_a_stack_is_deleted_though_its_policies_are_attached(
    ops: Ops, doomed: Stack, images: Path
) -> None:
    decided(doomed, (images / "bicycle.png").read_bytes())
    doomed.aws.client("cloudformation").delete_stack(StackName=NAME)  # as `sam delete` does
    assert status(doomed) == "DELETE_FAILED"
    assert len(working(doomed)) > 3
    ran = ops(None, "teardown", "--yes", *WORDS)
    assert ran.code == 0, ran.err
    assert (attached(doomed), status(doomed)) == (0, "DELETE_COMPLETE")
    assert working(doomed) == []
    assert exists(doomed) == (True, True)
    bucket, table = doomed.outputs["UploadBucket"], doomed.outputs["DecisionsTable"]
    assert ran.out.splitlines()[-2:] == [
        f"  aws s3 rb s3://{bucket} --force --region us-east-1",
        f"  aws dynamodb delete-table --table-name {table} --region us-east-1",
    ]


def test_data_goes_with_all_versions_on_request(ops: Ops, doomed: Stack, images: Path) -> None:
    bucket = doomed.outputs["UploadBucket"]
    doomed.aws.client("s3").put_bucket_versioning(
        Bucket=bucket, VersioningConfiguration={"Status": "Enabled"}
    )
    item = decided(doomed, (images / "bicycle.png").read_bytes())
    doomed.aws.client("s3").delete_object(Bucket=bucket, Key=item["s3_key"])
    ran = ops(None, "teardown", "--data", "--yes", "--json", *WORDS)
    assert ran.code == 0, ran.err
    told = json.loads(ran.out)
    assert told["deleted"] == {"buckets": [bucket], "tables": [doomed.outputs["DecisionsTable"]]}
    assert sorted(entity["name"] for entity in told["detached"]) == [
        *("ann", "ann", "on-call", "operators")
    ]
    assert exists(doomed) == (False, False)


def test_rules_of_others_on_the_bus_are_named_and_nothing_is_changed(
    ops: Ops, doomed: Stack
) -> None:
    events, bus = doomed.aws.client("events"), doomed.outputs["DecisionsBus"]
    pattern = json.dumps({"source": ["scones-unlimited"]})
    events.put_rule(Name="drivers", EventBusName=bus, EventPattern=pattern)
    ran = ops(None, "teardown", "--yes", *WORDS)
    events.delete_rule(Name="drivers", EventBusName=bus)
    assert ran.code == 2
    assert ran.err.startswith(f"error: {bus}/drivers: others have put rules")
    assert (attached(doomed), status(doomed)) == (4, "CREATE_COMPLETE")


def test_what_cloudformation_does_not_delete_is_told_with_its_reason(
    ops: Ops, doomed: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody attaches the policy again while the stack is deleted."""
    iam, policy = doomed.aws.client("iam"), doomed.outputs["ViewerPolicyArn"]
    monkeypatch.setattr("ops.commands.teardown.POLL_S", 1)

    def attach_again(_question: str, _yes: bool) -> bool:
        iam.attach_group_policy(GroupName="operators", PolicyArn=policy)
        return True

    monkeypatch.setattr("ops.commands.teardown.confirmed", attach_again)
    ran = ops(None, "teardown", *WORDS)
    assert ran.code == 2
    assert "ViewerPolicy: Cannot delete a policy attached to entities." in ran.err
    assert f"remove the cause, then {own_command('ops', 'teardown', *WORDS)}" in ran.err


def test_a_stack_that_is_not_there_is_told(ops: Ops) -> None:
    ran = ops(None, "teardown", "--yes", "--stack", "test-nobody")
    assert (ran.code, ran.out) == (2, "")
    assert "there is no stack test-nobody in us-east-1" in ran.err


def test_a_stack_of_another_template_is_left_alone(ops: Ops, standard: Stack) -> None:
    name = f"endpoint-{standard.outputs['EndpointName']}"
    ran = ops(None, "teardown", "--yes", "--stack", name)
    assert (ran.code, ran.out) == (2, "")
    assert f"the stack {name} has no parameters" in ran.err
    cloudformation = standard.aws.client("cloudformation")
    [kept] = cloudformation.describe_stacks(StackName=name)["Stacks"]
    assert kept["StackStatus"] == "CREATE_COMPLETE"
