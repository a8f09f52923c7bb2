"""The commands of docs/deploy.md exist, with the options and names that it gives them."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from tests.support.project import ROOT, template

TEXT = (ROOT / "docs" / "deploy.md").read_text()
MODULES = sorted(set(re.findall(r"python -m ((?:model|ops)[.\w]*(?: [a-z]+)?)(.*?)[`\n]", TEXT)))
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


@pytest.mark.parametrize("name", sorted(set(re.findall(r"\b([A-Z]\w+)=", TEXT))))
def test_a_parameter_exists(name: str) -> None:
    assert name in template()["Parameters"]


@pytest.mark.parametrize("name", sorted(set(re.findall(r"output (\w+)", TEXT))))
def test_an_output_exists(name: str) -> None:
    assert name in template()["Outputs"]


def test_the_stack_is_the_one_of_samconfig() -> None:
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    [name] = set(re.findall(r"--stack(?:-name)? ([\w-]+)", TEXT))
    assert name == configured["production"]["global"]["parameters"]["stack_name"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_a_workflow_runs_make_targets_and_environments_that_exist(path: object) -> None:
    text = path.read_text()  # type: ignore[attr-defined]
    [job] = yaml.safe_load(text)["jobs"].values()
    for target in re.findall(r"run: make (\S+)", text):
        test_a_make_target_exists(target)
    environments = re.search(r"options: \[(.*)\]", text)
    configured = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for name in environments[1].split(", ") if environments else []:
        assert name in configured
    assert job["permissions"]["contents"] == "read"
