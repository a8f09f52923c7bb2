"""The roles that GitHub deploys with: what CloudFormation does for these types, and no more."""

import fnmatch
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cfnlint
import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local import template as sam
from tests.support.project import ROOT
from tests.verify.application import ACCOUNT, PSEUDO_PARAMETERS, REGION, Application
from tests.verify.tools import SAM

TEMPLATE = sam.load(ROOT / ".github" / "deploy-role.yaml")
DEPLOY, MAKE = (
    TEMPLATE["Resources"][name]["Properties"] for name in ("DeployRole", "CloudFormationRole")
)
WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
APPLICATION = Application(ROOT)
TYPES = sorted({resource["Type"] for resource in APPLICATION.translated["Resources"].values()})
STACK = PSEUDO_PARAMETERS["AWS::StackName"]
# AWS's list of actions, each with the kinds of resources that a policy may name for it:
# https://docs.aws.amazon.com/service-authorization/latest/reference/
ACTIONS: dict[str, Any] = json.loads(
    (Path(cfnlint.__file__).parent / "data/AdditionalSpecs/Policies.json").read_text()
)
# What handlers can do beyond the properties that this template has, on a kind that the stack has.
NOT_NEEDED = (
    "ec2:*",  # functions in a VPC
    "kms:*",  # keys of one's own
    "s3:REST.PUT.OBJECT",  # no IAM action
    "s3:GetObjectMetadata",  # no IAM action
    "s3:GetObjectVersion",  # SAM names a package without a version
    "iam:CreateServiceLinkedRole",  # replicas, managed rules
    "iam:*RolePermissionsBoundary",
)
# The packages that the stack of the SAM CLI's bucket holds of this stack and of another.
PACKAGES = "arn:aws:s3:::aws-sam-cli-managed-default-samclisourcebucket-0a1b2c"
PACKAGE, OTHER_PACKAGE = f"{PACKAGES}/{STACK}/0a1b", f"{PACKAGES}/another-stack/0a1b"
HERE = f"{REGION}:{ACCOUNT}"
# The kinds of resources that the stack has: the type that makes them, and their ARNs.
KINDS = {
    "cloudwatch:alarm": ("AWS::CloudWatch::Alarm", [f"cloudwatch:{HERE}:alarm:{{}}"]),
    "cloudwatch:dashboard": (
        "AWS::CloudWatch::Dashboard",
        [f"cloudwatch::{ACCOUNT}:dashboard/{{}}"],
    ),
    "dynamodb:index": ("AWS::DynamoDB::Table", [f"dynamodb:{HERE}:table/{{}}/index/by-time"]),
    "dynamodb:stream": ("AWS::DynamoDB::Table", [f"dynamodb:{HERE}:table/{{}}/stream/2026"]),
    "dynamodb:table": ("AWS::DynamoDB::Table", [f"dynamodb:{HERE}:table/{{}}"]),
    "events:event-bus": ("AWS::Events::EventBus", [f"events:{HERE}:event-bus/{{}}"]),
    "events:rule-on-custom-event-bus": (
        "AWS::Events::Rule",
        [f"events:{HERE}:rule/{STACK}-decisions/{{}}"],
    ),
    "events:rule-on-default-event-bus": ("AWS::Events::Rule", [f"events:{HERE}:rule/{{}}"]),
    "iam:policy": ("AWS::IAM::ManagedPolicy", [f"iam::{ACCOUNT}:policy/{{}}"]),
    "iam:role": ("AWS::IAM::Role", [f"iam::{ACCOUNT}:role/{{}}"]),
    "lambda:function": ("AWS::Lambda::Function", [f"lambda:{HERE}:function:{{}}"]),
    "logs:log-group": (
        "AWS::Logs::LogGroup",
        [f"logs:{HERE}:log-group:{{}}", f"logs:{HERE}:log-group:{{}}:*"],
    ),
    "pipes:pipe": ("AWS::Pipes::Pipe", [f"pipes:{HERE}:pipe/{{}}"]),
    "s3:bucket": ("AWS::S3::Bucket", ["s3:::{}"]),
    "sns:topic": ("AWS::SNS::Topic", [f"sns:{HERE}:{{}}", f"sns:{HERE}:{{}}:0a1b"]),
    "sqs:queue": ("AWS::SQS::Queue", [f"sqs:{HERE}:{{}}"]),
    "states:statemachine": (
        "AWS::StepFunctions::StateMachine",
        [f"states:{HERE}:stateMachine:{{}}"],
    ),
}
# CloudFormation names these RESOURCE-CHARACTERS, others STACK-RESOURCE-CHARACTERS.
NAMED_WITHOUT_STACK = ("AWS::Pipes::Pipe", "AWS::StepFunctions::StateMachine")

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


def statements(name: str) -> list[dict[str, Any]]:
    """Return what a policy of the roles allows, its references resolved for the stack."""
    roles = Application(ROOT, {"StackName": STACK, "Repository": "owner/name"})
    roles.translated = TEMPLATE
    found: list[dict[str, Any]] = roles.policies()[name]["Statement"]
    return found


def permitted(name: str, action: str, resource: str) -> bool:
    return any(
        fnmatch.fnmatchcase(action, pattern) and fnmatch.fnmatchcase(resource, arn)
        for statement in statements(name)
        for pattern in listed(statement["Action"])
        for arn in listed(statement["Resource"])
    )


