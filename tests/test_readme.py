"""README.md shows what is: its tables, its drawing, its commands and the demo's output."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.functions import load_function
from tests.support.project import ROOT
from tests.support.readme import PARTS, README, marked
from tests.verify.tools import ToolMissing

TEXT = README.read_text()


RUNS = ("demo", "session")  # what differs from run to run in them: numbers and their room


def plain(lines: list[str]) -> list[str]:
    """Return the lines of a run without what differs from run to run."""
    return [" ".join(re.sub(r"[\d.]+|-{2,}", "#", line).split()) for line in lines]


@pytest.mark.parametrize("name", PARTS)
def test_a_marked_part_of_the_readme_is_what_the_project_says(name: str) -> None:
    part = marked(name).search(TEXT)
    assert part is not None
    try:
        said = PARTS[name]().splitlines()
    except ToolMissing as missing:
        pytest.skip(str(missing))
    written = part[2].splitlines()
    if name in RUNS:
        written, said = map(plain, (written, said))
    assert written == said, "run python -m tests.support.readme"


def test_the_drawing_in_the_readme_is_the_state_machine_s(tmp_path: Path) -> None:
    subprocess.run(
        [
            *(sys.executable, "-m", "ops", "picture", "--out", str(tmp_path / "workflow.svg")),
            *("--definition", "statemachine/classify_image.asl.json"),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    drawn = (ROOT / "docs/images/workflow.svg").read_text()
    assert drawn == (tmp_path / "workflow.svg").read_text(), "run the command above"


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT))))
def test_what_the_readme_links_to_exists(target: str) -> None:
    assert (ROOT / target).exists()


@pytest.mark.parametrize("target", sorted(set(re.findall(r"make ([a-z]+)", TEXT))))
def test_a_make_target_that_the_readme_names_exists(target: str) -> None:
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_the_readme_tells_the_limit_of_each_format() -> None:
    formats = load_function("serialize", "formats").FORMATS
    for name, pixels in ((kind.name, kind.max_pixels) for kind in formats):
        row = re.search(rf"^\| {name} \|([^|]+)\|", TEXT, re.MULTILINE)
        assert row is not None, name
        assert str(pixels // 1_000_000) in re.findall(r"\d+", row[1]), name
