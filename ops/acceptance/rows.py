"""What a check has found: a row of the table, and the line that says what to do about it."""

from dataclasses import asdict, dataclass
from typing import Any

from cli.escaping import escaped, printable
from cli.terminal import shortened, table

GOOD, DIFFERS, UNCHECKED, ABSENT = "good", "DIFFERS", "unchecked", "n/a"
HEADER = ("result", "what", "seen", "expected")
# Columns of the table's texts, 80 in all with result and gaps; the lines below it are whole.
WIDTHS = {"what": 21, "seen": 28, "expected": 16}


@dataclass(frozen=True)
class Row:
    """A fact of the stack beside what it should be.

    where: the place to look at. decision: the entry of docs/decisions.md that AWS settles here.
    change: what to change in the project if AWS is right.
    """

    what: str
    seen: str
    expected: str
    result: str = GOOD
    where: str = ""
    decision: str = ""
    change: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return every field, to be written as JSON."""
        return asdict(self)


class NotChecked(Exception):
    """A check has nothing to look at; the message says why."""


def exit_code(rows: list[Row]) -> int:
    """Return 1 if something differs, 2 if something could not be checked, else 0."""
    results = {row.result for row in rows}
    return 1 if DIFFERS in results else 2 if UNCHECKED in results or not rows else 0


def as_text(rows: list[Row]) -> str:
    """Return the table, what differs in whole sentences, and the decisions that were settled."""
    shown = [
        (
            row.result,
            *(shortened(escaped(getattr(row, name)), most) for name, most in WIDTHS.items()),
        )
        for row in rows
    ]
    parts = [table(HEADER, shown)]
    parts += [_told(row) for row in rows if row.result in (DIFFERS, UNCHECKED)]
    settled = sorted({row.decision for row in rows if row.decision and row.result == GOOD})
    if settled:
        listed = "\n".join(f"  {title}" for title in settled)
        parts.append(f"decisions of docs/decisions.md that this run confirms\n{listed}")
    counts = [
        f"{count} {result}"
        for result in (GOOD, DIFFERS, UNCHECKED, ABSENT)
        if (count := sum(row.result == result for row in rows))
    ]
    return "\n\n".join([*parts, ", ".join(counts)])


def _told(row: Row) -> str:
    lines = [f"! {row.what}: {row.result}", f"  seen      {row.seen}"]
    if row.result == DIFFERS:
        lines.append(f"  expected  {row.expected}")
    for name, text in (("look at", row.where), ("change", row.change), ("decision", row.decision)):
        if text:
            lines.append(f"  {name:<10}{text}")
    return "\n".join(printable(line) for line in lines)
