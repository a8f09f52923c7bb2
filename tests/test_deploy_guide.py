"""The names in docs/deploy.md exist, and so does what GitHub's workflows run."""

import os
import re
import subprocess
import tomllib

import pytest
import yaml

from local import template as sam
from tests.support.project import ROOT, template

TEXT = (ROOT / "docs" / "deploy.md").read_text()
ROLE = sam.load(ROOT / ".github" / "deploy-role.yaml")
# Stacks that the guide names beside the application's.
OTHER_STACKS = {"github-deploys-scones", "aws-sam-cli-managed-default"}
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b([A-Z][a-z]\w+)=", TEXT))))
def test_a_parameter_exists(name: str) -> None:
    assert name in template()["Parameters"] | ROLE["Parameters"]


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
    [line] = re.findall(r'pip install "\$\((.*)\)" --index', (WORKFLOWS[0]).read_text())
    ended = subprocess.run(["bash", "-c", line], cwd=ROOT, capture_output=True, text=True)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert ended.stdout.strip() in extras["optional-dependencies"]["train"]


def test_nothing_is_deployed_that_has_not_passed_the_checks() -> None:
    jobs = yaml.safe_load((ROOT / ".github/workflows/deploy.yml").read_text())["jobs"]
    assert jobs["deploy"]["needs"] == "check"
    assert jobs["check"]["uses"] == "./.github/workflows/check.yml"
