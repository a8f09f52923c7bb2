r"""What others wrote, in a form that is safe to print and can be pasted back.

Whatever a command prints, on either stream, passes an EscapedStream: what could steer a terminal,
and what a selection would not copy, is printed as JSON writes it, \u001b. So JSON stays the same
JSON. A name that somebody else gave is printed by printable(), on one line; read_back() is its
inverse.
"""

import contextlib
import re
import sys
from collections.abc import Iterator
from typing import Any, TextIO, cast

# An escape as escaped() and printable() write it: a character beyond U+FFFF takes two, as in JSON.
_PAIR = r"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
ESCAPE = re.compile(rf"{_PAIR}|\\u[0-9a-fA-F]{{4}}|\\\\")


def escaped(text: str, keep: str = "", encoding: str = "utf-8") -> str:
    r"""Return a text with what is not printable as JSON writes it: \u001b, \u202e, \ud83d\ude00.

    Not printable are control characters, marks of direction, what joins characters, every space but
    the plain one, and what the encoding of the terminal lacks. keep: characters that stay.
    """

    def fits(char: str) -> bool:
        try:
            return char.isprintable() and bool(char.encode(encoding))
        except UnicodeEncodeError:
            return False

    if text.isascii() and text.isprintable():  # nearly always
        return text
    return "".join(char if char in keep or fits(char) else _escape(char) for char in text)


def _escape(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


def printable(name: str) -> str:
    """Return a name on one line, a backslash doubled, so that read_back() gives the name again."""
    return escaped(name.replace("\\", "\\\\"))


def read_back(printed: str) -> str:
    """Return the name that printable() has printed so."""

    def char(escape: re.Match[str]) -> str:
        units = escape[0].replace("\\u", "")
        if units == "\\\\":
            return "\\"
        return bytes.fromhex(units).decode("utf-16-be", "surrogatepass")

    return ESCAPE.sub(char, printed)


class EscapedStream:
    """A text stream that writes what escaped() makes of a text; lines end as they are."""

    def __init__(self, stream: TextIO) -> None:
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write a text, escaped; return its length."""
        self.unescaped.write(escaped(text, "\n", self.unescaped.encoding or "utf-8"))
        return len(text)

    def writelines(self, lines: Iterator[str]) -> None:
        """Write texts, escaped."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextlib.contextmanager
def escaped_output() -> Iterator[None]:
    """Let all that is written to standard output and standard error be escaped."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (
        stream if isinstance(stream, EscapedStream) else cast(TextIO, EscapedStream(stream))
        for stream in before
    )
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def steer(sequence: str) -> None:
    """Write a control sequence of the program itself to standard error, as it is."""
    stream = getattr(sys.stderr, "unescaped", sys.stderr)
    print(sequence, end="", file=stream, flush=True)
