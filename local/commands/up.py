"""Keep the embedded AWS running, for the AWS CLI, boto3 and `python -m ops`.

    python -m local up --port 4577

It prints where to upload and the export lines that point the ordinary tools at it. Ctrl-C stops
it and everything it started; nothing is kept.
"""

import argparse
import re
import sys
import threading

from cli.arguments import integer_between
from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.cloud import embedded_aws

LOOPBACK = re.compile(r"localhost|::1|127(\.\d{1,3}){3}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 172.17.0.1, where there is Docker on Linux, lets containers"
        " reach it too. Who reaches it can run code here: no other network (default: %(default)s,"
        " this machine alone)",
    )
    parser.add_argument(
        "--port",
        type=integer_between(0, 65_535),
        default=0,
        help="port (default: one that is free)",
    )
    parser.add_argument("--stack", default="scones-unlimited", help="the stack's name")
    parser.add_argument(
        "--capture-percentage",
        type=integer_between(0, 100),
        default=100,
        metavar="0-100",
        help="of the endpoint's requests, kept for `ops monitor` (default: %(default)s)",
    )
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy, tell how to reach it, and wait for Ctrl-C."""
    if not LOOPBACK.fullmatch(arguments.host):
        print(
            f"warning: {arguments.host} can be reached from other machines; whoever gets hold of"
            " the access key printed below can run code on this one",
            file=sys.stderr,
        )
    print("Starting the embedded AWS ...", flush=True)
    with embedded_aws(host=arguments.host, port=arguments.port, **cloud_options(arguments)) as aws:
        outputs = aws.deploy(
            arguments.stack,
            stack_parameters(arguments),
            capture_percentage=arguments.capture_percentage,
        )
        exports = "\n".join(f"export {name}={value}" for name, value in aws.environment().items())
        commands = [
            f"aws s3 cp photo.jpg {outputs['UploadAddress']}",
            f"aws dynamodb scan --table-name {outputs['DecisionsTable']}",
            f"aws logs filter-log-events --log-group-name {outputs['AuditLogGroup']}",
            f"python -m ops status --stack {arguments.stack}",
        ]
        if outputs["WorkflowType"] == "STANDARD":  # EXPRESS lists no executions
            machine = outputs["StateMachineArn"]
            commands.append(f"aws stepfunctions list-executions --state-machine-arn {machine}")
        listed = "\n".join(commands)
        print(
            f"""
Upload pictures to   {outputs["UploadAddress"]}

In another terminal:

{exports}

{listed}

Functions run in {aws.runtime.runtime_name}. Ctrl-C stops everything.""",
            flush=True,
        )
        threading.Event().wait()
    return 0
