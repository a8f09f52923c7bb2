"""What the packages of the project may import from each other."""

import ast
import sys
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

from tests.support.project import ROOT, STEPS, pinned

# A room is a package or a module, without those below it that have a row of their own. It may
# import from itself and from what its row names; tests import from everything.
ALLOWED: dict[str, tuple[str, ...]] = {
    "cli": (),
    "model": ("cli",),
    "model.serving": (),  # it is copied into the container as it is
    "ops.__main__": ("cli", "ops.stack"),
    "ops.commands": (
        *("cli", "ops.bills", "ops.prices", "ops.stack"),
        *("ops.reviewing", "ops.monitoring", "ops.quality", "ops.drawing", "ops.acceptance"),
        "ops.backfilling",
        "ops.console",
    ),
    "ops.console": (
        *("cli", "ops.backfilling.plan", "ops.bills", "ops.stack"),
        *("ops.reviewing", "ops.monitoring", "ops.quality", "ops.drawing"),
    ),
    "ops.backfilling": ("cli", "ops.bills", "ops.prices", "ops.stack"),
    "ops.acceptance": ("cli", "ops.stack"),
    "ops.reviewing": ("cli", "ops.stack"),
    "ops.monitoring": (
        *("cli", "ops.stack"),
        *("model.endpoint.artifacts", "model.endpoint.capture_lines", "model.endpoint.place"),
        *("model.training.image_statistics", "model.training.pictures", "model.training.rounding"),
    ),
    "ops.quality": ("cli", "ops.stack", "model.endpoint.samconfig"),
    "ops.drawing": ("cli", "ops.stack"),
    "ops.stack": ("cli", "ops.stack.uploads"),
    "ops.stack.uploads": ("cli", "ops.stack", "model.training.suffixes"),
    "ops.bills": ("ops.prices",),
    "ops.prices": ("model.endpoint.prices",),
    "local": ("cli", "model", "ops", "local.lambdas", "local.moto_patches"),
    "local.__main__": ("cli",),
    "local.commands": ("cli", "model", "ops", "local"),
    "local.moto_patches": ("local.lambdas", "local.template"),
    "local.lambdas": (),
    "benchmarks": ("cli", "model", "ops", "local"),
}
PACKAGES = ("cli", "model", "ops", "local", "benchmarks")
PROJECT = {*PACKAGES, "tests", "functions", "notebooks", "examples"}
EXAMPLES = sorted((ROOT / "examples").rglob("*.py"))
# Those that ship in a consumer's package, or run beside it, have their own modules and boto3,
# which brings botocore with it.
OF_EXAMPLES = {"boto3", "botocore", *(path.stem for path in EXAMPLES)}


def module_of(path: Path) -> str:
    name = path.relative_to(ROOT).with_suffix("").as_posix().replace("/", ".")
    return name.removesuffix(".__init__")


MODULES = {module_of(path): path for name in PACKAGES for path in (ROOT / name).rglob("*.py")}


def within(name: str, room: str) -> bool:
    return f"{name}.".startswith(f"{room}.")


def room_of(name: str) -> str:
    """Return the narrowest room that a module is in, its package if the table has none."""
    return max((room for room in ALLOWED if within(name, room)), key=len, default=name)


def imported(source: str, package: str = "") -> Iterator[str]:
    """Yield the modules that a source imports, at its top and in functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1]
            name = ".".join([*(above if node.level else ()), *filter(None, [node.module])])
            for alias in node.names:  # of a package: its module, or a name of its own
                inner = f"{name}.{alias.name}"
                yield inner if inner in MODULES else name


def forbidden(room: str) -> list[str]:
    """Return the imports of a room that its row does not allow, each with its module."""
    return [
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if room_of(module) == room
        for name in imported(path.read_text(), module.rpartition(".")[0])
        if name.partition(".")[0] in PROJECT
        and room_of(name) != room
        and not any(within(name, allowed) for allowed in ALLOWED[room])
    ]


@pytest.mark.parametrize("room", ALLOWED)
def test_a_room_imports_only_what_its_row_allows(room: str) -> None:
    assert forbidden(room) == []


def test_every_module_has_a_row_and_every_row_a_module() -> None:
    assert {room_of(module) for module in MODULES} - {"ops"} == set(ALLOWED)


@pytest.mark.parametrize("step", STEPS)
def test_a_function_imports_nothing_of_the_project_but_its_own_modules(step: str) -> None:
    paths = {name: list((ROOT / "functions" / name).glob("*.py")) for name in STEPS}
    foreign = PROJECT | {path.stem for name in STEPS for path in paths[name]}
    foreign -= {path.stem for path in paths[step]}
    names = {name for path in paths[step] for name in imported(path.read_text())}
    assert {name for name in names if name.partition(".")[0] in foreign} == set()


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_runs_as_it_stands(path: Path) -> None:
    names = {name.partition(".")[0] for name in imported(path.read_text())}
    assert names - sys.stdlib_module_names <= OF_EXAMPLES


@pytest.mark.parametrize(
    "source",
    [
        "import ops.stack.ledger",
        "import json, ops.stack.ledger as ledger",
        "from ops.stack import ledger",
        "from ops.stack.ledger import Ledger",
        "from .ledger import Ledger",
        "from . import ledger",
        "def read():\n    from ops.stack import ledger",
    ],
)
def test_every_form_of_an_import_is_seen(source: str) -> None:
    assert "ops.stack.ledger" in imported(source, "ops.stack")


@pytest.mark.parametrize(("room", "extra"), [("cli", "ops"), ("ops", "ops"), ("local", "local")])
def test_a_room_imports_no_package_that_its_extra_does_not_install(room: str, extra: str) -> None:
    installed = pinned(ROOT / f"locks/{extra}.txt").keys()
    distributions = packages_distributions()
    missing = {
        f"{module} imports {name}"
        for module, path in MODULES.items()
        if within(module, room)
        for name in {name.partition(".")[0] for name in imported(path.read_text())}
        if name in distributions
        and not {found.lower().replace("_", "-") for found in distributions[name]} & installed
    }
    assert missing == set()
