"""What a command shows and asks: tables, progress, questions."""

import re
import shlex
import shutil
import sys
import time
import unicodedata
from collections.abc import Collection, Sequence
from itertools import zip_longest
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.escaping import ESCAPE, escaped, steer

REDRAW_S = 0.5
GAP = "  "  # between columns
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"
SHORTEST = 16  # columns that are left of a shortened cell; lines wrap on a narrower terminal


def own_command(module: str, *words: str) -> str:
    """Return a command of this project that works when pasted where this one was started.

    The interpreter is this one: a bare `python` may be another, without the extras.
    """
    python, here = Path(sys.executable), Path.cwd()
    shown = python.relative_to(here) if python.is_relative_to(here) else python
    return shlex.join([str(shown), "-m", module, *words])


def columns_of(text: str) -> int:
    """Return how many columns of a terminal a text takes: wide characters two, accents none."""
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1
        for char in text
    )


def shortened(text: str, width: int) -> str:
    """Return a text in at most so many columns, an ellipsis a third from its beginning.

    What tells names apart stands at their end: the file in its folder, the etag. An escape stays
    whole.
    """
    if columns_of(text) <= width:
        return text
    parts = re.findall(rf"{ESCAPE.pattern}|.", text, re.DOTALL)
    head, tail = "", ""
    for part in parts:
        if columns_of(head + part) > (width - 1) // 3:
            break
        head += part
    for part in reversed(parts):
        if columns_of(head + part + tail) > width - 1:
            break
        tail = part + tail
    return head + ELLIPSIS + tail


def table(
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    right: Collection[str] = (),
    flexible: Collection[str] = (),
    indent: str = "",
) -> str:
    """Return rows under a header, in columns, without colours.

    header: a name may have several lines. right: names of the columns of numbers. flexible:
    names of the columns whose cells are shortened in their middle where the terminal is too narrow;
    in a file or pipe nothing is.
    """
    heads = zip_longest(*(name.split("\n") for name in header), fillvalue="")
    encoding = sys.stdout.encoding or "utf-8"  # what it lacks takes more columns, escaped
    cells = ([escaped(cell, encoding=encoding) for cell in row] for row in rows)
    lines = [*map(list, heads), *cells]
    widths = [max(map(columns_of, column)) for column in zip(*lines, strict=True)]
    shrinkable = [column for column, name in enumerate(header) if name in flexible]
    if shrinkable and sys.stdout.isatty():
        room = shutil.get_terminal_size().columns - len(indent) - len(GAP) * (len(header) - 1)
        while sum(widths) > room:
            widest = max(shrinkable, key=lambda column: widths[column])
            if widths[widest] <= SHORTEST:
                break
            widths[widest] -= 1
        for line in lines:
            line[:] = map(shortened, line, widths)

    def padded(cell: str, name: str, width: int) -> str:
        space = " " * (width - columns_of(cell))
        return space + cell if name in right else cell + space

    return "\n".join(
        (indent + GAP.join(map(padded, line, header, widths))).rstrip() for line in lines
    )


def confirmed(question: str, yes: bool) -> bool:
    """Ask before something is changed; --yes answers, and without a terminal the answer is no.

    The question goes to standard error: standard output may be read by a program.
    """
    if yes:
        return True
    answer = ""
    if sys.stdin.isatty():
        print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
        try:
            answer = input().strip().lower()
        except EOFError:  # Ctrl-D
            print(file=sys.stderr)
    if answer in ("y", "yes"):
        return True
    hint = "" if sys.stdin.isatty() else ": give --yes to go on without a question"
    print(f"nothing was changed{hint}", file=sys.stderr)
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
            # A line that wraps could not be taken away.
            fitting = shortened(escaped(text), shutil.get_terminal_size().columns - 1)
            steer(f"\r\033[K{fitting}")
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
            steer("\r\033[K")
