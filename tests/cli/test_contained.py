"""What runs in a process of its own ends at its bounds, and the caller goes on."""

import os
import signal
import subprocess
import sys
import time

import pytest

from cli.contained import Contained, Exceeded
from tests.support.project import ROOT

MEMORY_MB = 300


def process_id() -> int:
    """Return the id of the process that this runs in."""
    return os.getpid()


def size_of(count: int) -> int:
    """Take memory of so many bytes, and return how many."""
    return len(bytes(count))


def killed() -> None:
    """Crash."""
    os.kill(os.getpid(), signal.SIGSEGV)


def test_calls_run_one_after_another_in_one_other_process() -> None:
    contained = Contained(process_id, MEMORY_MB, seconds=60)
    first = contained()
    assert first != os.getpid()
    assert contained() == first


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds the data of a process")
def test_too_much_memory_is_told_and_the_next_call_is_answered() -> None:
    contained = Contained(size_of, MEMORY_MB, seconds=60)
    assert contained(100_000_000) == 100_000_000
    with pytest.raises(Exceeded, match="more than 300 MB of memory"):
        contained(400_000_000)
    assert contained(7) == 7


def test_a_call_that_does_not_end_is_ended() -> None:
    contained = Contained(time.sleep, MEMORY_MB, seconds=0.5)
    with pytest.raises(Exceeded, match="more than 0.5 s"):
        contained(3_600)
    contained(0)


def test_a_crash_is_told() -> None:
    with pytest.raises(Exceeded, match="it crashed"):
        Contained(killed, MEMORY_MB, seconds=60)()


def test_nothing_is_left_when_the_caller_is_killed() -> None:
    script = (
        "import time; from cli.contained import Contained\n"
        "from tests.cli.test_contained import process_id\n"
        "print(Contained(process_id, 300, seconds=60)(), flush=True); time.sleep(600)\n"
    )
    caller = subprocess.Popen(
        [sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with caller:
        assert caller.stdout
        other = int(caller.stdout.readline())
        os.kill(other, 0)
        caller.kill()
    for _ in range(100):
        try:
            os.kill(other, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    pytest.fail("the process runs on")
