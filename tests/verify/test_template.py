"""What no public judge of templates sees: test_planted_faults.py plants each of these faults."""

import json
from typing import Any

import pytest

from tests.support.project import resources, template

FUNCTIONS = resources("AWS::Serverless::Function")
RULES = resources("AWS::Events::Rule")


def dead_letter_queues() -> list[tuple[str, str]]:
    """Return (sender, queue) of each EventBridge rule's dead-letter queue, by logical names."""
    found = []
    for name, workflow in resources("AWS::Serverless::StateMachine").items():
        for event, source in workflow.get("Events", {}).items():
            queue = source["Properties"].get("DeadLetterConfig", {}).get("Arn")
            found.append((name + event, queue))  # the name that SAM gives to the rule
    for name, rule in RULES.items():
        for target in rule["Targets"]:
            found.append((name, target.get("DeadLetterConfig", {}).get("Arn")))
    return [
        (sender, queue["Fn::GetAtt"].partition(".")[0] if queue else "") for sender, queue in found
    ]


def allows(statement: dict[str, Any], sender: str, queue: str) -> bool:
    return (
        statement["Effect"] == "Allow"
        and statement["Principal"] == {"Service": "events.amazonaws.com"}
        and statement["Action"] == "sqs:SendMessage"
        and statement["Resource"] == {"Fn::GetAtt": f"{queue}.Arn"}
        and statement["Condition"]
        == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": f"{sender}.Arn"}}}
    )


@pytest.mark.parametrize(("sender", "queue"), dead_letter_queues())
def test_every_rule_may_send_to_its_dead_letter_queue(sender: str, queue: str) -> None:
    """SAM adds no policy to a queue given by ARN; without one dead letters vanish silently."""
    assert any(
        {"Ref": queue} in policy["Queues"]
        and any(allows(each, sender, queue) for each in policy["PolicyDocument"]["Statement"])
        for policy in resources("AWS::SQS::QueuePolicy").values()
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_logs_to_a_group_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"]


def statements(resource: dict[str, Any]) -> list[dict[str, Any]]:
    properties = resource.get("Properties", {})
    documents = [each.get("PolicyDocument", each) for each in properties.get("Policies", [])]
    if resource["Type"] == "AWS::IAM::ManagedPolicy":
        documents.append(properties["PolicyDocument"])
    return [statement for document in documents for statement in document["Statement"]]


def test_the_only_wildcard_resource_is_the_one_that_log_delivery_demands() -> None:
    wild = {
        statement["Sid"]
        for resource in template()["Resources"].values()
        for statement in statements(resource)
        if statement["Effect"] == "Allow" and '"*"' in json.dumps(statement["Resource"])
    }
    assert wild == {"DeliverLogs"}


def test_no_action_is_a_wildcard() -> None:
    for name, resource in template()["Resources"].items():
        for statement in statements(resource):
            assert "*" not in json.dumps(statement["Action"]), name
