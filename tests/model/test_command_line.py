"""The commands that need the extra `train`: help and one line about it where it is missing."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import ROOT

COMMANDS = {
    "train": ["--data", "somewhere"],
    "evaluate": ["model.onnx", "somewhere"],
    "compare": ["old", "new", "somewhere"],
    "dataset": ["--check", "somewhere"],
}
# Nothing of site-packages: what is imported is of the project or of the standard library.
BARE = [sys.executable, "-I", "-S", "-c"]


def run(name: str, words: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r}); from model import {name};"
        f" sys.exit({name}.main({words!r}))"
    )
    return subprocess.run(
        [*BARE, code],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},  # and none of SageMaker's variables
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", COMMANDS)
def test_help_needs_no_extra_and_works_anywhere(name: str, tmp_path: Path) -> None:
    ran = run(name, ["--help"], tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert f"python -m model.{name}" in ran.stdout


@pytest.mark.parametrize(
    ("name", "words", "error"),
    [
        ("train", ["--data", "x", "--fold", "3"], "unrecognized arguments: --fold 3"),
        ("train", [], "--data is needed"),
        ("train", ["--data", "x", "--size", "0"], "'0': write a whole number from 1"),
        ("train", ["--data", "x", "--frozen", "22"], "'22': write a whole number from 0 to 21"),
        ("evaluate", ["model.onnx", "x", "--thres", "1"], "unrecognized arguments: --thres 1"),
        ("compare", ["old", "new"], "the following arguments are required: DATA"),
        ("dataset", ["--others", "5001"], "'5001': write a whole number from 1 to 5,000"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_is_no_command_line_is_one_line(
    name: str, words: list[str], error: str, tmp_path: Path
) -> None:
    ran = run(name, words, tmp_path)
    assert ran.returncode == 2
    assert error in ran.stderr
    assert ran.stderr.count("\n") == 1


@pytest.mark.parametrize("name", COMMANDS)
def test_a_missing_extra_is_one_line_that_says_what_to_type(name: str, tmp_path: Path) -> None:
    ran = run(name, COMMANDS[name], tmp_path)
    assert ran.returncode == 2
    assert ran.stderr.endswith(" is not installed: run make .venv/.extra-train\n")
    assert ran.stderr.count("\n") == 1
