"""What an execution did and found, for a drawing of it, and the drawing's file."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from cli.escaping import printable
from ops.drawing.state_machine import Visit, draw

ENDED_BADLY = ("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted")


def drawing_of(
    definition: Mapping[str, Any],
    execution: Mapping[str, Any],
    history: Sequence[Mapping[str, Any]],
) -> str:
    """Return the SVG of an execution over its state machine: its picture, decision and way.

    execution: as DescribeExecution describes it. history: its events, oldest first; picture and
    decision are drawn if the events hold what the states took and gave.
    """
    return draw(
        definition,
        visits_of(history),
        title_of(execution),
        decision=decision_of(history),
        picture=canonical_picture(history),
    )


def title_of(execution: Mapping[str, Any]) -> str:
    """Return one line about an execution, as DescribeExecution describes it."""
    event = json.loads(execution["input"])
    key = printable(event.get("detail", {}).get("object", {}).get("key", execution["name"]))
    if "stopDate" not in execution:
        return f"{key}: {execution['status']} since {execution['startDate']:%Y-%m-%d %H:%M:%S %Z}"
    seconds = (execution["stopDate"] - execution["startDate"]).total_seconds()
    return f"{key}: {execution['status']} in {seconds * 1000:,.0f} ms"


def visits_of(history: Iterable[Mapping[str, Any]]) -> dict[str, Visit]:
    """Return what an execution did in each state, in the order in which it entered them.

    history: the events of GetExecutionHistory, oldest first.
    """
    visits: dict[str, Visit] = {}
    entered: dict[str, Any] = {}
    name, attempts = "", 0
    for event in history:
        kind = event["type"]
        if kind.endswith("StateEntered"):
            name, attempts = event["stateEnteredEventDetails"]["name"], 0
            visits[name], entered[name] = Visit(), event["timestamp"]
        elif kind.endswith("StateExited"):
            left = event["stateExitedEventDetails"]["name"]
            visits[left].seconds = (event["timestamp"] - entered[left]).total_seconds()
        elif kind in ("TaskScheduled", "LambdaFunctionScheduled"):
            attempts += 1
            visits[name].retries, visits[name].error = attempts - 1, ""
        elif name and kind.endswith(("Failed", "TimedOut")) and not kind.startswith("Execution"):
            visits[name].error = _error(event)
    return visits


def decision_of(history: Sequence[Mapping[str, Any]]) -> str:
    """Return in a few words what an execution found, "" while it runs.

    history: with what the states took and gave; without, only errors and Succeed states are told.
    """
    last = history[-1] if history else {"type": ""}
    if last["type"] in ENDED_BADLY:
        return f"failed: {_error(last)}"
    if last["type"] != "ExecutionSucceeded":
        return ""
    left = [event for event in history if "stateExitedEventDetails" in event]
    details = left[-1]["stateExitedEventDetails"]
    if left[-1]["type"] == "SucceedStateExited":  # nothing was recorded, whatever was found
        return str(details["name"]).lower()
    document = _document(details)
    if not document.get("label"):
        return ": ".join(filter(None, (document.get("outcome"), document.get("reason"))))
    return f"{document['outcome']}: {document['label']} {float(document['confidence']):.3f}"


def canonical_picture(history: Iterable[Mapping[str, Any]]) -> str:
    """Return the address of the picture that the model was asked about, "" if there was none.

    history: with what the states took and gave. The address holds the picture: it begins with data:
    """
    for event in history:
        document = _document(event.get("stateExitedEventDetails", {}))
        if "image_data" in document:
            return f"data:{document['content_type']};base64,{document['image_data']}"
    return ""


def _document(details: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object that a state gave; an empty one if the history does not hold it."""
    try:
        found = json.loads(details.get("output", ""))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(event: Mapping[str, Any]) -> str:
    for field, details in event.items():
        if field.endswith("EventDetails"):
            return str(details.get("error", event["type"]))
    return str(event["type"])


def write(svg: str, out: Path) -> None:
    """Write the drawing as the file's name asks: .svg as it is, .png at twice its size."""
    if out.suffix == ".svg":
        out.write_text(svg)
        return
    import resvg_py  # only here: SVG needs no renderer

    out.write_bytes(bytes(resvg_py.svg_to_bytes(svg_string=svg, zoom=2)))
