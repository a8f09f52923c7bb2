"""Draw a state machine as SVG: states in rows by their distance from the start.

The way without errors runs down the first column. What several of its states fall back to stands
left of it, every other detour right of it. Lines run in the gaps between rows and columns only,
so none crosses a state.
"""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

from cli.terminal import shortened
from ops.drawing.layout import Edge, Layout, lay_out, short_error
from ops.drawing.svg import INK, image_at, line, text_at

# Lengths in pixels of the SVG's user space.
STATE_WIDTH, STATE_HEIGHT = 180, 50
COLUMN_GAP, ROW_GAP = 200, 50
LANE = 14  # between parallel lines
LABEL = 140  # the longest that stands beside a state
MARGIN = 40
PICTURE = 112  # a side of the picture that an execution was about
TITLE_CHARACTERS = 120  # of 8 pixels at most

COLOURS = {  # fill, border
    "idle": ("#ffffff", "#5b6472"),
    "passed": ("#dff3e4", "#2e8b57"),
    "failed": ("#fde2e1", "#c0392b"),
    "untouched": ("#f4f5f7", "#c3c8d0"),
}


@dataclass
class Visit:
    """What one execution did in a state."""

    seconds: float | None = None
    retries: int = 0
    error: str = ""


def draw(
    definition: Mapping[str, Any],
    visits: Mapping[str, Visit] | None = None,
    title: str = "",
    *,
    decision: str = "",
    picture: str = "",
) -> str:
    """Return the SVG of a state machine, with one execution over it where visits are given.

    definition: an Amazon States Language document with Task, Pass, Choice, Wait, Succeed and
    Fail states. visits: what the execution did, by state, in its order; others are greyed.
    decision: what it found. picture: that it was about, as an address that holds it (data:).
    """
    head = PICTURE if decision or picture else 0  # pixels above the states
    layout = lay_out(definition)
    first = min(layout.column.values())
    x = {n: MARGIN + (c - first) * (STATE_WIDTH + COLUMN_GAP) for n, c in layout.column.items()}
    y = {n: head + MARGIN + 40 + r * (STATE_HEIGHT + ROW_GAP) for n, r in layout.row.items()}
    path = list(visits or ())
    steps = set(itertools.pairwise(path))
    taken = {edge: visits is None or edge[:2] in steps for edge in layout.edges}
    parts = [
        _edge(edge, layout, x, y, taken[edge], visits)
        for edge in sorted(layout.edges, key=lambda edge: taken[edge])  # what was taken on top
    ]
    parts += [
        _state(name, definition["States"][name], x[name], y[name], visits) for name in layout.row
    ]
    start = definition["StartAt"]
    centre = x[start] + STATE_WIDTH / 2
    parts.append(
        f'<circle cx="{centre:g}" cy="{head + MARGIN:g}" r="7" fill="#5b6472"/>'
        + line([(centre, head + MARGIN + 7), (centre, y[start])], "#5b6472")
    )
    width = max(x.values()) + STATE_WIDTH + MARGIN
    height = max(y.values()) + STATE_HEIGHT + MARGIN
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
            f'width="{width:g}" height="{height:g}" role="img" '
            # Narrower pages show it smaller instead of a part of it.
            'style="max-width:100%;height:auto" '
            'font-family="Helvetica, Arial, DejaVu Sans, sans-serif">',
            f"<title>{escape(title or definition.get('Comment', 'State machine'))}</title>",
            f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>',
            *_heading(title, decision, picture),
            *parts,
            "</svg>\n",
        ]
    )


def _heading(title: str, decision: str, picture: str) -> list[str]:
    title = shortened(title, TITLE_CHARACTERS)
    if not (decision or picture):
        return [text_at(title, MARGIN / 2, 22, 13, anchor="start")] if title else []
    edge = MARGIN / 2
    beside = edge + PICTURE + 16 if picture else edge
    return [
        *([image_at(picture, edge, edge, PICTURE)] if picture else []),
        text_at(decision, beside, edge + 34, 22, anchor="start", bold=True),
        text_at(title, beside, edge + 64, 15, anchor="start"),
    ]


