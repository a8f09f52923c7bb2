"""Draw the state machine, or one execution over it, as SVG or PNG.

    python -m ops picture --definition statemachine/classify_image.asl.json --out workflow.svg
    python -m ops picture --out workflow.svg                          as it is deployed
    python -m ops picture --execution latest --out execution.png      the newest execution
    python -m ops picture --execution ARN --out execution.svg

Over an execution the picture shows the states passed, the time in each, retries and errors, from
the execution's history. An EXPRESS workflow keeps none; its ledger and logs tell instead.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from ops.drawing.state_machine import Visit, draw
from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--definition", type=Path, metavar="FILE", help="draw this ASL file; needs no stack"
    )
    parser.add_argument(
        "--execution", metavar="ARN", help="draw this execution over it, or the 'latest' one"
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE",
        default=Path("workflow.svg"),
        help="the picture to write, .svg or .png (default: %(default)s)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the picture."""
    if arguments.out.suffix not in (".svg", ".png"):
        print(
            f"--out {arguments.out}: the picture's name has to end in .svg or .png", file=sys.stderr
        )
        return 2
    if arguments.definition is not None and arguments.execution is not None:
        print("--definition draws a file, --execution a deployed stack: give one", file=sys.stderr)
        return 2
    title = ""
    if arguments.definition is not None:
        picture = picture_of(arguments.definition)
    else:
        stack, visits = Stack.of(arguments), None
        if arguments.execution is not None:
            execution = stack.execution(arguments.execution)
            visits = visits_of(stack.history(execution["executionArn"]))
            title = title_of(execution)
        picture = draw(stack.definition(), visits, title)
    write(picture, arguments.out)
    print(f"wrote {arguments.out}" + (f": {title}" if title else ""))
    return 0


def picture_of(path: Path) -> str:
    """Draw the state machine of a file. Raises CommandError where it holds none."""
    try:
        return draw(json.loads(path.read_text()))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CommandError(
            f"{path} holds no state machine ({type(error).__name__}: {error}): give a file in the"
            " Amazon States Language"
        ) from error


def title_of(execution: Mapping[str, Any]) -> str:
    """Return one line about an execution, as DescribeExecution tells it."""
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
