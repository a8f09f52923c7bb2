"""The rooms of ops know each other one way: each only those below it."""

import ast

import pytest

from tests.support.project import ROOT

# From the top; reviewing, monitoring and drawing are side by side.
FLOORS = (("commands",), ("reviewing", "monitoring", "drawing"), ("stack",))


def imported(room: str) -> set[str]:
    """Return the rooms of ops, and other packages of the project, that a room imports."""
    modules = {
        node.module or ""
        for path in (ROOT / "ops" / room).glob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ImportFrom)
    }
    packages = {name.partition(".")[0] for name in modules} & {"local", "tests", "benchmarks"}
    return {name.split(".")[1] for name in modules if name.startswith("ops.")} | packages


@pytest.mark.parametrize("floor", range(len(FLOORS)))
def test_a_room_imports_only_what_is_below_it(floor: int) -> None:
    below = {name for rooms in FLOORS[floor + 1 :] for name in rooms}
    for room in FLOORS[floor]:
        assert imported(room) - {room} <= below, room
