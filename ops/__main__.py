"""Run a deployed stack: see, review, repair, check, clean.

    python -m ops status                       what happened today, and what waits
    python -m ops review --serve               label what waits, in the browser
    python -m ops COMMAND --help               what a command does, with examples

The stack is the one that samconfig.toml deploys, or --stack NAME. Credentials and region come as
for every AWS tool: ~/.aws, AWS_PROFILE, AWS_DEFAULT_REGION. With AWS_ENDPOINT_URL set, as
`python -m local up` prints it, the same commands work on the embedded AWS.

Exit codes: 0 all is well, 1 something was found that needs attention, 2 the command could not do
its work, 130 interrupted.
"""

import argparse
import importlib
import os
import sys
import tomllib
import traceback
from collections.abc import Sequence
from pathlib import Path

from botocore.exceptions import BotoCoreError, ClientError

from ops.errors import OpsError, explained

# One line for each command; its module, of the same name, is imported when it is asked for.
COMMANDS = {
    "status": "the stack at a glance: outcomes today, what waits, dead letters, endpoint",
    "list": "uploads by outcome and time, with what was found or why not",
    "show": "everything that is known of one upload",
    "reconcile": "every uploaded object against the ledger; start what is missing",
    "review": "what waits for a person: a list, or a page in the browser to label it",
    "monitor": "report confidences, decisions, latency and drift, with plots",
    "redrive": "start again what failed: failed uploads and dead letters, by cause",
    "announce": "announce again what was recorded in a time",
    "prune": "delete old items of the ledger and, on request, their pictures",
    "forget": "delete one upload everywhere: ledger, picture, labelled copy",
    "picture": "draw the state machine, or one execution over it",
    "cost": "what a million photos cost, by what is billed; needs no stack",
    "export": "write the deployed state machine as one JSON file",
}
SAMCONFIG = Path(__file__).parents[1] / "samconfig.toml"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command that the command line names; return its exit code."""
    listed = "\n".join(f"  {name:<11}{text}" for name, text in COMMANDS.items())
    top = argparse.ArgumentParser(
        "python -m ops",
        description=f"{__doc__}\ncommands:\n{listed}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="%(prog)s COMMAND [--stack NAME] [--region REGION] [options]",
    )
    top.add_argument(
        "command", choices=COMMANDS, metavar="COMMAND", nargs="?", help="one of those above"
    )
    top.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    asked = top.parse_args(argv)
    if asked.command is None:
        top.print_help()
        return 2
    try:
        return _run(asked.command, asked.rest)
    except ModuleNotFoundError as error:
        return _refused(f"{error.name} is not installed: run make .venv/.extra-ops")
    except OpsError as error:
        return _refused(str(error))
    except (BotoCoreError, ClientError) as error:
        return _refused(explained(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError):  # `| head` has seen enough
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 0
        return _refused(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
    except Exception:  # 1, Python's own code for it, would look like something that was found
        traceback.print_exc()
        return 2


def _run(command: str, words: Sequence[str]) -> int:
    module = importlib.import_module(f"ops.commands.{command}")
    parser = argparse.ArgumentParser(
        f"python -m ops {command}",
        description=module.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    module.add_arguments(parser)
    _add_stack_options(parser)
    return int(module.run(parser.parse_args(words)))


def _add_stack_options(parser: argparse.ArgumentParser) -> None:
    stack = parser.add_argument_group("which stack")
    name = deployed_stack(SAMCONFIG)
    stack.add_argument(
        "--stack",
        default=name,
        metavar="NAME",
        help="the CloudFormation stack (default: %(default)s, of samconfig.toml)",
    )
    stack.add_argument("--region", help="AWS region (default: as for every AWS tool)")


def deployed_stack(samconfig: Path) -> str:
    """Return the name of the stack that `sam deploy` makes without further options."""
    try:
        settings = tomllib.loads(samconfig.read_text())
        return str(settings["default"]["global"]["parameters"]["stack_name"])
    except (OSError, KeyError):
        return "scones-unlimited"


def _refused(reason: str) -> int:
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
