"""The functions run where they are deployed: on what the runtime has, and on newer Python."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT, STEPS, pinned
from tests.verify.tools import NEWER, newer_python

# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html: what a Python runtime includes.
RUNTIME = {"boto3", "botocore"}
DISTRIBUTIONS = {"PIL": "pillow", "pi_heif": "pi-heif"}  # import name to distribution
TESTS = (
    "tests/functions/test_classify.py",
    "tests/functions/test_filter.py",
    "tests/functions/serialize/test_canonical.py",
    "tests/functions/serialize/test_kinds.py",
)


def imported(source: Path) -> set[str]:
    """Return the top-level modules that a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("step", STEPS)
def test_what_a_function_imports_is_in_the_runtime_or_in_its_package(step: str) -> None:
    folder = ROOT / "functions" / step
    own = {path.stem for path in folder.glob("*.py")}
    requirements = folder / "requirements.txt"
    shipped = pinned(requirements).keys() if requirements.exists() else set()
    for path in folder.glob("*.py"):
        foreign = imported(path) - own - RUNTIME - set(sys.stdlib_module_names)
        assert {DISTRIBUTIONS.get(name, name) for name in foreign} <= shipped, path.name


@pytest.fixture(scope="module")
def newer_environment(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment of the newer Python with what the tests of the project need."""
    program = newer_python()
    if program is None:
        pytest.skip(f"there is no Python {NEWER} here")
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run([program, "-m", "venv", folder], check=True)
    install = [folder / "bin/pip", "install", "--quiet", "--disable-pip-version-check"]
    locked = ("--require-hashes", "--no-deps", "--requirement", str(ROOT / "locks/dev.txt"))
    done = subprocess.run([*install, *locked], capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"pip cannot fetch what they need: {done.stderr.strip()[-300:]}")
    return folder / "bin/python"


@pytest.mark.timeout(600)  # s; beside other work on two cores
def test_the_functions_pass_their_tests_on_newer_python(newer_environment: Path) -> None:
    command = [
        newer_environment,
        "-m",
        "pytest",
        "--quiet",
        "--noconftest",
        "-p",
        "no:cacheprovider",
    ]
    done = subprocess.run(
        [*command, *TESTS], cwd=ROOT, capture_output=True, text=True, timeout=500, check=False
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
