"""The model server of the embedded AWS: a process of its own, which is started again if it ends."""

import contextlib
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path

from cli.errors import CommandError
from local.paths import ROOT
from local.processes import die_with_parent

START_S = 60


class ModelServerError(CommandError):
    """The model server does not start."""


@contextlib.contextmanager
def model_server(model: Path) -> Iterator[str]:
    """Run `python -m model.serving.server` for a model folder; yield its URL.

    One that ends, killed for instance, is started again at the same URL, as SageMaker starts a
    container again. Raises ModelServerError.
    """
    keeper = _Keeper(model)
    try:
        keeper.start()
        yield keeper.url.result()
    finally:
        keeper.stop()


class _Keeper(threading.Thread):
    """Starts every process from one thread, which lives as long as they may.

    Linux kills them when the thread ends that has started them (PR_SET_PDEATHSIG). An interrupt,
    which comes to the main thread, cannot come between a start and what has to know of it.
    """

    def __init__(self, model: Path) -> None:
        super().__init__(name="model server", daemon=True)
        self.url: Future[str] = Future()
        self._model = model
        self._process: subprocess.Popen[str] | None = None
        self._stopping = False
        self._starting = threading.Lock()

    def run(self) -> None:
        port = "0"  # a free one, which it keeps
        try:
            while process := self._start(port):
                with process:
                    url = self._announced(process)
                    port = url.rpartition(":")[2]
                    if not self.url.done():
                        self.url.set_result(url)
                if not self._stopping:
                    print(
                        f"the model server has ended ({_ending(process.returncode)}) and is"
                        " started again",
                        file=sys.stderr,
                    )
        except (OSError, ModelServerError) as error:
            if not self.url.done():
                self.url.set_exception(error)
            elif not self._stopping:
                print(
                    f"error: the endpoint is gone: {error}; stop, and start anew", file=sys.stderr
                )

    def stop(self) -> None:
        """End the process and the thread."""
        with self._starting:
            self._stopping = True
            if self._process:
                self._process.kill()
        if self.is_alive():  # an interrupt may come before its start
            self.join()

    def _start(self, port: str) -> subprocess.Popen[str] | None:
        """Return a new process; None if there shall be no more."""
        command = [sys.executable, "-m", "model.serving.server", "--model"]
        command += [str(self._model.resolve()), "--host", "127.0.0.1", "--port", port]
        with self._starting:
            if self._stopping:
                return None
            self._process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,
                preexec_fn=die_with_parent if sys.platform == "linux" else None,
            )
            return self._process

    def _announced(self, process: subprocess.Popen[str]) -> str:
        """Return the URL that the process prints."""
        assert process.stdout is not None
        began = time.monotonic()
        while time.monotonic() - began < START_S and (line := process.stdout.readline()):
            if match := re.search(r"http://\S+:\d+", line):
                return match[0]
        process.kill()
        raise ModelServerError(
            f"the model server for {self._model} did not start: see its output above"
        )


def _ending(code: int) -> str:
    return f"exit code {code}" if code >= 0 else signal.Signals(-code).name
