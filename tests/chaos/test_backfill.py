"""A shorter run of tests/chaos/backfill.py, with an embedded AWS of its own."""

import subprocess
import sys

import pytest

from tests.support.project import ROOT


@pytest.mark.timeout(600)
def test_a_backfill_that_is_stopped_resumed_and_ended_by_its_budget_decides_each_once() -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos.backfill", "--objects", "100", "--uploads", "5"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "promises broken: 0" in ended.stdout
