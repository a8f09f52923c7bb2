"""Prove a deployed stack: send pictures through it, and compare all that follows with what should.

    python -m ops acceptance            after each deployment
    python -m ops acceptance --provoke  an upload that fails, and its alarm, too
    python -m ops acceptance --dry-run  what it would make and check
    python -m ops acceptance --json > acceptance.json

It uploads eight pictures into a folder of their own and follows them to ledger, announcements,
logs and metrics, looks at alarms, dashboard, endpoint and dead letters, and tries the operator
policy. On AWS this takes up to half an hour, most of it waiting for the events of a new bucket and
for metrics, and costs less than 2 US cents, the endpoint aside. At its end, and on Ctrl-C, it
removes what it has made: pictures, items, a queue, a rule, a role. Log events, data points, capture
files and the executions of a STANDARD workflow stay.

Run it as who deploys: it makes a rule and a role, which the operator policy does not allow. Who
listens to announcements hears those of these pictures: their keys are UPLOADPREFIX/acceptance-...
--provoke also sends a message to those whom alarms reach.

Exit code 1 if something differs, 2 if nothing does and a check could not be made.
"""

import argparse
import json
import sys
import time
from contextlib import closing
from functools import partial

from cli.arguments import add_dry_run, add_json, duration
from cli.terminal import Progress
from ops.stack.outputs import Stack

# GetMetricData takes 1 cent for 1,000 metrics, of which the waits ask for 1,200 at most; the ten
# executions, queries and requests are a tenth of a cent. https://aws.amazon.com/cloudwatch/pricing/
COST = "costs less than 2 US cents, the endpoint aside"
WAIT = "15m"  # as long as the slowest metric may take: that of a queue which was quiet


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_dry_run(parser)
    parser.add_argument(
        "--provoke", action="store_true", help="let an upload fail, and wait for its alarm"
    )
    parser.add_argument(
        "--wait",
        type=duration,
        default=duration(WAIT),
        metavar="TIME",
        help=f"the longest that one check waits (default: {WAIT})",
    )
    add_json(parser, "one object")


def run(arguments: argparse.Namespace) -> int:
    """Check, and print what was found, also before an interruption."""
    from ops.acceptance.checks import CHECKS, PROVOKED, removed, rows
    from ops.acceptance.rows import Row, as_text, exit_code
    from ops.acceptance.run import Run

    stack, checks = Stack.of(arguments), CHECKS | (PROVOKED if arguments.provoke else {})
    found: list[Row] = []
    with Progress() as progress:
        acceptance = Run(stack, arguments.wait.total_seconds(), progress.tell)
        if arguments.dry_run:
            print(planned(acceptance.folder, list(checks)))
            return 0
        say = partial(print, file=sys.stderr if arguments.json else sys.stdout, flush=True)
        say(
            f"{stack.name} in {stack.region}, {stack.outputs['WorkflowType']}\n"
            f"{COST}\nwhat it makes is named {acceptance.name}\n"
        )
        began = time.monotonic()
        try:
            with closing(rows(acceptance, checks)) as going:
                found.extend(going)
        except KeyboardInterrupt:
            found.append(removed(acceptance))
            raise
        finally:
            progress.clear()
            if arguments.json:
                document = {
                    "stack": stack.name,
                    "region": stack.region,
                    "workflow": stack.outputs["WorkflowType"],
                    "run": acceptance.name,
                    "seconds": round(time.monotonic() - began, 1),
                    "rows": [row.as_dict() for row in found],
                }
                print(json.dumps(document, ensure_ascii=False))
            else:
                print(f"{as_text(found)}, in {time.monotonic() - began:.0f} s", flush=True)
    return exit_code(found)


def planned(folder: str, checks: list[str]) -> str:
    """Return what a run would make and check."""
    listed = "\n".join(f"  {name}" for name in checks)
    return (
        f"would upload eight pictures under {folder},\nmake a queue, a rule on the bus of"
        " announcements and a role with the operator policy,\nand remove all of it; checks:\n"
        + listed
    )
