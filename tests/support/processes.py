"""`python -m local` as it is typed, and what it has started."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.project import ROOT


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "local", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


def take_interrupts() -> None:
    """Run in a new process: the background jobs of a shell ignore Ctrl-C, and so do theirs."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def interrupted(
    words: Sequence[str], environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command until it has said a line, then send Ctrl-C; return how it ended."""
    with subprocess.Popen(
        words,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=take_interrupts,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate()
    return subprocess.CompletedProcess(words, process.returncode, out, err)


@contextlib.contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command with a mark in its environment, which all its descendants inherit."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=os.environ | {"TEST_MARK": f"{os.getpid()}-{time.monotonic_ns()}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        preexec_fn=take_interrupts,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def mark_of(process: subprocess.Popen[str]) -> bytes:
    variables = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    [mark] = [variable for variable in variables if variable.startswith(b"TEST_MARK=")]
    return mark


def alive(mark: bytes, but: int = 0) -> list[str]:
    """Return the command lines of the processes with a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes() and int(folder.name) != but:
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return [line for line in found if line]
