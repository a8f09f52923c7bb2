"""The names in docs/deploy.md exist, and so does what GitHub's workflows run."""

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from typing import Any

import botocore.session
import pytest
import yaml
from botocore import xform_name
from botocore.validate import ParamValidator
from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER

from local import template as sam
from tests.support.project import ROOT, pinned, template
from tests.verify.application import ENDPOINT_TEMPLATE, REGION, Application

TEXT = (ROOT / "docs" / "deploy.md").read_text()
ROLE = sam.load(ROOT / ".github" / "deploy-role.yaml")
# Stacks that the guide names beside the application's.
OTHER_STACKS = {"github-deploys-scones", "aws-sam-cli-managed-default"}
AWS = botocore.session.get_session()
# Options that every operation takes, and commands of the AWS CLI that are no operation of AWS's.
EVERYWHERE = {"query", "output"}
PLACEHOLDERS = {"ACCOUNT": "123456789012", "ARN": "arn:aws:iam::123456789012:policy/operators"}
OWN_COMMANDS = {
    "s3 cp": set(),
    "cloudformation deploy": {
        *("template-file", "stack-name", "capabilities", "parameter-overrides"),
    },
}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b([A-Z][a-z]\w+)=(?!=)", TEXT))))
def test_a_parameter_exists(name: str) -> None:
    assert name in template()["Parameters"] | ROLE["Parameters"]


def test_the_stack_is_the_one_of_samconfig() -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    names = set(re.findall(r"--stack(?:-name)? ([\w-]+)", TEXT)) - OTHER_STACKS
    assert names == {configured["production"]["global"]["parameters"]["stack_name"]}


def aws_commands() -> Iterator[list[str]]:
    """Yield the words of each command of the AWS CLI that the guide gives."""
    code = re.findall(r"```\n(.*?)```", TEXT, re.DOTALL) + re.findall(r"`(aws [^`\n]+)`", TEXT)
    for line in "\n".join(code).splitlines():
        if line.startswith("aws "):
            yield [PLACEHOLDERS.get(word, word) for word in shlex.split(line)[1:]]


def options_of(words: list[str]) -> dict[str, list[str]]:
    """Return the values of each option, by its name without hyphens before it."""
    found: dict[str, list[str]] = {}
    for word in words:
        if word.startswith("--"):
            found[word[2:]] = values = []
        elif found:
            values.append(word)
    return found


def given(member: Any, values: list[str]) -> Any:
    """Return what an option gives to a member of an operation's input, as the AWS CLI reads it."""
    if member.type_name in ("structure", "list") and values[0][0] in "[{":
        return json.loads(values[0])
    if member.type_name == "list":
        return values
    number = {"integer": int, "long": int, "double": float, "float": float}.get(member.type_name)
    return number(values[0]) if number else values[0]


@pytest.mark.parametrize("words", list(aws_commands()), ids=lambda words: " ".join(words[:2]))
def test_aws_takes_a_command_with_its_options_and_their_values(words: list[str]) -> None:
    service, operation, *rest = words
    options = options_of(rest)
    if f"{service} {operation}" in OWN_COMMANDS:
        assert set(options) <= OWN_COMMANDS[f"{service} {operation}"] | EVERYWHERE
        return
    model = AWS.get_service_model(service)
    names = {xform_name(name, "-"): name for name in model.operation_names}
    shape = model.operation_model(names[operation]).input_shape
    members = {xform_name(name, "-"): name for name in (shape.members if shape else {})}
    assert set(options) <= set(members) | EVERYWHERE
    parameters = {
        members[option]: given(shape.members[members[option]], values)
        for option, values in options.items()
        if option in members
    }
    report = ParamValidator().validate(parameters, shape) if shape else None
    assert not (report and report.has_errors()), report.generate_report()  # type: ignore[union-attr]


