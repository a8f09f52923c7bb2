"""Run a deployed stack: see, review, repair, check, clean.

    python -m ops console         see, review and try, in the browser
    python -m ops status          what happened today, and what waits
    python -m ops COMMAND --help  what a command does, with examples

The stack is --stack NAME, else that of the environment variable SCONES_STACK, else the one that
samconfig.toml deploys. Credentials and region come as for every AWS tool: ~/.aws, AWS_PROFILE,
AWS_DEFAULT_REGION. With AWS_ENDPOINT_URL set, as `python -m local up` prints it, the same commands
work on the embedded AWS.

What a command finds or has done is JSON with --json, but for what picture and export write.
Commands that change something take --dry-run; reconcile without --start is its dry run, plan that
of backfill. Those that delete also ask first, --yes answers, and without a terminal the answer is
no; those that start, announce, repair or relabel do not ask, since doing it twice does no harm;
backfill does, since it may cost much.

Exit codes: 0 all is well, 1 something was found that needs attention, 2 the command could not do
its work, 130 interrupted.
"""

import argparse
import sys
from collections.abc import Sequence

from cli.program import Program
from ops.stack.outputs import DENIED, default_stack

# One line for each command; its module, of the same name, is imported when it is asked for.
COMMANDS = {
    "console": "everything below in the browser: see, review, try",
    "status": "the stack at a glance: outcomes today, what waits, alarms",
    "list": "uploads by outcome and time, with what was found or why not",
    "show": "everything that is known of one upload",
    "reconcile": "every uploaded object against the ledger; start what is missing",
    "backfill": "decide what was in a bucket before, within a budget",
    "review": "what waits for a person: a list, or a page to label it",
    "relabel": "give an upload another label, whoever has decided it",
    "monitor": "report confidences, decisions, latency and drift, with plots",
    "quality": "the error among the accepted, and the threshold that keeps 1 %",
    "redrive": "start again what failed, by reason: uploads and dead letters",
    "announce": "announce again what was recorded in a period",
    "prune": "delete old items of the ledger and, on request, their pictures",
    "forget": "delete one upload everywhere: ledger, picture, labelled copy",
    "teardown": "delete the stack: detach its policies first, tell what it leaves",
    "picture": "draw the state machine, or one execution over it",
    "acceptance": "prove a deployed stack, from the upload to the metric",
    "cost": "what a million photos cost, by what is billed; needs no stack",
    "export": "write the deployed state machine as one JSON file",
}


def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the command line names; return its exit code."""
    program = Program(
        "python -m ops", __doc__ or "", COMMANDS, "ops.commands", "ops", add_options, DENIED
    )
    return program.main(words)


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what names the stack."""
    stack = parser.add_argument_group("which stack")
    stack.add_argument(
        "--stack",
        default=default_stack(),
        metavar="NAME",
        help="the CloudFormation stack (default: %(default)s; SCONES_STACK, else samconfig.toml)",
    )
    stack.add_argument("--region", help="AWS region (default: as for every AWS tool)")


if __name__ == "__main__":
    sys.exit(main())
