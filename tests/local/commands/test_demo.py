"""`python -m local demo`: what tests/test_readme.py does not hold against the README."""

import signal
import sys
import time

import pytest

from tests.support.processes import alive, mark_of, started
from tests.support.project import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["starting the AWS services", "deploying", "uploading"])
def test_a_stop_in_any_phase_leaves_no_process_and_no_file(
    phase: str, number: signal.Signals
) -> None:
    with started("demo") as process:
        assert process.stdout
        for line in process.stdout:
            if phase in line:
                break
        else:
            pytest.fail(f"the demo never said {phase!r}")
        mark = mark_of(process)
        assert alive(mark, but=process.pid), "it had started nothing yet"
        process.send_signal(number)
        assert process.wait(30) == 130
        deadline = time.monotonic() + 10
        while (left := alive(mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
    assert list((ROOT / ".local").glob(f"{process.pid}-*")) == []
