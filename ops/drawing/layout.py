"""Place the states of a state machine in rows, by their distance from the start, and columns."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Edge(NamedTuple):
    """A way from a state to the next; label is empty, or the errors or the rule that lead there."""

    source: str
    target: str
    label: str


@dataclass
class Layout:
    """Rows and columns of the states, counted from 0; columns may be negative."""

    edges: list[Edge]
    row: dict[str, int] = field(default_factory=dict)
    column: dict[str, int] = field(default_factory=dict)

    def straight(self, edge: Edge) -> bool:
        """Whether an edge leads to the state right below."""
        return (
            self.column[edge.source] == self.column[edge.target]
            and self.row[edge.target] == self.row[edge.source] + 1
        )


def edges_of(definition: Mapping[str, Any]) -> list[Edge]:
    """Return every way between two states of an ASL definition, several errors as one edge."""
    labels: dict[tuple[str, str], list[str]] = {}
    for name, state in definition["States"].items():
        ways = [(state["Next"], "")] if "Next" in state else []
        ways += [(rule["Next"], "rule") for rule in state.get("Choices", [])]
        ways += [(state["Default"], "otherwise")] if "Default" in state else []
        for rule in state.get("Catch", []):
            errors = [short_error(error) for error in rule["ErrorEquals"]]
            ways.append(
                (rule["Next"], "any error" if "States.ALL" in errors else ", ".join(errors))
            )
        for target, label in ways:
            labels.setdefault((name, target), []).append(label)
    return [Edge(*way, _one_label(texts)) for way, texts in labels.items()]


def _one_label(texts: list[str]) -> str:
    if "" in texts:  # the way without errors needs no word
        return ""
    return "any error" if "any error" in texts else ", ".join(texts)


def short_error(error: str) -> str:
    """Return an error's name without what every error of its kind has."""
    return error.removeprefix("DynamoDB.").removesuffix("Exception")


def spine_of(definition: Mapping[str, Any]) -> list[str]:
    """Return the states of the way without errors and choices."""
    spine = [definition["StartAt"]]
    while (following := definition["States"][spine[-1]].get("Next")) and following not in spine:
        spine.append(following)
    return spine


def lay_out(definition: Mapping[str, Any]) -> Layout:
    """Give each state a row below everything that leads to it, and a column."""
    layout = Layout(edges_of(definition))
    spine = spine_of(definition)
    _place_rows(layout, definition["StartAt"], ())
    layout.column = dict.fromkeys(spine, 0)
    fallbacks = {
        target
        for target in layout.row
        if target not in spine
        and sum(edge.target == target and edge.source in spine for edge in layout.edges) > 1
        and sum(edge.target == target and edge.label == "any error" for edge in layout.edges) > 1
    }
    for name in sorted(layout.row, key=lambda name: layout.row[name]):
        if name in layout.column:
            continue
        parents = [edge.source for edge in layout.edges if edge.target == name]
        leftward = name in fallbacks or any(layout.column.get(name, 0) < 0 for name in parents)
        column = -1 if leftward else 1
        while any(
            layout.column.get(other) == column and layout.row[other] == layout.row[name]
            for other in layout.column
        ):
            column += -1 if leftward else 1
        layout.column[name] = column
    return layout


def _place_rows(layout: Layout, name: str, path: tuple[str, ...]) -> None:
    row = len(path)
    if layout.row.get(name, -1) >= row:
        return
    layout.row[name] = row
    for edge in layout.edges:
        if edge.source == name and edge.target not in (*path, name):  # a way back keeps its row
            _place_rows(layout, edge.target, (*path, name))
