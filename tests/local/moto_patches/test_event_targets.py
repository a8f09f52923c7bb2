"""What a rule may have as a target, and what reaches it."""

import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud
from tests.support.rules import Rule
from tests.support.waiting import until

HANDLER = """
def handler(event, context):
    print("called with", event["detail"]["object"]["key"])
    if event["detail"]["object"]["key"] == "bad.png":
        raise ValueError("a bad key")
"""


@pytest.fixture
def rule(cloud: Cloud) -> Rule:
    return Rule(cloud)


@pytest.fixture
def function(cloud: Cloud, rule: Rule) -> Iterator[str]:
    """The ARN of a function that the rule may call, with the rule's queue for dead letters."""
    archive = BytesIO()
    with zipfile.ZipFile(archive, "w") as package:
        package.writestr("app.py", HANDLER)
    iam, functions = cloud.aws.client("iam"), cloud.aws.client("lambda")
    role = iam.create_role(RoleName=rule.name, AssumeRolePolicyDocument="{}")["Role"]["Arn"]
    statement = {"Effect": "Allow", "Action": "sqs:SendMessage", "Resource": rule.queue_arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam.put_role_policy(RoleName=rule.name, PolicyName="send", PolicyDocument=document)
    made = functions.create_function(
        FunctionName=rule.name,
        Runtime="python3.11",
        Role=role,
        Handler="app.handler",
        Code={"ZipFile": archive.getvalue()},
        DeadLetterConfig={"TargetArn": rule.queue_arn},
    )
    yield str(made["FunctionArn"])
    functions.delete_function(FunctionName=rule.name)


def allow(cloud: Cloud, rule: Rule, source: str) -> None:
    cloud.aws.client("lambda").add_permission(
        FunctionName=rule.name,
        StatementId="rule",
        Action="lambda:InvokeFunction",
        Principal="events.amazonaws.com",
        SourceArn=source,
    )


def logged(cloud: Cloud, name: str) -> str:
    logs, group = cloud.aws.client("logs"), f"/aws/lambda/{name}"
    if not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        return ""
    events = logs.filter_log_events(logGroupName=group)["events"]
    return "".join(event["message"] for event in events)


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ({"Arn": "arn:aws:kinesis:us-east-1:123456789012:stream/s"}, "cannot deliver to arn.*it"),
        ({"Arn": "arn:aws:sns:us-east-1:123456789012:topic"}, "delivers to Lambda functions, SQS"),
        ({"Arn": "arn:aws:events:us-east-1:123456789012:api-destination/a/b"}, "cannot deliver"),
        ({"Arn": "arn:aws:states:us-east-1:123456789012:stateMachine:m"}, "RoleArn is required"),
        (
            {"Arn": "arn:aws:sqs:us-east-1:123456789012:queue", "InputPath": "$.detail"},
            "delivers events unchanged: leave InputPath of target 1 out",
        ),
    ],
    ids=["stream", "topic", "api", "no-role", "changed"],
)
def test_a_target_that_no_event_would_reach_is_refused(
    rule: Rule, target: dict[str, Any], reason: str
) -> None:
    with pytest.raises(ClientError, match=reason):
        rule.target(**target)


def test_a_function_is_called_if_its_policy_lets_the_rule(
    cloud: Cloud, rule: Rule, function: str
) -> None:
    allow(cloud, rule, rule.arn)
    rule.target(Arn=function)
    rule.put("good.png")
    assert until(lambda: "called with good.png" in logged(cloud, rule.name))
    assert rule.received() == []


@pytest.mark.parametrize("source", ["", "arn:aws:events:us-east-1:123456789012:rule/another"])
def test_a_function_that_does_not_let_the_rule_is_not_called(
    cloud: Cloud, rule: Rule, function: str, source: str
) -> None:
    if source:
        allow(cloud, rule, source)
    rule.target(
        Arn=function,
        DeadLetterConfig={"Arn": rule.queue_arn},
        RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    )
    rule.put("good.png")
    [letter] = until(lambda: rule.messages(rule.queue))
    assert letter["MessageAttributes"]["ERROR_CODE"]["StringValue"] == "PermissionError"
    assert logged(cloud, rule.name) == ""


def test_an_event_that_a_function_fails_on_is_tried_twice_more_and_kept_by_its_own_queue(
    cloud: Cloud, rule: Rule, function: str
) -> None:
    allow(cloud, rule, rule.arn)
    rule.target(Arn=function)
    rule.put("bad.png")
    [letter] = until(lambda: rule.messages(rule.queue))
    assert json.loads(letter["Body"])["detail"]["object"]["key"] == "bad.png"
    assert letter["MessageAttributes"]["ErrorMessage"]["StringValue"] == "a bad key"
    assert logged(cloud, rule.name).count("called with bad.png") == 3


def test_a_queue_without_a_policy_takes_nothing(rule: Rule) -> None:
    url, arn = rule.make_queue(f"{rule.name}-closed")
    rule.target(
        Arn=arn,
        DeadLetterConfig={"Arn": rule.queue_arn},
        RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    )
    rule.put()
    assert until(rule.received)
    assert rule.received(url) == []


def test_another_bus_hears_what_a_rule_sends_it(rule: Rule) -> None:
    bus = rule.events.create_event_bus(Name=rule.name)["EventBusArn"]
    place = {"Rule": "hears", "EventBusName": rule.name}
    made = rule.events.put_rule(
        Name="hears", EventBusName=rule.name, EventPattern='{"source": ["aws.s3"]}'
    )
    url, arn = rule.make_queue(f"{rule.name}-other-bus")
    rule.let_in(url, arn, made["RuleArn"])
    rule.events.put_targets(**place, Targets=[{"Id": "1", "Arn": arn}])
    rule.target(Arn=bus)
    rule.put("b.png")
    [event] = until(lambda: rule.received(url))
    assert event["detail"]["object"]["key"] == "b.png"
