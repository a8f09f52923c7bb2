"""The roles that GitHub deploys with: what CloudFormation does for these types, and no more."""

import fnmatch
import tomllib
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local import template as sam
from tests.support.project import ROOT
from tests.verify.application import REGION, Application
from tests.verify.tools import SAM

TEMPLATE = sam.load(ROOT / ".github" / "deploy-role.yaml")
DEPLOY, MAKE = (
    TEMPLATE["Resources"][name]["Properties"] for name in ("DeployRole", "CloudFormationRole")
)
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
TYPES = sorted(
    {resource["Type"] for resource in Application(ROOT).translated["Resources"].values()}
)
# What handlers can do beyond the properties that this template has.
NOT_NEEDED = (
    "ec2:*",  # functions in a VPC
    "elasticfilesystem:*",
    "s3files:*",
    "firehose:*",  # logs and pipes to it
    "kinesis:*",  # a table's changes to it
    "kms:*",  # keys of one's own
    "s3tables:*",  # a bucket's metadata
    "s3:REST.PUT.OBJECT",  # no IAM action
    "iam:CreateServiceLinkedRole",  # replicas, managed rules
    "iam:*GroupPolicy",  # a policy attached where it is declared
    "iam:*UserPolicy",
    "iam:*RolePermissionsBoundary",
)

# Characters of a name, where CloudFormation makes it of stack and resource.
LONGEST = {
    "AWS::CloudWatch::Alarm": 255,
    "AWS::DynamoDB::Table": 255,
    "AWS::Events::EventBus": 256,
    "AWS::Events::Rule": 64,
    "AWS::IAM::ManagedPolicy": 128,
    "AWS::IAM::Role": 64,
    "AWS::Lambda::Function": 64,
    "AWS::Pipes::Pipe": 64,
    "AWS::S3::Bucket": 63,
    "AWS::SNS::Topic": 256,
    "AWS::SQS::Queue": 80,
}


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed(role: dict[str, Any]) -> list[str]:
    [policy] = role["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    return [action for statement in statements for action in listed(statement["Action"])]


@pytest.mark.parametrize("kind", TYPES)
def test_it_may_do_what_the_handlers_of_a_type_do(kind: str) -> None:
    """AWS publishes with each resource type what its handlers call; cfn-lint ships that."""
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    called = {
        action
        for name, handler in schema["handlers"].items()
        for action in handler["permissions"]
        if name != "list"  # for who looks around; a stack's operation lists nothing
    }
    missing = {
        action
        for action in called
        if not any(
            fnmatch.fnmatchcase(action, pattern) for pattern in (*NOT_NEEDED, *allowed(MAKE))
        )
    }
    assert called
    assert missing == set()


def test_what_github_takes_may_make_nothing_itself() -> None:
    services = {action.split(":")[0] for action in allowed(DEPLOY)}
    assert services == {"cloudformation", "s3", "iam"}
    assert [action for action in allowed(DEPLOY) if action.endswith("*")] == []
    assert [action for action in allowed(DEPLOY) if action.startswith("iam:")] == ["iam:PassRole"]
    [trust] = MAKE["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "cloudformation.amazonaws.com"}


def test_an_environment_of_the_workflow_takes_its_own_role_alone() -> None:
    triggers = WORKFLOW[True]  # YAML 1.1 reads `on` so
    offered = triggers["workflow_dispatch"]["inputs"]["environment"]["options"]
    assert TEMPLATE["Parameters"]["Environment"]["AllowedValues"] == offered
    [statement] = DEPLOY["AssumeRolePolicyDocument"]["Statement"]
    subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subject == {"Fn::Sub": "repo:${Repository}:environment:${Environment}"}


def test_the_default_stack_is_that_of_the_default_environment() -> None:
    parameters = TEMPLATE["Parameters"]
    environment = parameters["Environment"]["Default"]
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())[environment]
    stack = configured["global"]["parameters"]["stack_name"]
    assert parameters["StackName"]["Default"] == stack


def test_no_name_is_so_long_that_cloudformation_shortens_the_stacks_part() -> None:
    """It names STACK-RESOURCE-, and 12 characters of its own."""
    stack = TEMPLATE["Parameters"]["StackName"]["MaxLength"]
    assert len(TEMPLATE["Parameters"]["StackName"]["Default"]) <= stack
    named = {
        name: LONGEST[resource["Type"]]
        for name, resource in Application(ROOT).translated["Resources"].items()
        if resource["Type"] in LONGEST
    }
    assert len(named) > 20
    assert {name for name, most in named.items() if stack + len(name) + 14 > most} == set()


def test_github_deploys_with_the_sam_cli_that_was_tested() -> None:
    [step] = [
        step for step in WORKFLOW["jobs"]["deploy"]["steps"] if "setup-sam" in step.get("uses", "")
    ]
    assert step["with"]["version"] == SAM.version
