"""The table of pictures and what became of them."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from cli.escaping import printable
from cli.terminal import table
from local.follow import Followed, short_names
from ops.stack.ledger import sentence

DETAIL_CHARACTERS = 300
WIDTH = 80


def print_table(pictures: Sequence[Followed]) -> None:
    """Print one line per picture, then the routes by number, then the reasons.

    A route is the states that an execution has passed: their names would not fit into a column.
    """
    names = short_names(Path(picture.image) for picture in pictures)
    routes = list(dict.fromkeys(tuple(picture.states) for picture in pictures if picture.states))
    header = ["picture", "label", "confidence", "decision", "route", "ms"]
    rows = [_cells(names[Path(picture.image)], picture, routes) for picture in pictures]
    if not routes:  # nobody asked for them, or EXPRESS, which keeps no history
        header.remove("route")
        rows = [[*row[:4], row[5]] for row in rows]
    print(table(header, rows, right=("confidence", "ms"), flexible=("picture",)))
    if routes:
        print("\nroutes, by the states passed")
    for number, states in enumerate(routes, start=1):
        print(f"{number:>3}  {' > '.join(states)}")
    for picture in pictures:
        if picture.detail:
            name = names[Path(picture.image)]
            detail = sentence(picture.detail)[:DETAIL_CHARACTERS]
            print("\n" + textwrap.fill(f"{printable(name)}: {detail}", WIDTH))


def _cells(name: str, picture: Followed, routes: list[tuple[str, ...]]) -> list[str]:
    states = tuple(picture.states)
    return [
        name,
        picture.label or "-",
        "-" if picture.confidence is None else f"{picture.confidence:.3f}",
        picture.decision or "no outcome",
        str(routes.index(states) + 1) if states else "-",
        "-" if picture.milliseconds is None else str(picture.milliseconds),
    ]
