"""What an execution did in each state, for a drawing of it, and the drawing's file."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ops.drawing.state_machine import Visit


def title_of(execution: Mapping[str, Any]) -> str:
    """Return one line about an execution, as DescribeExecution describes it."""
    event = json.loads(execution["input"])
    key = event.get("detail", {}).get("object", {}).get("key", execution["name"])
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
