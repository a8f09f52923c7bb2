"""The table of pictures and what became of them."""

from collections.abc import Sequence
from pathlib import Path

from local.follow import Followed

COLUMNS = ("picture", "states passed", "label", "confidence", "decision", "ms")
RIGHT = (3, 5)  # the columns of numbers


def print_table(everything: Sequence[Followed]) -> None:
    """Print one line per picture; what has a reason tells it below."""
    lines = [COLUMNS, *(_cells(each) for each in everything)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths))
    for each in everything:
        if each.detail:
            print(f"\n{Path(each.image).name}: {each.detail[:300]}")


def _cells(followed: Followed) -> tuple[str, ...]:
    # The four steps and the states that record are told by their first words.
    states = " > ".join(_short(state) for state in followed.states) or "-"
    return (
        Path(followed.image).name,
        states,
        followed.label or "-",
        "-" if followed.confidence is None else f"{followed.confidence:.3f}",
        (followed.decision or "no outcome") + (f": {followed.reason}" if followed.reason else ""),
        "-" if followed.milliseconds is None else str(followed.milliseconds),
    )


def _short(state: str) -> str:
    step = {
        "Serialize image": "Serialize",
        "Classify image": "Classify",
        "Filter inferences": "Filter",
        "Record decision": "Record",
    }
    return step.get(state, state)
