"""What AWS does not delete keeps its stack; what it does delete is gone."""

import json
from collections.abc import Iterator
from itertools import takewhile

import pytest

from local.cloud import EmbeddedAws
from tests.support.cloud import Cloud

NAME = "patch-deletions"
RULE = {"source": ["scones-unlimited"]}
TEMPLATE = {
    "Resources": {
        "Bus": {"Type": "AWS::Events::EventBus", "Properties": {"Name": NAME}},
        "Own": {
            "Type": "AWS::Events::Rule",
            "Properties": {"EventBusName": {"Ref": "Bus"}, "EventPattern": RULE},
        },
        "Policy": {
            "Type": "AWS::IAM::ManagedPolicy",
            "Properties": {
                "PolicyDocument": {
                    "Version": "2012-10-17",
                    "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}],
                }
            },
        },
    },
    "Outputs": {"Policy": {"Value": {"Ref": "Policy"}}},
}


@pytest.fixture
def policy(cloud: Cloud) -> Iterator[str]:
    """The ARN of a stack's policy; the stack has a bus with a rule of its own as well."""
    cloudformation = cloud.aws.client("cloudformation")
    cloudformation.create_stack(StackName=NAME, TemplateBody=json.dumps(TEMPLATE))
    [stack] = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    yield stack["Outputs"][0]["OutputValue"]
    cloudformation.delete_stack(StackName=NAME)


def reasons(aws: EmbeddedAws) -> list[str]:
    """Delete the stack; return why its resources were not deleted."""
    cloudformation = aws.client("cloudformation")
    [stack] = cloudformation.describe_stacks(StackName=NAME)["Stacks"]
    cloudformation.delete_stack(StackName=NAME)
    [after] = cloudformation.describe_stacks(StackName=stack["StackId"])["Stacks"]
    events = cloudformation.describe_stack_events(StackName=stack["StackId"])["StackEvents"]
    last = takewhile(lambda event: event["ResourceStatus"] != "DELETE_IN_PROGRESS", events)
    failed = [event for event in last if event["ResourceStatus"] == "DELETE_FAILED"]
    assert after["StackStatus"] == ("DELETE_FAILED" if failed else "DELETE_COMPLETE")
    return [event["ResourceStatusReason"] for event in failed if event["LogicalResourceId"] != NAME]


def test_a_policy_that_is_attached_keeps_its_stack(cloud: Cloud, policy: str) -> None:
    iam = cloud.aws.client("iam")
    iam.create_group(GroupName=NAME)
    iam.attach_group_policy(GroupName=NAME, PolicyArn=policy)
    assert reasons(cloud.aws) == ["Cannot delete a policy attached to entities."]
    iam.detach_group_policy(GroupName=NAME, PolicyArn=policy)
    assert reasons(cloud.aws) == []
    assert policy not in [found["Arn"] for found in iam.list_policies(Scope="Local")["Policies"]]
    iam.delete_group(GroupName=NAME)


@pytest.mark.usefixtures("policy")
def test_a_rule_of_others_on_a_bus_keeps_its_stack(cloud: Cloud) -> None:
    events = cloud.aws.client("events")
    events.put_rule(Name="theirs", EventBusName=NAME, EventPattern=json.dumps(RULE))
    assert reasons(cloud.aws) == ["EventBus can't be deleted since it has rules."]
    events.delete_rule(Name="theirs", EventBusName=NAME)
    assert reasons(cloud.aws) == []