def _state(
    name: str,
    state: Mapping[str, Any],
    x: float,
    y: float,
    visits: Mapping[str, Visit] | None,
) -> str:
    visit = visits.get(name) if visits is not None else None
    if visits is None:
        kind = {"Succeed": "passed", "Fail": "failed"}.get(state["Type"], "idle")
    elif visit is None:
        kind = "untouched"
    else:
        kind = "failed" if visit.error or state["Type"] == "Fail" else "passed"
    fill, border = COLOURS[kind]
    ends = state.get("End") or state["Type"] in ("Succeed", "Fail")
    below = _service(state) if visit is None else _measured(visit)
    ink = "#9aa1ac" if kind == "untouched" else INK
    return (
        f'<rect x="{x:g}" y="{y:g}" width="{STATE_WIDTH}" height="{STATE_HEIGHT}" rx="8" '
        f'fill="{fill}" stroke="{border}" stroke-width="{3 if ends else 1.5}"/>'
        + text_at(name, x + STATE_WIDTH / 2, y + 21, 14, colour=ink, bold=True)
        + text_at(below, x + STATE_WIDTH / 2, y + 38, 11, colour=ink)
    )


def _service(state: Mapping[str, Any]) -> str:
    resource = str(state.get("Resource", ""))
    if "states:::" in resource:
        return resource.split("states:::")[1].replace(":", " ")
    return str(state["Type"]).lower()


def _measured(visit: Visit) -> str:
    parts = [] if visit.seconds is None else [f"{visit.seconds * 1000:,.0f} ms"]
    if visit.retries:
        parts.append(f"{visit.retries} {'retry' if visit.retries == 1 else 'retries'}")
    return ", ".join(parts)


def _edge(
    edge: Edge,
    layout: Layout,
    x: Mapping[str, float],
    y: Mapping[str, float],
    taken: bool,
    visits: Mapping[str, Visit] | None,
) -> str:
    source, target = edge.source, edge.target
    text = edge.label
    if taken and text and visits is not None and visits[source].error:
        text = short_error(visits[source].error)
    colour = "#5b6472" if taken and not edge.label else "#b0653a" if taken else "#d5d9df"
    top = (x[target] + STATE_WIDTH / 2, y[target])
    if layout.straight(edge):
        label = text_at(text, top[0] + 8, top[1] - 14, 11, anchor="start", colour=colour)
        return line([(top[0], y[source] + STATE_HEIGHT), top], colour) + label
    leftward = layout.column[target] < layout.column[source]
    side = x[source] if leftward else x[source] + STATE_WIDTH
    towards = -1 if leftward else 1
    # Lines to one target share a lane; each further target on the same side has its own. The
    # farthest leaves at the top and turns last, so that none crosses another.
    targets = sorted(
        (
            other.target
            for other in layout.edges
            if other.source == source
            and not layout.straight(other)
            and (layout.column[other.target] < layout.column[source]) == leftward
        ),
        key=lambda name: -abs(layout.column[name] - layout.column[source]),
    )
    at = targets.index(target)
    exit_y = y[source] + STATE_HEIGHT * (at + 0.5) / len(targets)
    shift = LANE * (len(targets) - 1 - at)
    past_a_column = layout.column[source] - layout.column[target] > 1
    # What passes a column on the left turns at once: farther off stand that column's labels.
    lane = side + towards * (COLUMN_GAP - LABEL - LANE if past_a_column else LABEL + shift)
    entry_y = y[target] - LANE * (2 if leftward else 1) - shift
    points = [(side, exit_y), (lane, exit_y), (lane, entry_y), (top[0], entry_y), top]
    anchor = "end" if leftward else "start"
    label = text_at(text, side + towards * 6, exit_y - 4, 11, anchor=anchor, colour=colour)
    return line(points, colour) + label
