"""One state of a stack, read with ops and with the AWS CLI: the session that the README shows.

    python -m tests.support.session

Names that differ from run to run are shown as the variables that hold them.
"""

import contextlib
import logging
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from local.cloud import EmbeddedAws, embedded_aws
from local.follow import Follower
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack
from tests.support.project import ROOT
from tests.verify.tools import AWS_CLI

STACK = "scones-unlimited"
OUTPUTS = {  # the stack's outputs that the session uses
    "TABLE": "DecisionsTable",
    "BUCKET": "UploadBucket",
    "WORKFLOW": "StateMachineArn",
    "AUDIT": "AuditLogGroup",
}
OF_OUTCOME = (
    "aws dynamodb query --table-name $TABLE --index-name outcome-recorded_at --select COUNT"
    " --key-condition-expression 'outcome = :o' --query Count"
    """ --expression-attribute-values '{":o": {"S": "%s"}}'"""
)
EXECUTIONS = (
    "aws stepfunctions list-executions --state-machine-arn $WORKFLOW"
    " --query 'length(executions[?status==`SUCCEEDED`])'"
)
ANNOUNCEMENTS = "aws logs filter-log-events --log-group-name $AUDIT --query 'length(events)'"
COPIES = "aws s3 ls --recursive s3://$BUCKET/labelled/"
COMMANDS = (
    "python -m ops status",
    *(OF_OUTCOME % "review", EXECUTIONS, ANNOUNCEMENTS, COPIES),
)


def main() -> None:
    """Upload the sample pictures, label one, and read what became of them."""
    for chatty in ("werkzeug", "moto", "local", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    with embedded_aws() as aws:
        outputs = aws.deploy(STACK)
        follower = Follower(aws, outputs)
        pictures = sorted((ROOT / "events/images").glob("*.*"))
        for picture in follower.follow(
            path for path in pictures if path.suffix in (".jpg", ".png")
        ):
            assert picture.decision is not None
        with environment(aws.environment()):
            reviews = Reviews(Stack(STACK), "ann")
            [scooter] = [w for w in reviews.waiting(100) if "kick-scooter" in w.s3_key]
            reviews.label(scooter, "other")
        for command in COMMANDS:
            print(f"$ {command}\n{run(aws, outputs, command)}", end="")


@contextlib.contextmanager
def environment(given: Mapping[str, str]) -> Any:
    """Let this process find the embedded AWS as every tool does."""
    before = dict(os.environ)
    os.environ.update(given)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def run(aws: EmbeddedAws, outputs: Mapping[str, str], command: str) -> str:
    """Run one command of the session and return what it prints, names as variables."""
    values = {f"${name}": outputs[output] for name, output in OUTPUTS.items()}
    words = shlex.split(command)
    for variable, value in values.items():
        words = [word.replace(variable, value) for word in words]
    programs = {"python": sys.executable, "aws": str(AWS_CLI.require())}
    ended = subprocess.run(
        [programs[words[0]], *words[1:]],
        cwd=ROOT,
        env=os.environ | aws.environment(),
        capture_output=True,
        text=True,
    )
    if ended.returncode:
        raise RuntimeError(f"{command}: {ended.stderr.strip()}")
    shown = ended.stdout
    for variable, value in values.items():
        shown = shown.replace(value, variable)
    return re.sub(r"\b[0-9a-f]{32}\b", "DIGEST", shown)


if __name__ == "__main__":
    main()