def test_the_budget_is_one_that_aws_describes() -> None:
    [options] = [options_of(words[2:]) for words in aws_commands() if "create-budget" in words]
    budget = json.loads(options["budget"][0])
    [notified] = json.loads(options["notifications-with-subscribers"][0])
    shape = AWS.get_service_model("budgets").shape_for
    for name, value in (
        ("BudgetType", budget["BudgetType"]),
        ("TimeUnit", budget["TimeUnit"]),
        ("NotificationType", notified["Notification"]["NotificationType"]),
        ("ComparisonOperator", notified["Notification"]["ComparisonOperator"]),
        ("ThresholdType", notified["Notification"]["ThresholdType"]),
        ("SubscriptionType", notified["Subscribers"][0]["SubscriptionType"]),
    ):
        assert value in shape(name).enum
    deleted = [words for words in aws_commands() if "delete-budget" in words]
    assert [options_of(words)["budget-name"] for words in deleted] == [[budget["BudgetName"]]]


@pytest.mark.parametrize("workflow", ["STANDARD x86_64", "EXPRESS x86_64"])
def test_serverless_costs_less_than_a_fifth_at_50_000_photos_a_month(workflow: str) -> None:
    command = [sys.executable, "-m", "ops", "cost", "--images", "50000", "--json"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found = json.loads(ended.stdout)
    millions = found["images"] / found["per"]
    other = sum(found["bills"][workflow].values()) * millions + sum(found["month"].values())
    serverless = found["endpoint"]["serverless"] * millions
    assert other + serverless < (other + found["endpoint"]["real-time, a month"]) / 5


def services_of(types: set[str], unused: set[str]) -> set[str]:
    """Return the services that CloudFormation calls to make types. unused: of other properties."""
    return {
        action.split(":")[0]
        for kind in types
        for handler in PROVIDER_SCHEMA_MANAGER.get_resource_schema(REGION, kind)
        .schema["handlers"]
        .values()
        for action in handler["permissions"]
    } - unused


def test_who_deploys_is_told_of_every_service_that_cloudformation_calls() -> None:
    rows = dict(re.findall(r"^\| (the endpoint|the workflow): .*?\| (`.*`) \|$", TEXT, re.M))
    listed = {row: set(re.findall(r"`([\w-]+):\*`", cells)) for row, cells in rows.items()}
    workflow = {item["Type"] for item in Application(ROOT).translated["Resources"].values()}
    endpoint = {item["Type"] for item in sam.load(ROOT / ENDPOINT_TEMPLATE)["Resources"].values()}
    # VPCs, file systems, streams and keys of one's own, a bucket's tables: the templates have none.
    unused = {"ec2", "elasticfilesystem", "firehose", "kinesis", "kms", "s3files", "s3tables"}
    assert listed["the workflow"] == services_of(workflow, unused) | {"cloudformation"}
    others = unused | {"lambda"}  # what ScalableTarget can scale beside an endpoint
    assert listed["the endpoint"] >= services_of(endpoint, others)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_make_targets_and_environments_that_exist(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    jobs = yaml.safe_load(text)["jobs"].values()
    lines = [
        line.strip()
        for job in jobs
        for step in job.get("steps", [])
        for line in step.get("run", "").splitlines()
    ]
    for line in lines:
        if line.startswith("make "):
            subprocess.run(["make", "--dry-run", line.split()[1]], cwd=ROOT, check=True)
    environments = re.search(r"options: \[(.*)\]", text)
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name in environments[1].split(", ") if environments else []:
        assert name in configured
    for job in jobs:
        assert job["permissions"]["contents"] == "read"
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file()
    for program in re.findall(r"run: (\.\S+)", text):
        assert os.access(ROOT / program, os.X_OK)


def test_torch_is_installed_in_the_version_of_the_project() -> None:
    [target] = re.findall(r"run: make (\S+)", WORKFLOWS[0].read_text())
    command = ["make", "--dry-run", "--always-make", target]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "--requirement locks/torch.txt" in ended.stdout
    pins = pinned(ROOT / "locks/torch.txt")
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"torch=={pins['torch']}" in extras["optional-dependencies"]["train"]
    assert f"torch {pins['torch']} " in (ROOT / "README.md").read_text()


def test_nothing_is_deployed_that_has_not_passed_the_checks() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert jobs["deploy"]["needs"] == "check"
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
