"""Prove by chaos that every upload ends in one decision, announced once.

    python -m tests.chaos                       1,000 uploads, every fault at once, then one redrive
    python -m tests.chaos --uploads 200 --seed 7 --type EXPRESS
    python -m tests.chaos --burst --uploads 10000    no faults: 10 functions, a slow endpoint

Faults are injected into the services around the product until all uploads have come to rest, while
two people audit, review, change labels and take them back; then
the endpoint and the rest are healed, and `ops redrive` and `ops reconcile --start` run once. Exit
code 1 if a promise was broken, or a fault did not happen.
"""

import argparse
import contextlib
import logging
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from cli.terminal import Progress
from local.cloud import REGION, EmbeddedAws, EmbeddedAwsError, embedded_aws
from ops.stack.ledger import Decision
from tests.chaos.faults import Chaos
from tests.chaos.people import People
from tests.chaos.uploads import Uploads
from tests.chaos.verdict import Verdict, judge

STACK = "chaos"
BURST_FUNCTIONS = 10
AUDIT_SHARE = "50"  # percent
SLOW_ENDPOINT_S = 0.5
REST_S = 5.0  # nothing runs for so long: what is late (1 s) or tried again (2.6 s) has come too
PATIENCE_S = 3600.0
PER_SECOND = "6"  # what the embedded AWS decides on two processors, and some to spare


def main() -> int:
    """Run, print what was injected and what became of it."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--uploads", type=int, default=1000, metavar="N")
    parser.add_argument("--seed", type=int, default=1, help="of faults and pictures")
    parser.add_argument("--type", choices=("STANDARD", "EXPRESS"), default="STANDARD")
    parser.add_argument("--burst", action="store_true", help="too many at once, instead of faults")
    arguments = parser.parse_args()
    for chatty in ("werkzeug", "moto", "local", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    try:
        return burst(arguments) if arguments.burst else chaos(arguments)
    except EmbeddedAwsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped", file=sys.stderr)
        return 130


def chaos(arguments: argparse.Namespace) -> int:
    """Upload while everything around fails, heal, redrive once, judge."""
    with embedded_aws() as aws:
        outputs = aws.deploy(STACK, {"WorkflowType": arguments.type, "AuditShare": AUDIT_SHARE})
        uploads = Uploads(aws, outputs, arguments.seed)
        faults = Chaos(aws, arguments.seed)
        os.environ |= aws.environment()
        people = People(STACK, REGION, arguments.seed)
        with people.working():
            with faults.installed():
                uploads.run(arguments.uploads)
                come_to_rest(outputs)
            print_table("faults injected", faults.injected + uploads.injected)
            for fault in (missed := faults.missed()):
                print(f"! did not happen: {fault}")
            redrive(aws, outputs, uploads)
        print_table("what two people did meanwhile", people.counts)
        come_to_rest(outputs)
        broken = verdict(aws, outputs, uploads, people.done)
        return 1 if missed else broken


def burst(arguments: argparse.Namespace) -> int:
    """Upload far more than the functions and the endpoint can take, redrive once, judge."""
    with embedded_aws(account_concurrency=BURST_FUNCTIONS) as aws, slow_endpoint():
        outputs = aws.deploy(STACK, {"WorkflowType": arguments.type})
        uploads = Uploads(aws, outputs, arguments.seed)
        print(
            f"{arguments.uploads:,} uploads, {BURST_FUNCTIONS} functions at once, an endpoint"
            f" that takes {SLOW_ENDPOINT_S} s"
        )
        uploads.run(arguments.uploads, fates=False)
        come_to_rest(outputs)
        redrive(aws, outputs, uploads)
        return verdict(aws, outputs, uploads, [])


@contextlib.contextmanager
def slow_endpoint() -> Iterator[None]:
    """Let every inference take long."""
    invoke = SageMakerRuntimeResponse.invoke_endpoint

    def invoke_slowly(response: Any) -> Any:
        time.sleep(SLOW_ENDPOINT_S)
        return invoke(response)

    with patch.object(SageMakerRuntimeResponse, "invoke_endpoint", invoke_slowly):
        yield


def redrive(aws: EmbeddedAws, outputs: dict[str, str], uploads: Uploads) -> None:
    """Show the ledger as it is, redrive and reconcile once."""
    print_table("outcomes before the redrive", judge(aws, outputs, uploads.put, []).outcomes)
    ops(aws, "redrive", "--per-second", PER_SECOND)
    ops(aws, "reconcile", "--grace", "0m", "--start", "--per-second", PER_SECOND)
    come_to_rest(outputs)


def verdict(
    aws: EmbeddedAws, outputs: dict[str, str], uploads: Uploads, said: list[Decision]
) -> int:
    """Judge what is there in the end; return the exit code. said: what people have recorded."""
    missing = ops(aws, "reconcile", "--grace", "0m")
    found = judge(aws, outputs, uploads.put, said)
    print_verdict(found, len(uploads.put))
    return 1 if found.broken or missing else 0


def ops(aws: EmbeddedAws, *words: str) -> int:
    """Run a command of an operator; return its exit code."""
    print(f"\n$ python -m ops {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", "ops", words[0], "--stack", STACK, *words[1:]]
    return subprocess.run(command, env=os.environ | aws.environment(), check=False).returncode


def come_to_rest(outputs: dict[str, str]) -> None:
    """Wait until for a while no execution has run. Raises EmbeddedAwsError after an hour."""
    backend = stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID][REGION]  # it lists EXPRESS ones too
    machine = backend.describe_state_machine(outputs["StateMachineArn"])
    began = rested = time.monotonic()
    with Progress() as progress:
        while time.monotonic() - rested < REST_S:
            if time.monotonic() - began > PATIENCE_S:
                raise EmbeddedAwsError("executions still run after an hour")
            running = sum(execution.status == "RUNNING" for execution in machine.executions)
            if running:
                rested = time.monotonic()
            progress.tell(f"{running:,} executions run")
            time.sleep(0.5)


def print_table(title: str, counts: dict[str, int]) -> None:
    """Print what was counted, a line each."""
    print(f"\n{title}")
    for name, number in sorted(counts.items()):
        print(as_row(name, number))


def as_row(name: str, number: int) -> str:
    """Return what was counted on a line; the longest name is a state's with a phrase before it."""
    return f"  {name:<46}{number:>8,}"


def print_verdict(verdict: Verdict, put: int) -> None:
    """Print the end: outcomes, announcements, and what was broken."""
    print_table(f"outcomes of {put:,} uploads", verdict.outcomes)
    print(as_row("gone before it could be recorded", verdict.unrecorded))
    print(f"\nannouncements {verdict.announcements:,}, of which repeated {verdict.repeated:,}")
    for sentence in verdict.broken[:20]:
        print(f"! {sentence}")
    print(f"promises broken: {len(verdict.broken)}")


if __name__ == "__main__":
    sys.exit(main())
