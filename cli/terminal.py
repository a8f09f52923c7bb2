"""What a command shows and asks: tables, progress, questions, texts that others wrote."""

import json
import shutil
import sys
import time
from collections.abc import Collection, Sequence
from types import TracebackType
from typing import Self

REDRAW_S = 0.5


def printable(text: str, most: int = 1024) -> str:
    """Return a name on one line, valid, without what could steer a terminal.

    most: characters; an object's key has 1,024 at most.
    """
    valid = text[:most].encode("utf-8", "replace").decode()
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in valid)


def sentence(detail: str) -> str:
    """Return what an item's detail says to people; that of a failed step is JSON within JSON."""
    try:
        cause = json.loads(json.loads(detail)["Cause"])
        return f"{cause['errorType']}: {cause['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return detail


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
    flexible: str = "",
) -> str:
    """Return rows under a header, in columns; it fits the terminal that it is printed on.

    right: names of the columns of numbers. flexible: the column that is shortened, with an
    ellipsis, where the terminal is too narrow. In a file or pipe nothing is shortened.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    grid = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False, header_style="")
    for column, name in enumerate(header):
        widest = max((len(row[column]) for row in rows), default=0)
        grid.add_column(
            name,
            justify="right" if name in right else "left",
            no_wrap=True,
            min_width=None if name == flexible else max(widest, len(name)),
        )
    for row in rows:
        grid.add_row(*(Text(printable(cell)) for cell in row))
    wide = shutil.get_terminal_size().columns if sys.stdout.isatty() else 10_000
    console = Console(width=wide, color_system=None, force_terminal=False, highlight=False)
    with console.capture() as captured:
        console.print(grid)
    return "\n".join(line.rstrip() for line in captured.get().rstrip("\n").split("\n"))


def confirmed(question: str, yes: bool) -> bool:
    """Ask before something is changed; --yes answers, and without a terminal the answer is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print("nothing was changed: give --yes to go on without a question")
        return False
    try:
        if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
            return True
    except EOFError:  # Ctrl-D
        print()
    print("nothing was changed")
    return False


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
            self._next = time.monotonic() + REDRAW_S

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
