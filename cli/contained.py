"""A function in a process of its own, which can take no more than its bounds.

For what the bytes of a stranger's file drive, a decoder of pictures for instance: whether it wants
all memory, never ends or crashes, the caller goes on, and is told.
"""

import multiprocessing
import signal
import sys
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any, Generic, ParamSpec, TypeVar

if sys.platform == "linux":
    import resource

Arguments = ParamSpec("Arguments")
Result = TypeVar("Result")


class Exceeded(Exception):
    """The function took more than its bounds, or crashed; the message says which."""


class Contained(Generic[Arguments, Result]):
    """A function that another process runs, one call at a time; threads may share it.

    function: of a module, so that the process can import it; arguments and result are pickled. An
    exception of it, but MemoryError, ends the process as a crash does. memory_mb: of data, on
    Linux; elsewhere there is no such bound. seconds: by the clock, of one call; starting the
    process, with the first call and after an Exceeded, comes on top.
    """

    def __init__(
        self, function: Callable[Arguments, Result], memory_mb: int, seconds: float
    ) -> None:
        self._function, self._memory_mb, self._seconds = function, memory_mb, seconds
        self._running: tuple[BaseProcess, Connection] | None = None
        self._lock = threading.Lock()

    def __call__(self, *args: Arguments.args, **kwargs: Arguments.kwargs) -> Result:
        """Return what the function returns; raises Exceeded."""
        with self._lock:
            try:
                return self._answer(args, kwargs)
            except BaseException:  # Ctrl-C as well: its answer must not be taken for the next one's
                self._stop()
                raise

    def _answer(self, args: Any, kwargs: Any) -> Result:
        try:
            pipe = self._pipe()
            pipe.send((args, kwargs))
            if not pipe.poll(self._seconds):
                raise Exceeded(f"it takes more than {self._seconds:g} s")
            succeeded, result = pipe.recv()
        except (EOFError, ConnectionError):
            raise Exceeded("it crashed") from None
        if not succeeded:
            raise Exceeded(f"it takes more than {self._memory_mb:,} MB of memory")
        found: Result = result
        return found

    def _pipe(self) -> Connection:
        if self._running is None:
            context = multiprocessing.get_context("spawn")
            ours, theirs = context.Pipe()
            process = context.Process(
                target=_serve, args=(theirs, self._function, self._memory_mb), daemon=True
            )
            process.start()
            theirs.close()  # so that its end is the end of the pipe
            self._running = process, ours
            ours.recv()  # it has imported the function
        return self._running[1]

    def _stop(self) -> None:
        if self._running is not None:
            process, pipe = self._running
            self._running = None
            process.kill()
            process.join()
            pipe.close()


def _serve(pipe: Connection, function: Callable[..., Any], memory_mb: int) -> None:
    """Answer calls until the other side of the pipe is closed, or its process has ended."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to both; the other side ends this
    if sys.platform == "linux":
        bound = memory_mb * 1_000_000
        resource.setrlimit(resource.RLIMIT_DATA, (bound, bound))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    pipe.send("ready")
    while True:
        try:
            args, kwargs = pipe.recv()
        except EOFError:
            return
        try:
            answer = True, function(*args, **kwargs)
        except MemoryError:
            answer = False, None
        pipe.send(answer)
