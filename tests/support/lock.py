"""constraints.txt: the versions that are tested, from pip's report of an installation.

make lock      resolve every extra anew and write the file
"""

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.support.project import ROOT

PATH = ROOT / "constraints.txt"
HEADER = """\
# The versions that are tested; `make` installs by them. Written by `make lock`.
# A constraint for a package that this platform does not need has no effect.
"""
# What torch from PyPI brings along on Linux. The tests run on the CPU.
CUDA = re.compile(r"(nvidia|cuda|triton)\b")


def constraints(report: Mapping[str, Any]) -> str:
    """Return the file for what `pip install --report` says it would install.

    A local label is left out: torch 2.13.0+cpu and 2.13.0 are the same release.
    """
    versions = {}
    for package in report["install"]:
        name = re.sub(r"[-_.]+", "-", package["metadata"]["name"]).lower()
        if not package.get("is_direct") and not CUDA.match(name):
            versions[name] = package["metadata"]["version"].partition("+")[0]
    return HEADER + "".join(f"{name}=={versions[name]}\n" for name in sorted(versions))


if __name__ == "__main__":
    PATH.write_text(constraints(json.loads(Path(sys.argv[1]).read_text())))
