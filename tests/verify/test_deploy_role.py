"""The role that GitHub deploys with may do what CloudFormation does for the template's types."""

import fnmatch
from typing import Any

import pytest
import yaml
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local import template as sam
from tests.support.project import ROOT
from tests.verify.application import REGION, Application

ROLE = sam.load(ROOT / ".github" / "deploy-role.yaml")["Resources"]["DeployRole"]["Properties"]
TYPES = sorted({each["Type"] for each in Application(ROOT).translated["Resources"].values()})
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


def listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def allowed() -> list[str]:
    [policy] = ROLE["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    return [action for each in statements for action in listed(each["Action"])]


@pytest.mark.parametrize("kind", TYPES)
def test_it_may_do_what_the_handlers_of_a_type_do(kind: str) -> None:
    """AWS publishes with each resource type what its handlers call; cfn-lint ships that."""
    schema: Any = PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind).schema
    called = {
        action for handler in schema["handlers"].values() for action in handler["permissions"]
    }
    missing = {
        action
        for action in called
        if not any(fnmatch.fnmatchcase(action, each) for each in (*NOT_NEEDED, *allowed()))
    }
    assert called
    assert missing == set()


def test_the_environments_of_the_workflow_may_take_it_and_no_other() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "deploy.yml").read_text())
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    offered = triggers["workflow_dispatch"]["inputs"]["environment"]["options"]
    [statement] = ROLE["AssumeRolePolicyDocument"]["Statement"]
    subjects = statement["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"]
    assert [each["Fn::Sub"] for each in subjects] == [
        f"repo:${{Repository}}:environment:{name}" for name in offered
    ]
