"""What a rule delivers, and to whom it may."""

import json
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.rules import Rule
from tests.support.waiting import until


def test_a_disabled_rule_is_silent(cloud: Cloud) -> None:
    rule = Rule(cloud, State="DISABLED")
    rule.put("unseen.png")
    rule.events.enable_rule(Name=rule.name)
    rule.put("seen.png")
    [event] = until(rule.received)
    assert event["detail"]["object"]["key"] == "seen.png"


@pytest.mark.parametrize("allowed", [True, False], ids=["with-a-policy", "without-a-policy"])
def test_an_undeliverable_event_is_kept_only_if_the_queue_lets_the_rule_send(
    cloud: Cloud, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rule = Rule(cloud)
    dead_letters, dead_letters_arn = rule.make_queue(f"{rule.name}-dead-letters")
    if allowed:
        rule.let_in(dead_letters, dead_letters_arn)
    rule.target(
        Arn=f"{rule.queue_arn}-gone",
        DeadLetterConfig={"Arn": dead_letters_arn},
        RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    )
    with caplog.at_level("WARNING", logger="local.moto_patches.events"):
        rule.put()
        if allowed:
            [letter] = until(lambda: rule.messages(dead_letters))
            assert json.loads(letter["Body"])["detail"]["object"]["key"] == "a.png"
            attributes = {
                name: attribute["StringValue"]
                for name, attribute in letter["MessageAttributes"].items()
            }
            assert attributes["RULE_ARN"] == rule.arn
            assert set(attributes) == {"ERROR_CODE", "ERROR_MESSAGE", "RULE_ARN", "TARGET_ARN"}
        else:
            assert until(lambda: "dropped: the policy of" in caplog.text)
            assert rule.received(dead_letters) == []


@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [((), False), (("CreateLogStream", "PutLogEvents"), False), (("PutLogEvents",), True)],
    ids=["without a policy", "a condition on the stream", "a condition on the events"],
)
def test_a_log_group_is_written_only_if_its_policy_lets_the_rule(
    cloud: Cloud, conditions: tuple[str, ...], allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """CreateLogStream does not name its rule: a condition on the rule denies it."""
    rule = Rule(cloud)
    logs, arn = cloud.aws.client("logs"), rule.queue_arn.replace(":sqs:", ":logs:")
    arn = arn.replace(rule.name, f"log-group:{rule.name}")
    logs.create_log_group(logGroupName=rule.name)

    def written(group: str) -> Any:
        return logs.filter_log_events(logGroupName=group)["events"]

    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": f"logs:{action}",
            "Resource": f"{arn}:*",
        }
        | (
            {"Condition": {"ArnEquals": {"aws:SourceArn": rule.arn}}}
            if action in conditions
            else {}
        )
        for action in ("CreateLogStream", "PutLogEvents")
    ]
    if conditions:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        logs.put_resource_policy(policyName=rule.name, policyDocument=document)
    rule.target(Arn=arn)
    try:
        with caplog.at_level("WARNING", logger="local.moto_patches.events"):
            rule.put()
            until(lambda: written(rule.name) or "could not deliver" in caplog.text)
    finally:
        if conditions:
            logs.delete_resource_policy(policyName=rule.name)  # AWS and moto keep ten
    assert len(written(rule.name)) == allowed
