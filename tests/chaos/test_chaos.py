"""A shorter run of both; `make chaos` is the long one. Each has an embedded AWS of its own."""

import subprocess
import sys

import pytest

from tests.support.project import ROOT


@pytest.mark.parametrize(
    "arguments", [["--uploads", "80"], ["--burst", "--uploads", "150"]], ids=["chaos", "burst"]
)
def test_every_upload_is_decided_once_and_announced_once(arguments: list[str]) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "promises broken: 0" in ended.stdout
