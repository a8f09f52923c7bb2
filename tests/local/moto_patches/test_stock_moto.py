"""Stock moto still lacks what each patch adds: one that is no longer needed fails here."""

import json
import subprocess
import sys
from typing import Any

import pytest

from local.moto_patches import stack_resources
from tests.support.project import ROOT
from tests.support.stock_moto import PROBES, TYPES

LACKS = [*PROBES, *(f"stack_resources: no {kind}" for kind in TYPES)]
PATCHES = sorted(path.stem for path in (ROOT / "local/moto_patches").glob("[a-z]*.py"))


@pytest.fixture(scope="module")
def stock() -> dict[str, bool]:
    """What a process without patches has found."""
    command = [sys.executable, "-m", "tests.support.stock_moto"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    found: dict[str, bool] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize("lack", LACKS)
def test_stock_moto_lacks_it(stock: dict[str, bool], lack: str) -> None:
    assert stock[lack], "stock moto has it now: see what of the patch is still needed"


@pytest.mark.parametrize("patch", PATCHES)
def test_every_patch_has_a_probe(patch: str) -> None:
    assert [lack for lack in LACKS if lack.startswith(f"{patch}: ")]


def test_the_types_are_those_that_are_added() -> None:
    ours: list[Any] = stack_resources.MODELS
    assert {model.cloudformation_type() for model in ours} == set(TYPES)
