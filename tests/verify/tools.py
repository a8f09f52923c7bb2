"""Linters and validators with requirements of their own: each in a folder of .verify/, pinned.

`python -m tests.verify` installs what is missing; tests skip what is not there.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import ROOT

HOME = ROOT / ".verify"


class ToolMissing(Exception):
    """A tool is not installed, or this machine cannot run it; the message says what to do."""


@dataclass(frozen=True)
class Tool:
    """A program from PyPI or npm. program: its path in bin/, or in node_modules/."""

    package: str
    version: str
    program: str
    registry: str = "pip"
    beside: tuple[str, ...] = ()  # packages that it needs and does not ask for
    newer: bool = False  # than this Python: it runs on NEWER

    @property
    def folder(self) -> Path:
        """Where this version is installed."""
        return HOME / f"{self.package}-{self.version}"

    @property
    def path(self) -> Path:
        """The program, whether it is installed or not."""
        folder = "bin" if self.registry == "pip" else "node_modules"
        return self.folder / folder / self.program

    @property
    def installed(self) -> bool:
        """Whether an installation came to its end."""
        return (self.folder / ".installed").exists()

    def require(self) -> Path:
        """Return the program's path. Raises ToolMissing where it is not installed."""
        if not self.installed:
            raise ToolMissing(f"{self.package} {self.version} is not installed: run make verify")
        return self.path

    def install(self) -> None:
        """Install it from its registry. Raises ToolMissing with what the installer says."""
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        if self.registry == "pip":
            python = newer_python() if self.newer else sys.executable
            if python is None:
                raise ToolMissing(f"{self.package} needs Python {NEWER}, which is not here")
            self._install([str(python), "-m", "venv", str(self.folder)])
            pip = [str(self.folder / "bin/pip"), "install", "--quiet"]
            packages = [f"{self.package}=={self.version}", *self.beside]
            self._install([*pip, "--disable-pip-version-check", *packages])
        elif npm := shutil.which("npm"):
            options = ["--silent", "--no-audit", "--no-fund", "--prefix", str(self.folder)]
            self._install([npm, "install", *options, f"{self.package}@{self.version}"])
        else:
            raise ToolMissing(f"{self.package} comes from npm, which is not here: install Node.js")
        (self.folder / ".installed").touch()

    def _install(self, command: list[str]) -> None:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
        if ended.returncode:
            raise ToolMissing(
                f"{self.package} {self.version} cannot be installed: {ended.stderr.strip()[-300:]}"
            )


SAM = Tool("aws-sam-cli", "1.170.0", "sam")
CHECKOV = Tool("checkov", "3.3.30", "checkov")
PARLIAMENT = Tool("parliament", "1.6.4", "parliament")
ASL_VALIDATOR = Tool("asl-validator", "4.0.0", ".bin/asl-validator", registry="npm")
# A script for browsers, which the tests of the console run in its pages.
AXE = Tool("axe-core", "4.14.1", "axe-core/axe.min.js", registry="npm")
ZIZMOR = Tool("zizmor", "1.32.0", "zizmor")
# Its Step Functions engine alone, without the server: what else that would bring is left out.
LOCALSTACK = Tool(
    "localstack-core",
    "4.14.0",
    "python",
    beside=(
        "localstack-core[base-runtime]==4.14.0",
        "antlr4-python3-runtime==4.13.2",
        "cbor2==5.9.0",  # it imports what 6 has no more
        "jpype1==1.7.1",
        "jsonpath-ng==1.16.0",
        "moto-ext==5.1.54",
    ),
    newer=True,
)
# No validator: the ordinary tool that has to read the same state as ops.
AWS_CLI = Tool("awscli", "1.46.3", "aws")
TOOLS = (SAM, CHECKOV, PARLIAMENT, ASL_VALIDATOR, AXE, ZIZMOR, LOCALSTACK, AWS_CLI)


NEWER = "3.13"  # the Python that the functions should run on next


def newer_python() -> Path | None:
    """Return a program that is that Python, or None."""
    versions = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python{NEWER}")  # pyenv's is a shim that may run none
    found = [*versions.glob(f"{NEWER}.*/bin/python{NEWER}"), *([Path(on_path)] if on_path else [])]
    for program in found:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=False)
        if done.stdout.startswith(f"Python {NEWER}."):
            return program
    return None


def offline_environment() -> dict[str, str]:
    """Return an environment in which an AWS tool finds no account and reports to nobody."""
    kept = (
        "PATH",
        "HOME",
        "LANG",
        "TMPDIR",
        "PIP_INDEX_URL",
        "PIP_EXTRA_INDEX_URL",
        "PIP_CONFIG_FILE",
    )
    return {name: os.environ[name] for name in kept if name in os.environ} | {
        "AWS_ACCESS_KEY_ID": "verify",
        "AWS_SECRET_ACCESS_KEY": "verify",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "SAM_CLI_TELEMETRY": "0",
        "__SAM_CLI_APP_DIR": str(HOME / "sam-cli"),  # not the user's ~/.aws-sam
        "SAM_CLI_POLL_DELAY": "0.2",  # s, of `sam deploy` between two looks at a stack
        "LOG_LEVEL": "ERROR",  # checkov's
    }
