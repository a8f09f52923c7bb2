"""Command lines that a command prints for people to paste."""

import shlex
import sys
from pathlib import Path


def module_command(module: str, *words: str) -> str:
    """Return `python -m MODULE WORDS` for the Python that runs now and the current folder."""
    python, here = Path(sys.executable), Path.cwd()
    if python.is_relative_to(here):
        python = python.relative_to(here)
    return shlex.join([str(python), "-m", module, *words])