def names(kind: str) -> Iterator[str]:
    """Yield the names of the stack's resources of a type, as CloudFormation gives them."""
    for logical, resource in APPLICATION.translated["Resources"].items():
        if resource["Type"] != kind:
            continue
        properties = resource.get("Properties", {})
        given = {"Name", "LogGroupName", "DashboardName"} & properties.keys()
        if given:
            yield APPLICATION.resolved(properties[given.pop()])
        else:
            name = f"{logical}-0A1B" if kind in NAMED_WITHOUT_STACK else f"{STACK}-{logical}-0A1B"
            yield name.lower() if kind == "AWS::S3::Bucket" else name


def arns(kind: str) -> list[str]:
    """Return the ARNs of the stack's resources of a kind of AWS's list; [] if it has none."""
    made_by, forms = KINDS.get(kind, ("", []))
    return [f"arn:aws:{form.format(name)}" for name in names(made_by) for form in forms]


def resources_of(action: str, handled: str) -> list[str]:
    """Return what a handler of a type does an action to: ARNs, or "*" where it can name none."""
    service, name = action.split(":")
    actions = {known.lower(): of for known, of in ACTIONS[service]["Actions"].items()}
    if name.lower() not in actions:  # the handler's list goes beyond IAM's
        kinds = [kind for kind, (made_by, _) in KINDS.items() if made_by == handled]
    elif not (found := actions[name.lower()].get("Resources")):
        return ["*"]
    else:
        kinds = [f"{service}:{kind}" for kind in found]
    objects = [f"{arn}/photo.jpg" for arn in arns("s3:bucket")]
    if "s3:object" in kinds and handled != "AWS::S3::Bucket":
        objects = [PACKAGE]
    return [arn for kind in kinds for arn in (objects if kind == "s3:object" else arns(kind))]


@pytest.mark.parametrize("kind", TYPES)
def test_it_may_do_what_the_handlers_of_a_type_do_to_what_the_stack_has(kind: str) -> None:
    """AWS publishes with each resource type what its handlers call; cfn-lint ships that."""
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    called = {
        action
        for name, handler in schema["handlers"].items()
        for action in handler["permissions"]
        if name != "list"  # for who looks around; a stack's operation lists nothing
    }
    missing = {
        (action, resource)
        for action in called
        if not any(fnmatch.fnmatchcase(action, pattern) for pattern in NOT_NEEDED)
        for resource in resources_of(action, kind)
        if not permitted("CloudFormationRole/MakeStack", action, resource)
    }
    assert called
    assert missing == set()


def test_only_what_can_name_no_resource_is_allowed_on_all() -> None:
    everywhere = {
        action
        for statement in statements("CloudFormationRole/MakeStack")
        if "*" in listed(statement["Resource"])
        for action in listed(statement["Action"])
    }
    # AWS's list has named a topic for it only lately; a refusal would leave the stack undeleted.
    everywhere.remove("sns:Unsubscribe")
    assert {action for action in everywhere if resources_of(action, "") != ["*"]} == set()


@pytest.mark.parametrize(
    ("policy", "action"),
    [
        ("DeployRole/Deploy", "s3:GetObject"),
        ("DeployRole/Deploy", "s3:PutObject"),
        ("CloudFormationRole/MakeStack", "s3:GetObject"),
    ],
    ids=["read", "write", "cloudformation"],
)
def test_it_reaches_the_packages_of_its_own_stack_alone(policy: str, action: str) -> None:
    assert permitted(policy, action, PACKAGE)
    assert not permitted(policy, action, OTHER_PACKAGE)
    assert not permitted(policy, action, PACKAGES)


@pytest.mark.parametrize("environment", TEMPLATE["Parameters"]["Environment"]["AllowedValues"])
def test_sam_puts_packages_where_the_role_may(environment: str) -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())[environment]
    assert (
        configured["deploy"]["parameters"]["s3_prefix"]
        == configured["global"]["parameters"]["stack_name"]
    )


def test_what_github_takes_may_make_nothing_itself() -> None:
    services = {action.split(":")[0] for action in allowed(DEPLOY)}
    assert services == {"cloudformation", "s3", "iam"}
    assert [action for action in allowed(DEPLOY) if action.endswith("*")] == []
    assert [action for action in allowed(DEPLOY) if action.startswith("iam:")] == ["iam:PassRole"]
    [trust] = MAKE["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "cloudformation.amazonaws.com"}
    [condition] = trust["Condition"].values()
    assert condition == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_an_environment_of_the_workflow_takes_its_own_role_alone() -> None:
    triggers = WORKFLOW[True]  # YAML 1.1 reads `on` so
    offered = triggers["workflow_dispatch"]["inputs"]["environment"]["options"]
    assert TEMPLATE["Parameters"]["Environment"]["AllowedValues"] == offered
    [statement] = DEPLOY["AssumeRolePolicyDocument"]["Statement"]
    subject = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert subject == {"Fn::Sub": "repo:${Repository}:environment:${Environment}"}


@pytest.mark.parametrize(
    ("repository", "taken"),
    [
        pytest.param("octo-org/octo.repo", True, id="names"),
        pytest.param("octo-org@123456/octo.repo@456789", True, id="names-and-numbers"),
        pytest.param("octo-org@123456/octo.repo", False, id="number-of-the-owner-alone"),
        pytest.param("octo-org/octo.repo@456789", False, id="number-of-the-repository-alone"),
        pytest.param("octo-org@me/octo.repo@it", False, id="numbers-that-are-none"),
        pytest.param("octo-org/*", False, id="every-repository"),
        pytest.param("octo-org@*/octo.repo@*", False, id="every-number"),
    ],
)
def test_a_repository_is_named_as_one_of_githubs_subjects_names_it(
    repository: str, taken: bool
) -> None:
    pattern = TEMPLATE["Parameters"]["Repository"]["AllowedPattern"]
    assert bool(re.fullmatch(pattern, repository)) is taken


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
