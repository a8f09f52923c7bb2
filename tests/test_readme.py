"""README.md and docs/ show what is: tables, drawing, commands, options and output."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from local import template as sam
from tests.functions.serialize.attacks import ATTACKS
from tests.support.functions import load_function
from tests.support.project import ROOT, template
from tests.support.readme import PAGES, PARTS, marked, page_of
from tests.verify.tools import ToolMissing

TEXTS = {page.relative_to(ROOT).as_posix(): page.read_text() for page in PAGES}
# By commands of the pages, or in the bucket.
MADE = (".demo", ".venv", ".verify/", "models/", "out/", "uploads/")
RUNS = ("demo", "session")  # what differs from run to run in them: numbers and their room
# What differs from machine to machine: `python -m benchmarks.console` measures the console, and
# tests/functions/serialize/test_contained.py runs the attacks.
MEASURED = ("attacks", "console")


def found(pattern: str) -> list[str]:
    """Return what the pattern's one group matches in the pages, each once."""
    return sorted({name for text in TEXTS.values() for name in re.findall(pattern, text)})


def options_of_commands() -> dict[str, set[str]]:
    """Return the options that the pages give to each command of model, ops and local."""
    options: dict[str, set[str]] = {}
    calls = re.compile(r"python -m ((?:model|ops|local)[.\w]*(?: [a-z]+\b)?)(.*?)[`\n]")
    for text in TEXTS.values():
        for command, words in calls.findall(text):
            options.setdefault(command, set()).update(re.findall(r"--[\w-]+", words))
    return options


def plain(lines: list[str]) -> list[str]:
    """Return the lines of a run without what differs from run to run."""
    return [" ".join(re.sub(r"[\d.]+|-{2,}", "#", line).split()) for line in lines]


@pytest.mark.parametrize("name", [name for name in PARTS if name not in MEASURED])
def test_a_marked_part_of_a_page_is_what_the_project_says(name: str) -> None:
    part = marked(name).search(page_of(name).read_text())
    assert part is not None
    try:
        said = PARTS[name]().splitlines()
    except ToolMissing as missing:
        pytest.skip(str(missing))
    written = part[2].splitlines()
    if name in RUNS:
        written, said = map(plain, (written, said))
    assert written == said, "run make papers"


def test_the_table_of_attacks_has_a_row_for_each_with_an_outcome_of_it() -> None:
    rows = re.findall(r"^\| (.+?) \| [\d,]+ \| `(\w+)` \|", TEXTS["docs/security.md"], re.MULTILINE)
    assert [name for name, _ in rows] == [attack.name for attack in ATTACKS], "run make papers"
    for (_, outcome), attack in zip(rows, ATTACKS, strict=True):
        assert outcome in attack.outcomes


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


@pytest.mark.parametrize("page", TEXTS)
def test_what_a_page_links_to_exists(page: str) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", TEXTS[page]):
        assert (ROOT / page).parent.joinpath(target).exists(), target


def test_every_picture_of_a_page_is_written_by_make_screenshots() -> None:
    source = (ROOT / "tests/support/screenshots.py").read_text()
    shots = re.findall(r"\bShot\(\"(\w+)\"", source)
    assert sorted(shots) == sorted(path.stem for path in (ROOT / "docs").glob("*.png"))


@pytest.mark.parametrize("target", found(r"(?m)(?:`|^)make (\.?[a-z][\w./-]*)"))
def test_a_make_target_that_a_page_names_exists(target: str) -> None:
    done = subprocess.run(["make", "--dry-run", target], cwd=ROOT, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(("command", "options"), options_of_commands().items())
def test_a_command_takes_the_options_that_the_pages_give_it(
    command: str, options: set[str]
) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", *command.split(), "--help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for option in options:
        assert option in shown, f"python -m {command} has no {option}"


@pytest.mark.parametrize("name", found(r"outputs? ([A-Z][a-z]\w+)"))
def test_an_output_that_a_page_names_exists(name: str) -> None:
    others = [ROOT / ".github" / "deploy-role.yaml", *(ROOT / "examples").glob("*.yaml")]
    outputs = [template()["Outputs"], *(sam.load(path)["Outputs"] for path in others)]
    assert any(name in found for found in outputs)


@pytest.mark.parametrize(
    "path", found(r"`([\w.-]+(?:/[\w.-]+)*(?:/|\.(?:py|json|md|txt|yaml|toml|yml)))`")
)
def test_a_path_that_a_page_names_exists(path: str) -> None:
    assert path.startswith(MADE) or (ROOT / path).exists()


def test_the_contracts_page_tells_the_limit_of_each_format() -> None:
    formats = load_function("serialize", "formats").FORMATS
    for kind in formats:
        row = re.search(rf"^\| {kind.name} \|([^|]+)\|", TEXTS["docs/contracts.md"], re.MULTILINE)
        assert row is not None, kind.name
        limits = {kind.max_pixels, kind.other_max_pixels or kind.max_pixels}
        written = {int(number) * 1_000_000 for number in re.findall(r"\d+", row[1])}
        assert written == limits, kind.name
