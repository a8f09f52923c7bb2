"""The application as `sam build` makes it.

python -m tests.support.build      make .aws-sam/build, as `sam build` does, with the pinned SAM CLI
"""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.project import ROOT
from tests.verify.tools import HOME, SAM, offline_environment

APPLICATION = ("template.yaml", "samconfig.toml", "functions", "statemachine")
TEMPLATE = Path(".aws-sam") / "build" / "template.yaml"


def build(folder: Path) -> Path:
    """Copy the application into a folder and build it there; return the folder.

    Raises ToolMissing where the SAM CLI is not installed.
    """
    SAM.require()
    for name in APPLICATION:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    sam_build(folder)
    return folder


def sam_build(folder: Path) -> None:
    """Run `sam build` in a folder. Raises ToolMissing where the SAM CLI is not installed."""
    done = subprocess.run(
        [SAM.require(), "build", "--cache-dir", HOME / "sam-build-cache"],
        cwd=folder,
        env=offline_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def main() -> int:
    """Build where the template is; install the SAM CLI first where it is missing."""
    if not SAM.installed:
        SAM.install()
    sam_build(ROOT)
    return 0


if __name__ == "__main__":
    sys.exit(main())
