"""The rows of `python -m tests.verify` that are tests: what runs, not what is declared."""

import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

from tests.support.project import ROOT
from tests.verify.tools import AWS_CLI, AXE, LOCALSTACK, NEWER, SAM, Tool

# As `make test` runs the tests.
SIDE_BY_SIDE = [
    *("--numprocesses", "auto", "--maxprocesses", "4"),
    *("--dist", "loadfile", "--no-loadscope-reorder"),
]


@dataclass(frozen=True)
class Proof:
    """Test files, and what they prove together."""

    name: str
    version: Callable[[], str]
    looks_at: str
    tests: tuple[str, ...]
    blind_to: str
    tool: Tool | None = None  # what has to be installed beside the dev extra

    def holds(self, case: ET.Element) -> bool:
        """Return whether a case of pytest's report is one of these tests."""
        path = case.get("classname", "").replace(".", "/") + ".py"
        return path in self.tests


@dataclass(frozen=True)
class Outcome:
    """What became of a proof's tests. skipped: why, if this machine cannot run one of them."""

    passed: int
    failures: list[str]
    skipped: str


def run(proofs: Sequence[Proof]) -> list[Outcome]:
    """Run the tests of proofs in one pytest, whose progress goes to stderr."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "--quiet", "--no-header", "--no-summary"]
        command += SIDE_BY_SIDE
        tests = dict.fromkeys(test for proof in proofs for test in proof.tests)
        subprocess.run(
            [*command, f"--junitxml={report}", *tests], cwd=ROOT, stdout=sys.stderr, check=False
        )
        cases = list(ET.parse(report).getroot().iter("testcase"))
    return [outcome([case for case in cases if proof.holds(case)]) for proof in proofs]


def outcome(cases: Sequence[ET.Element]) -> Outcome:
    """Sum up cases of pytest's report."""
    failures, skipped = [], ""
    for case in cases:
        for fault in (*case.iter("failure"), *case.iter("error")):
            words = fault.get("message", "").partition("\n")[0]
            failures.append(f"{case.get('name')}: {words}"[:300])
        for skip in case.iter("skipped"):
            skipped = skip.get("message", "")
    passed = sum(len(case.findall("*")) == 0 for case in cases)
    if not cases:
        failures.append("no test was found")
    return Outcome(passed, failures, skipped)


PROOFS = (
    Proof(
        "planted faults",
        lambda: version("pytest"),
        "whether the checks above see known faults",
        ("tests/verify/test_planted_faults.py",),
        "faults that nobody has thought of",
    ),
    Proof(
        "sam build, deploy, delete",
        lambda: SAM.version,
        "the commands of README against the embedded AWS",
        ("tests/verify/test_sam_cli.py",),
        "what CloudFormation itself refuses or waits for; names that are taken; quotas",
        SAM,
    ),
    Proof(
        "workflow",
        lambda: f"moto {version('moto')}",
        "every route, on the functions that sam build made",
        ("tests/workflow/test_build.py", "tests/workflow/test_routes.py"),
        "Amazon Linux, AWS's services themselves, latencies",
        SAM,
    ),
    Proof(
        "LocalStack's Step Functions",
        lambda: LOCALSTACK.version,
        "the substituted state machine, every task's result given",
        ("tests/verify/test_second_engine.py",),
        "faults of the code that it shares with moto's engine; services; errors named States.*",
        LOCALSTACK,
    ),
    Proof(
        "sam local invoke",
        lambda: SAM.version,
        "every sample event, in a container",
        ("tests/verify/test_sam_local_invoke.py",),
        "Lambda's own image: it is Debian with Lambda's runtime client",
        SAM,
    ),
    Proof(
        "AWS CLI",
        lambda: AWS_CLI.version,
        "that aws and python -m ops read the same state",
        ("tests/ops/test_aws_cli.py",),
        "AWS's answers: they are the embedded AWS's",
        AWS_CLI,
    ),
    Proof(
        "least privilege",
        lambda: f"moto {version('moto')}",
        "every call of every role, and of python -m ops",
        ("tests/workflow/test_permissions.py", "tests/ops/test_operator_policy.py"),
        "what services do in a role's name (docs/permissions.md lists it), conditions, boundaries",
    ),
    Proof(
        "axe-core",
        lambda: AXE.version,
        "the console's pages in a browser, light and dark, wide and narrow",
        ("tests/ops/console/test_accessibility.py",),
        "order and wording; how a screen reader tells it",
        AXE,
    ),
    Proof(
        f"Python {NEWER}",
        lambda: NEWER,
        "the functions' tests; what they import is shipped",
        ("tests/verify/test_parity.py",),
        "the libraries of Lambda's newer runtimes",
    ),
    Proof(
        "cost",
        lambda: "-",
        "the arithmetic of python -m ops cost, against the template and the measured run",
        ("tests/ops/commands/test_cost.py",),
        "what AWS bills: prices are read from its pages, durations measured here",
    ),
)
# Tests that read declarations only; as a check they read a copy of the application too.
STRUCTURE_TESTS = (
    "tests/test_structure.py",
    "tests/verify/test_alarms.py",
    "tests/verify/test_template.py",
)

# With these the rows of the checks: all that need not be run again after `python -m tests.verify`.
TESTS = {
    *(test for proof in PROOFS for test in proof.tests),
    *STRUCTURE_TESTS,
    "tests/verify/test_judges.py",
}
