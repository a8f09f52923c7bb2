"""Draw the state machine, or one execution over it, as SVG or PNG.

    python -m ops picture --definition statemachine/classify_image.asl.json --out workflow.svg
    python -m ops picture --out workflow.svg                      as deployed
    python -m ops picture --execution latest --out execution.png  the newest
    python -m ops picture --execution ARN --out execution.svg

Over an execution the picture shows the photo as the model saw it, the decision, the states passed,
the time in each, retries and errors, from the execution's history. An EXPRESS workflow keeps none;
see its ledger and its logs.
"""

import argparse
import json
from pathlib import Path

from cli.errors import CommandError
from ops.drawing.execution import drawing_of, title_of, write
from ops.drawing.state_machine import draw
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
        raise CommandError(f"--out {arguments.out}: give a name that ends in .svg or .png")
    if arguments.definition is not None and arguments.execution is not None:
        raise CommandError("--definition draws a file, --execution a deployed stack: give one")
    title = ""
    if arguments.definition is not None:
        picture = picture_of(arguments.definition)
    else:
        stack = Stack.of(arguments)
        if arguments.execution is None:
            picture = draw(stack.definition())
        else:
            execution = stack.execution(arguments.execution)
            history = list(stack.history(execution["executionArn"], documents=True))
            picture = drawing_of(stack.definition(), execution, history)
            title = title_of(execution)
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
