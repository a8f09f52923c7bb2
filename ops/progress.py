"""A line that tells how far long work has come, where somebody watches."""

import sys
import time
from types import TracebackType
from typing import Self

EVERY_S = 0.5


class Progress:
    """Rewrites one line of a terminal's standard error; writes nothing into files and pipes."""

    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def tell(self, text: str) -> None:
        """Show a line, if the last one is old enough."""
        if self._shown and time.monotonic() >= self._next:
            print(f"\r\033[K{text}", end="", file=sys.stderr, flush=True)
            self._next = time.monotonic() + EVERY_S

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.clear()

    def clear(self) -> None:
        """Take the line away, to print something else."""
        if self._shown:
            print("\r\033[K", end="", file=sys.stderr, flush=True)
