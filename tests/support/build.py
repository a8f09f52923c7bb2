"""The application as `sam build` makes it, from a folder that has nothing else."""

import shutil
import subprocess
from pathlib import Path

from tests.support.project import ROOT
from tests.verify.tools import HOME, SAM, offline_environment

APPLICATION = ("template.yaml", "samconfig.toml", "functions", "statemachine")
TEMPLATE = Path(".aws-sam") / "build" / "template.yaml"


def build(folder: Path) -> Path:
    """Copy the application into a folder and build it there; return the folder.

    Raises ToolMissing where the SAM CLI is not installed.
    """
    program = SAM.require()
    for name in APPLICATION:
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)
    done = subprocess.run(
        [program, "build", "--cache-dir", HOME / "sam-build-cache"],
        cwd=folder,
        env=offline_environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return folder
