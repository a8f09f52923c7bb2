"""The containers get the versions that the project declares and tests."""

import importlib.metadata
import re
import tomllib

import pytest

from tests.support.project import ROOT, pinned

EXTRAS = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]


def declared(*extras: str) -> set[str]:
    """Return the names of the packages that extras list themselves."""
    lines = [line for extra in extras for line in EXTRAS[extra]]
    names = {re.split(r"[\[=<>; ]", line)[0] for line in lines}
    return names - {"scones-unlimited-image-workflow"}


def test_the_server_s_image_installs_what_the_extra_declares() -> None:
    assert pinned(ROOT / "model/serving/requirements.txt").keys() == declared("serve")


def test_the_training_container_installs_what_the_extras_declare_but_what_it_has() -> None:
    installed = pinned(ROOT / "model/training/requirements.txt")
    # The training container brings torch; nothing is served there.
    assert declared("serve", "train") - installed.keys() == {"torch", "waitress"}
    assert not any(name.startswith(("torch", "nvidia", "cuda")) for name in installed)


@pytest.mark.parametrize("folder", ["model/serving", "functions/serialize"])
def test_what_ships_has_the_tested_versions(folder: str) -> None:
    for name, version in pinned(ROOT / folder / "requirements.txt").items():
        assert importlib.metadata.version(name) == version
