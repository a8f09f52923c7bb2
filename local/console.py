"""The operators' console over an embedded AWS: the same command that operators type."""

import contextlib
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from local.paths import ROOT
from local.processes import die_with_parent

START_S = 60  # seconds until it has printed its address
END_S = 5  # for its own end, before it is killed


class Console(NamedTuple):
    """A console that runs. address: to open, "" if it has not started. process: its id."""

    address: str
    process: int


@contextlib.contextmanager
def console(environment: Mapping[str, str], stack: str, port: int = 0) -> Iterator[Console]:
    """Run `python -m ops console` until the context ends.

    environment: of EmbeddedAws. port: 0 takes a free one.
    """
    command = [sys.executable, "-m", "ops", "console", "--stack", stack, "--port", str(port)]
    # Settings for AWS itself, AWS_ENDPOINT_URL_DYNAMODB or keys, would lead the console there.
    others = {name: text for name, text in os.environ.items() if not name.startswith("AWS_")}
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=others | dict(environment),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,  # Ctrl-C comes to this process, which ends that one
        preexec_fn=die_with_parent if sys.platform == "linux" else None,
    )
    try:
        yield Console(_address(process), process.pid)
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        assert process.stdout is not None
        process.stdout.close()


def _address(process: subprocess.Popen[str]) -> str:
    """Return the address that the console prints; why it does not start, it has said itself."""
    assert process.stdout is not None
    late = threading.Timer(START_S, process.terminate)
    late.start()
    try:
        for line in process.stdout:
            if match := re.search(r"http://\S+", line):
                return match[0]
        return ""
    finally:
        late.cancel()
