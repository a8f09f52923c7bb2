"""The checks of the declarations: each reads a folder and returns what it finds wrong there."""

import functools
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from cfnlint.api import lint
from cfnlint.config import ManualArgs
from samtranslator.model.exceptions import InvalidDocumentException
from statelint.linter import Linter

from tests.verify.application import (
    ENDPOINT_TEMPLATE,
    EXAMPLE_TEMPLATES,
    REGION,
    Application,
    as_text,
    translated,
)
from tests.verify.proofs import STRUCTURE_TESTS
from tests.verify.tools import (
    ASL_VALIDATOR,
    CHECKOV,
    PARLIAMENT,
    SAM,
    ZIZMOR,
    Tool,
    offline_environment,
)

WORKFLOWS, DEPLOY_ROLE = ".github/workflows", ".github/deploy-role.yaml"


@dataclass(frozen=True)
class Judge:
    """A program that finds faults in a folder with the application in it."""

    name: str
    version: Callable[[], str]
    looks_at: str
    findings: Callable[[Path], list[str]]
    blind_to: str
    tool: Tool | None = None  # what has to be installed beside the dev extra


def translator(folder: Path) -> list[str]:
    """Run the SAM transform, which refuses what it cannot translate."""
    try:
        Application(folder).translated  # noqa: B018 - translating is the check
    except InvalidDocumentException as error:
        return [str(cause.message) for cause in error.causes]
    except (KeyError, TypeError, ValueError) as error:
        return [repr(error)]
    return []


def cfn_lint(folder: Path) -> list[str]:
    """Run cfn-lint and its serverless rules on all templates, the SAM one translated."""
    ignored = [
        "I3011",  # logs and dead letters go with the stack; bucket and ledger say Retain
        "ES1007",  # it looks for a destination; a dead letter is the event, and can be sent again
        "ES6000",  # a dead-letter queue has no dead-letter queue
        "WS1000",  # traces are a parameter; test_template.py holds that it switches all of them
        "WS1004",  # it looks for /aws/lambda/NAME; test_template.py for what LoggingConfig names
    ]
    config = ManualArgs(
        regions=[REGION],
        include_checks=["I"],
        ignore_checks=ignored,
        append_rules=["cfn_lint_serverless.rules"],
    )
    others = [(folder / path).read_text() for path in (ENDPOINT_TEMPLATE, DEPLOY_ROLE)]
    examples = [as_text(translated(folder / path)) for path in EXAMPLE_TEMPLATES]
    matches = [
        match
        for text in (as_text(Application(folder).translated), *others, *examples)
        for match in lint(text, config=config)
    ]
    return [f"{match.rule.id} {match.message}"[:300] for match in matches]


def sam_validate(folder: Path) -> list[str]:
    """Run sam validate --lint on template.yaml and on the examples'."""
    command = [str(SAM.require()), "validate", "--lint", "--region", REGION, "--template"]
    templates = ("template.yaml", *EXAMPLE_TEMPLATES)
    return [finding for path in templates for finding in _run([*command, path], folder)]


def statelint(folder: Path) -> list[str]:
    """Run statelint on the substituted state machines."""
    definitions = Application(folder).definitions.values()
    findings = [found for text in definitions for found in Linter.validate(json.loads(text))]
    # It knows no InputType:
    # https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
    unknown = (
        r'Field "InputType" not allowed in State Machine\.States\.[\w ]+\.ItemReader\.ReaderConfig'
    )
    return [found for found in findings if not re.fullmatch(unknown, found)]


