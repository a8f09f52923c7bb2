"""The row that every suite returns, and the table of rows."""

from typing import TypedDict


class Row(TypedDict, total=False):
    """One figure beside its floor.

    value and floor are in the same unit; ratio is value / floor; aim is the ratio or the value
    aimed at, as text; note says what the floor is.
    """

    name: str
    value: float
    unit: str
    floor: float | None
    ratio: float | None
    aim: str
    note: str


def row(
    name: str, value: float, unit: str, floor: float | None = None, *, aim: str = "", note: str = ""
) -> Row:
    """Return a row whose ratio follows from value and floor."""
    ratio = value / floor if floor else None
    return Row(name=name, value=value, unit=unit, floor=floor, ratio=ratio, aim=aim, note=note)


def cells_of(rows: list[Row]) -> list[tuple[str, ...]]:
    """Return rows as text under a header: figure, value, floor, ratio, aim, what the floor is."""
    return [
        ("figure", "value", "floor", "ratio", "aim", "the floor"),
        *(
            (
                row["name"],
                _number(row["value"], row["unit"]),
                _number(row.get("floor"), row["unit"]),
                f"{ratio:.2f}x" if (ratio := row.get("ratio")) else "",
                row.get("aim", ""),
                row.get("note", ""),
            )
            for row in rows
        ),
    ]


def print_rows(title: str, rows: list[Row]) -> None:
    """Print rows as a table."""
    cells = cells_of(rows)
    widths = [max(len(line[column]) for line in cells) for column in range(6)]
    print(f"\n{title}")
    for line in cells:
        name, *numbers, aim, note = line
        padded = [number.rjust(width) for number, width in zip(numbers, widths[1:4], strict=True)]
        print("  ".join([name.ljust(widths[0]), *padded, aim.ljust(widths[4]), note]).rstrip())


def _number(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    digits = 0 if abs(value) >= 1000 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f} {unit}"
