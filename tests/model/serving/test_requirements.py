"""The containers get the versions that the project declares and tests."""

import importlib.metadata
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


@pytest.mark.parametrize(
    ("file", "extras", "left_out"),
    [
        # The training container brings torch; nothing is served there.
        ("training/requirements.txt", ("serve", "train"), ("torch==", "waitress")),
        ("serving/requirements.txt", ("serve",), ()),
    ],
    ids=["training", "server"],
)
def test_a_container_installs_what_the_extras_declare(
    file: str, extras: tuple[str, ...], left_out: tuple[str, ...]
) -> None:
    declared = {
        line
        for extra in extras
        for line in EXTRAS[extra]
        if not line.startswith((*left_out, "scones-unlimited"))
    }
    lines = (ROOT / "model" / file).read_text().splitlines()
    assert {line for line in lines if line and not line.startswith("#")} == declared


def test_the_server_s_requirements_are_exact_and_the_tested_ones() -> None:
    lines = (ROOT / "model/serving/requirements.txt").read_text().splitlines()
    for line in lines:
        if not line.startswith("#"):
            name, version = line.split("==")
            assert importlib.metadata.version(name) == version