def asl_validator(folder: Path) -> list[str]:
    """Run asl-validator on the substituted state machines."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, text in Application(folder).definitions.items():
            (Path(scratch) / f"{name}.asl.json").write_text(text)
        paths = sorted(map(str, Path(scratch).iterdir()))
        command = [str(ASL_VALIDATOR.require())]
        return _run([*command, *(word for path in paths for word in ("--json-path", path))], folder)


def checkov(folder: Path) -> list[str]:
    """Run checkov on the templates, whose comments say why a check is skipped."""
    command = [str(CHECKOV.require()), "--file", "template.yaml", ENDPOINT_TEMPLATE]
    command += EXAMPLE_TEMPLATES
    command += ["--output", "json"]
    command += ["--framework", "cloudformation", "--skip-download", "--skip-results-upload"]
    ended = _process(command, folder)
    report = json.loads(ended.stdout)
    if not report.get("summary", {}).get("passed"):
        return [f"checkov checked nothing: {ended.stderr[-300:]}"]
    return [
        f"{check['check_id']} {check['resource']}: {check['check_name']}"
        for check in report["results"]["failed_checks"]
    ] + [f"cannot parse {path}" for path in report["results"]["parsing_errors"]]


def parliament(folder: Path) -> list[str]:
    """Run parliament on every policy of a role or a resource, with its references resolved."""
    accepted = [
        # SAM writes this policy, and leaves the version out; it uses no policy variable.
        r"NO_VERSION ImageWorkflowUploadRole/",
        # It has no resource-level permission. AWS's own example names the stream all the same:
        # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/iam-policy-read-stream-only.html
        r"RESOURCE_MISMATCH AnnouncementPipeRole/[^{]*\[\{'action': 'dynamodb:ListStreams'[^{]*$",
        # Each takes one of two kinds of ARN; parliament wants both. Of runs AWS names this kind:
        # https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html
        r"RESOURCE_MISMATCH (Operator|Viewer|BackfillRun)Policy: "
        r"[^{]*\[\{'action': 'states:(List|Describe)Executions?'[^{]*$",
        # The SAM transform belongs to an account that is named "aws".
        r"INVALID_ARN (DeployRole|CloudFormationRole)/",
    ]
    findings = []
    application = Application(folder)
    policies = application.policies() | application.resource_policies()
    policies |= application.endpoint_policies() | application.deploy_policies()
    for name, document in policies.items():
        ended = _process([str(PARLIAMENT.require()), "--json"], folder, as_text(document))
        for line in ended.stdout.splitlines():
            issue = json.loads(line)
            if issue["issue"] == "RESOURCE_MISMATCH":
                issue["detail"] = _named(issue["detail"], document)
                if not issue["detail"]:
                    continue
            finding = f"{issue['issue']} {name}: {issue['title']} {issue['detail']}"
            if not any(re.match(pattern, finding) for pattern in accepted):
                findings.append(finding)
        if ended.returncode and not ended.stdout:
            findings.append(f"{name}: {ended.stderr.strip()[-300:]}")
    return findings


def _named(mismatches: list[dict[str, str]], document: dict[str, Any]) -> list[dict[str, str]]:
    """Return the mismatches of actions that a policy names; `s3:*` asks for none that cannot be.

    What CloudFormation needs of such actions, and on what, is in test_deploy_role.py.
    """
    actions = {
        action
        for statement in document["Statement"]
        if statement["Resource"] != "*"
        for action in (
            [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]
        )
    }
    return [mismatch for mismatch in mismatches if mismatch["action"] in actions]


def zizmor(folder: Path) -> list[str]:
    """Run zizmor, which looks for what an attacker could use in GitHub's workflows."""
    command = [str(ZIZMOR.require()), "--offline", "--no-progress", "--format", "json", WORKFLOWS]
    ended = _process(command, folder)
    if not ended.stdout:
        return [ended.stderr.strip()[-300:]]
    return [f"{found['ident']}: {found['desc']}" for found in json.loads(ended.stdout)]


def structure_tests(folder: Path) -> list[str]:
    """Run the tests that hold template, state machine, functions and ledger together."""
    command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", "--noconftest"]
    command += ["-p", "no:cacheprovider", "-p", "no:hypothesispytest"]  # a second less each
    ended = _process([*command, *STRUCTURE_TESTS], folder, environment=dict(os.environ))
    findings = re.findall(r"^(?:FAILED|ERROR) \S+?::(\S+)", ended.stdout, re.MULTILINE)
    if ended.returncode and not findings:
        return [(ended.stdout + ended.stderr).strip()[-300:]]
    return findings


def _run(command: list[str], folder: Path) -> list[str]:
    """Return the end of the output of a tool that says by its exit code what it has found."""
    ended = _process(command, folder)
    return [] if ended.returncode == 0 else [(ended.stdout + ended.stderr).strip()[-600:]]


def _process(
    command: list[str],
    folder: Path,
    stdin: str | None = None,
    environment: dict[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        cwd=folder,
        env=environment or offline_environment(),
        input=stdin,
        stdin=None if stdin is not None else subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def _of(package: str) -> Callable[[], str]:
    return functools.partial(version, package)


def _tool(tool: Tool) -> dict[str, Any]:
    return {"tool": tool, "version": lambda: tool.version}


JUDGES = (
    Judge(
        "SAM translator",
        _of("aws-sam-translator"),
        "template.yaml",
        translator,
        "names that exist nowhere, IAM, what AWS does with the result",
    ),
    Judge(
        "cfn-lint + serverless rules",
        lambda: f"{version('cfn-lint')} + {version('cfn-lint-serverless')}",
        "the translated template, the endpoint's, the deploy role's, the examples'",
        cfn_lint,
        "a missing queue policy, resource forms behind GetAtt, quotas of an account",
    ),
    Judge(
        "sam validate --lint",
        looks_at="template.yaml, the examples'",
        findings=sam_validate,
        blind_to="a Ref to nothing, misspelt policy templates and event types",
        **_tool(SAM),
    ),
    Judge(
        "checkov",
        looks_at="template.yaml, the endpoint's, the examples', security",
        findings=checkov,
        blind_to="the roles and the rule that SAM adds; whether a skip's reason is true",
        **_tool(CHECKOV),
    ),
    Judge(
        "parliament",
        looks_at="every policy of a role, a resource, the endpoint",
        findings=parliament,
        blind_to="what the code needs; actions younger than its list of 2024",
        **_tool(PARLIAMENT),
    ),
    Judge(
        "statelint",
        _of("statelint"),
        "the substituted state machine",
        statelint,
        "whether errors, functions and JSONPaths exist",
    ),
    Judge(
        "asl-validator",
        looks_at="the substituted state machine",
        findings=asl_validator,
        blind_to="whether errors, functions and JSONPaths exist; arguments of intrinsics",
        **_tool(ASL_VALIDATOR),
    ),
    Judge(
        "zizmor",
        looks_at="GitHub's workflows, security",
        findings=zizmor,
        blind_to="whether actions exist, what the role may do",
        **_tool(ZIZMOR),
    ),
    Judge(
        "structure tests",
        _of("pytest"),
        "template, state machine, functions, ledger together",
        structure_tests,
        "everything that only running shows",
    ),
)
