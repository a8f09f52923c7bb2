"""Write the deployed state machine as one JSON file, its substitutions resolved.

The file can be imported in the Step Functions console (Create state machine, Import definition)
or given to `aws stepfunctions create-state-machine --definition file://...`.
"""

import argparse
import json
import sys
from pathlib import Path

from ops.stack.outputs import Stack


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="the file to write (default: standard output)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the definition that Step Functions runs."""
    stack = Stack.of(arguments)
    definition = json.dumps(stack.definition(), indent=2) + "\n"
    if arguments.out is None:
        sys.stdout.write(definition)
    else:
        arguments.out.write_text(definition)
        print(f"{arguments.out}: {len(definition):,} bytes, {stack.state_machine_arn}")
    return 0
