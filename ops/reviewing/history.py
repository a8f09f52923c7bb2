"""What people have changed of an upload: a list in its item, first to last."""

import json
from collections.abc import Sequence
from typing import TypedDict

from ops.stack.ledger import Decision

# 50 changes with the longest names, labels and comments are 240 KB; an item has at most 400 KB.
MOST_CHANGES = 50


class Change(TypedDict):
    """One change; docs/contracts.md describes each value."""

    at: str
    by: str
    how: str
    outcome: str
    label: str
    previous_outcome: str
    previous_label: str
    comment: str


def history_of(item: Decision) -> list[Change]:
    """Return the changes of an item; an item that was labelled before there was a history has one.

    Of more than 50 changes they are the first and the newest 49.
    """
    if item.outcome == "reviewed" and not item.changes():
        return [
            Change(
                at=item.recorded_at,
                by=item.reviewer,
                how="review",
                outcome=item.outcome,
                label=item.label,
                previous_outcome="review",
                previous_label=item.previous_label,
                comment="",
            )
        ]
    return [Change(**change) for change in item.changes()]  # type: ignore[typeddict-item]


def extended(history: Sequence[Change], change: Change) -> str:
    """Return a history and its newest change as JSON text."""
    changes = [*history, change]
    if len(changes) > MOST_CHANGES:
        changes = [changes[0], *changes[1 - MOST_CHANGES :]]
    return json.dumps(changes, ensure_ascii=False)


def standing(history: Sequence[Change]) -> list[Change]:
    """Return the changes that were not taken back, first to last."""
    found: list[Change] = []
    for change in history:
        if change["how"] != "undo":
            found.append(change)
        elif found:  # else it took back one of the middle, which is no longer kept
            found.pop()
    return found


def lookers(item: Decision) -> set[str]:
    """Return who has given an item the label that it has, since it was another."""
    found = set()
    for change in reversed(standing(history_of(item))):
        if change["label"] != item.label:
            break
        found.add(change["by"])
    return found
