"""The table of pictures and what became of them."""

from collections.abc import Sequence
from pathlib import Path

from cli.terminal import sentence
from local.follow import Followed, named

COLUMNS = ("picture", "states passed", "label", "confidence", "decision", "ms")
STATES, RIGHT = 1, (3, 5)  # the column of states, those of numbers


def print_table(everything: Sequence[Followed]) -> None:
    """Print one line per picture; what has a reason tells it below."""
    names = named(Path(each.image) for each in everything)
    lines = [COLUMNS, *(_cells(names[Path(each.image)], each) for each in everything)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    if not any(each.states for each in everything):  # nobody asked, or EXPRESS keeps none
        widths[STATES] = 0
    for number, line in enumerate(lines):
        cells = [
            cell.rjust(width) if column in RIGHT else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
            if width
        ]
        print("  ".join(cells).rstrip())
        if number == 0:
            print("  ".join("-" * width for width in widths if width))
    for each in everything:
        if each.detail:
            print(f"\n{names[Path(each.image)]}: {sentence(each.detail)[:300]}")


def _cells(name: str, followed: Followed) -> tuple[str, ...]:
    # The four steps and the states that record are told by their first words.
    states = " > ".join(_short(state) for state in followed.states) or "-"
    return (
        name,
        states,
        followed.label or "-",
        "-" if followed.confidence is None else f"{followed.confidence:.3f}",
        _decision(followed),
        "-" if followed.milliseconds is None else str(followed.milliseconds),
    )


def _decision(followed: Followed) -> str:
    if followed.reason in ("", followed.decision):
        return followed.decision or "no outcome"
    return f"{followed.decision}: {followed.reason}"


def _short(state: str) -> str:
    step = {
        "Serialize image": "Serialize",
        "Classify image": "Classify",
        "Filter inferences": "Filter",
        "Record decision": "Record",
    }
    return step.get(state, state)
