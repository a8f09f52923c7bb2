"""The commands of docs/deploy.md and of GitHub's workflows exist, with the names they give."""

import os
import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from local import template as sam
from tests.support.project import ROOT, template

TEXT = (ROOT / "docs" / "deploy.md").read_text()
MODULES = sorted(set(re.findall(r"python -m ((?:model|ops)[.\w]*(?: [a-z]+)?)(.*?)[`\n]", TEXT)))
ROLE = sam.load(ROOT / ".github" / "deploy-role.yaml")
# Stacks that the guide names beside the application's.
OTHER_STACKS = {"github-deploys-scones", "aws-sam-cli-managed-default"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize(("command", "options"), MODULES)
def test_a_command_takes_the_options_of_the_guide(command: str, options: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in re.findall(r"--[\w-]+", options):
        assert option in shown, f"python -m {command} has no {option}"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make (\.?[a-z][\w./-]*)", TEXT))))
def test_a_make_target_exists(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b([A-Z][a-z]\w+)=", TEXT))))
def test_a_parameter_exists(name: str) -> None:
    assert name in template()["Parameters"] | ROLE["Parameters"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"output (\w+)", TEXT))))
def test_an_output_exists(name: str) -> None:
    assert name in template()["Outputs"] | ROLE["Outputs"]


def test_the_stack_is_the_one_of_samconfig() -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    names = set(re.findall(r"--stack(?:-name)? ([\w-]+)", TEXT)) - OTHER_STACKS
    assert names == {configured["production"]["global"]["parameters"]["stack_name"]}


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
            test_a_make_target_exists(line.split()[1])
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
    [line] = re.findall(r'pip install "\$\((.*)\)" --index', (WORKFLOWS[0]).read_text())
    ended = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended.stdout.strip() in extras["optional-dependencies"]["train"]


def test_nothing_is_deployed_that_has_not_passed_the_checks() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert jobs["deploy"]["needs"] == "check"
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
