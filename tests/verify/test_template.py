"""What no public linter of templates sees: test_planted_faults.py plants each of these faults."""

import json
import re
import tomllib
from typing import Any

import pytest

from tests.support.allowances import MANAGED, WILDCARDS
from tests.support.cloud import GRANTING
from tests.support.project import ROOT, resources, template
from tests.verify.application import Application

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
        and any(
            allows(statement, sender, queue) for statement in policy["PolicyDocument"]["Statement"]
        )
        for policy in resources("AWS::SQS::QueuePolicy").values()
    )


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_logs_to_a_group_that_forgets(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    assert resources("AWS::Logs::LogGroup")[group]["RetentionInDays"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_may_write_to_its_own_log_alone(name: str) -> None:
    group = FUNCTIONS[name]["LoggingConfig"]["LogGroup"]["Ref"]
    role = FUNCTIONS[name]["Role"]["Fn::GetAtt"].partition(".")[0]
    granted = [
        statement["Resource"]
        for policy in resources("AWS::IAM::Role")[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Sid"] == "WriteLog"
    ]
    assert granted == [{"Fn::GetAtt": f"{group}.Arn"}]


def statements() -> list[dict[str, Any]]:
    """Return the statements of every identity's policy, SAM's among them, as AWS will see them."""
    found = []
    for document in Application(ROOT, GRANTING).policies().values():
        listed = document["Statement"]
        found += listed if isinstance(listed, list) else [listed]
    return found


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def test_every_resource_with_a_wildcard_is_one_that_is_accounted_for() -> None:
    wild = {
        (
            statement.get("Sid"),
            re.sub(r"scones-unlimited(?=/|-\*)", "STACK", resource.split(":", 5)[-1]).lower(),
        )
        for statement in statements()
        for resource in listed(statement["Resource"])
        if "*" in resource
    }
    assert wild == {(sid, name.lower()) for sid, names in WILDCARDS.items() for name in names}


def test_no_action_is_a_wildcard() -> None:
    for statement in statements():
        assert not [action for action in listed(statement["Action"]) if "*" in action], (
            statement.get("Sid")
        )


def test_the_only_policies_of_aws_s_own_are_those_that_are_accounted_for() -> None:
    attached = {
        (name, arn.rsplit("/", 1)[-1])
        for name, role in Application(ROOT).translated["Resources"].items()
        for arn in role.get("Properties", {}).get("ManagedPolicyArns", [])
    }
    assert attached == set(MANAGED)


def test_one_parameter_switches_all_traces_and_what_they_may() -> None:
    translated = Application(ROOT).translated["Resources"]
    modes = {
        name: found["Properties"]["TracingConfig"]["Mode"]
        for name, found in translated.items()
        if found["Type"] == "AWS::Lambda::Function"
    }
    assert len(modes) == 3
    assert all(mode == {"Ref": "Tracing"} for mode in modes.values())
    for name in ("ImageWorkflow", "BackfillWorkflow"):
        workflow = translated[name]["Properties"]["TracingConfiguration"]
        assert workflow == {"Enabled": {"Fn::If": ["Traces", True, False]}}
    tracing = [found for found in translated.values() if "xray:" in json.dumps(found)]
    assert {found["Condition"] for found in tracing} == {"Traces"}
    roles = [role["Ref"] for found in tracing for role in found["Properties"]["Roles"]]
    functions = ("SerializeFunction", "ClassifyFunction", "FilterFunction")
    assert sorted(roles) == sorted(
        f"{name}Role" for name in ("BackfillWorkflow", "ImageWorkflow", *functions)
    )


def test_the_audit_rule_may_make_streams_and_alone_may_write_events() -> None:
    """CreateLogStream does not name its rule: a condition on that would deny it."""
    [policy] = resources("AWS::Logs::ResourcePolicy").values()
    document = json.loads(Application(ROOT).resolved(policy["PolicyDocument"]))
    group = Application(ROOT).resolved({"Fn::GetAtt": "AuditLogGroup.Arn"})
    rule = Application(ROOT).resolved({"Fn::GetAtt": "AuditRule.Arn"})
    for statement in document["Statement"]:
        assert (statement["Effect"], statement["Resource"]) == ("Allow", group)
        assert "events.amazonaws.com" in statement["Principal"]["Service"]
    assert {
        statement["Action"]: statement.get("Condition") for statement in document["Statement"]
    } == {
        "logs:CreateLogStream": None,
        "logs:PutLogEvents": {"ArnEquals": {"aws:SourceArn": rule}},
    }


def test_the_pipe_may_do_what_aws_asks_for_and_nothing_else() -> None:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html"""
    [pipe] = resources("AWS::Pipes::Pipe").values()
    role = resources("AWS::IAM::Role")[pipe["RoleArn"]["Fn::GetAtt"].partition(".")[0]]
    granted = {
        (action, statement["Resource"]["Fn::GetAtt"])
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        for action in listed(statement["Action"])
    }
    reading = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    queue = pipe["SourceParameters"]["DynamoDBStreamParameters"]["DeadLetterConfig"]["Arn"]
    assert granted == {
        *((f"dynamodb:{action}", pipe["Source"]["Fn::GetAtt"]) for action in reading),
        ("events:PutEvents", pipe["Target"]["Fn::GetAtt"]),
        ("sqs:SendMessage", queue["Fn::GetAtt"]),
    }


def test_the_pipe_s_filters_are_event_patterns() -> None:
    [pipe] = resources("AWS::Pipes::Pipe").values()
    for pattern in pipe["SourceParameters"]["FilterCriteria"]["Filters"]:
        assert json.loads(pattern["Pattern"])["eventName"] == ["INSERT", "MODIFY"]


def test_the_bucket_of_uploads_tells_eventbridge() -> None:
    configuration = resources("AWS::S3::Bucket")["UploadBucket"]["NotificationConfiguration"]
    assert configuration == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}


@pytest.mark.parametrize("name", template()["Parameters"])
def test_every_parameter_is_described_and_in_a_group(name: str) -> None:
    declared = template()["Parameters"][name]
    groups = template()["Metadata"]["AWS::CloudFormation::Interface"]["ParameterGroups"]
    assert declared["Description"]
    assert [name in group["Parameters"] for group in groups].count(True) == 1
    if declared["Type"] == "Number":  # CloudFormation's own text is "must be a number"
        assert declared["ConstraintDescription"]


@pytest.mark.parametrize("environment", ["default", "production"])
def test_sam_build_gets_the_architecture_that_sam_deploy_gets(environment: str) -> None:
    commands = tomllib.loads((ROOT / "samconfig.toml").read_text())[environment]
    overrides = {
        command: settings["parameters"]["parameter_overrides"]
        for command, settings in commands.items()
        if "parameter_overrides" in settings["parameters"]
    }
    assert set(overrides) == {"global"}
    assert any(override.startswith("Architecture=") for override in overrides["global"])


def made_before(name: str) -> set[str]:
    """Return what CloudFormation has made by the time that it begins with a resource."""
    declared = Application(ROOT).translated["Resources"]
    before: set[str] = set()
    waiting = [name]
    while waiting:
        resource = declared[waiting.pop()]
        text = json.dumps(resource)
        named = set(listed(resource.get("DependsOn", [])))
        for reference in re.findall(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)', text):
            named.update(reference)
        waiting += (named & declared.keys()) - before
        before |= named & declared.keys()
    return before


def test_the_pipe_is_made_when_its_role_and_its_stream_are_no_longer_new() -> None:
    """It is refused while they are seconds old: https://github.com/aws/aws-cdk/issues/31211."""
    before = made_before("AnnouncementPipe")
    between = {name for name in before if "AnnouncementPipeRole" in made_before(name)}
    assert {"AuditRule", "AuditLogPolicy"} <= between
    # All that takes minutes: functions, state machine, the rule that starts it.
    assert {"SerializeFunction", "ImageWorkflow", "ImageWorkflowUpload"} <= before
    assert "DecisionsTable" in made_before("AuditRule")
