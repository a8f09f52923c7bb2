"""A shorter run of each; `make chaos` is the long one. Each has an embedded AWS of its own."""

import subprocess
import sys

import pytest

from tests.support.project import ROOT

# A chaos run that some fault missed fails: 250 uploads meet every one, whatever the timing.
CHAOS, BURST = ["--uploads", "250"], ["--burst", "--uploads", "150"]


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("arguments", "seen"),
    [
        pytest.param(CHAOS, "execution: stopped before Record decision", id="chaos"),
        pytest.param(
            [*CHAOS, "--type", "EXPRESS"],
            "execution: stopped before Record decision",
            id="chaos-express",
        ),
        pytest.param(BURST, "Lambda.TooManyRequestsException", id="burst"),
    ],
)
def test_every_upload_is_decided_once_and_announced_once(arguments: list[str], seen: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.chaos", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=580,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "promises broken: 0" in ended.stdout
    assert seen in ended.stdout
