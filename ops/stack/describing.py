"""Everything that the ledger knows of one upload, as names and texts."""

from typing import Any

from ops.stack.ledger import KEY, NOT_DUE, Decision, sentence
from ops.stack.outputs import Stack


def attributes(item: Decision | None, stack: Stack) -> list[tuple[str, str]]:
    """Return what the ledger knows, without what is empty and the event."""
    if item is None:
        hint = stack.command("reconcile")
        return [("outcome", f"none: the ledger does not know it; {hint}")]
    found = vars(item) | {
        "audit": "" if item.audit == NOT_DUE else item.audit,
        "detail": sentence(item.detail),
        "inferences": ", ".join(
            f"{guess['label']} {guess['confidence']:.3f}" for guess in item.guesses()
        ),
    }
    if not item.label:
        found |= {"confidence": "", "threshold": ""}
    hidden = {*KEY, "event", "history"}
    return [(name, str(value)) for name, value in found.items() if value and name not in hidden]


def changes(item: Decision | None) -> list[tuple[str, str]]:
    """Return what people have changed, first to last: when, who, how, before, after, and why."""
    return [
        (
            "history",
            f"{change['at']} {change['by']}, {change['how']}:"
            f" {change['previous_outcome']} {change['previous_label']}"
            f" -> {change['outcome']} {change['label']}"
            + (f" ({change['comment']})" if change["comment"] else ""),
        )
        for change in (item.changes() if item else [])
    ]


def places(here: dict[str, Any]) -> list[tuple[str, str]]:
    """Return where its picture is. here: `picture` is None of what is in another bucket."""
    present = {
        True: "in the bucket",
        False: "gone: deleted or overwritten",
        None: "in another bucket, where it is not looked for",
    }[here["picture"]]
    return [("picture", present), *(("labelled copy", copy) for copy in here["copies"])]
