"""Keep the embedded AWS running, for the browser, the AWS CLI, boto3 and `python -m ops`.

    python -m local up --port 4577
    python -m local up --json

It prints the address of the console, where to upload, and the export lines that point the ordinary
tools at it. Ctrl-C stops it and everything it started; nothing is kept.
"""

import argparse
import contextlib
import json
import os
import re
import shlex
import sys
import threading
from collections.abc import Mapping

from cli.arguments import integer_between
from cli.terminal import own_command
from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.paths import ROOT

SAMPLE = ROOT / "events" / "images" / "bicycle.png"

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
    parser.add_argument(
        "--stack",
        default="scones-unlimited",
        metavar="NAME",
        help="the stack's name (default: %(default)s)",
    )
    parser.add_argument(
        "--capture-percentage",
        type=integer_between(0, 100),
        default=100,
        metavar="0-100",
        help="of the endpoint's requests, kept for `ops monitor` (default: %(default)s)",
    )
    parser.add_argument(
        "--console-port",
        type=integer_between(0, 65_535),
        default=0,
        metavar="PORT",
        help="of the console, python -m ops console (default: one that is free)",
    )
    parser.add_argument("--no-console", action="store_true", help="start no console")
    parser.add_argument(
        "--json",
        action="store_true",
        help="one line of JSON instead: environment, outputs and the console's address",
    )
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Deploy, print how to reach it, and wait for Ctrl-C."""
    from local.cloud import embedded_aws
    from local.console import console

    options, parameters = cloud_options(arguments), stack_parameters(arguments)
    if not LOOPBACK.fullmatch(arguments.host):
        print(
            f"warning: {arguments.host} can be reached from other machines; whoever gets hold of"
            " the access key printed below can run code on this one",
            file=sys.stderr,
        )
    if not arguments.json:
        print("Starting the embedded AWS ...", flush=True)
    with contextlib.ExitStack() as running:
        aws = running.enter_context(
            embedded_aws(host=arguments.host, port=arguments.port, **options)
        )
        outputs = aws.deploy(
            arguments.stack,
            parameters,
            capture_percentage=arguments.capture_percentage,
        )
        environment = aws.environment()
        address = ""
        if not arguments.no_console:
            address = running.enter_context(
                console(environment, arguments.stack, arguments.console_port)
            ).address
            if not address:
                print(
                    "the console has not started, as said above; all else goes on. Give another"
                    " --console-port, or --no-console",
                    file=sys.stderr,
                )
        if arguments.json:
            printed = {"environment": environment, "outputs": outputs, "console": address}
            print(json.dumps(printed), flush=True)
        else:
            exports = [f"export {name}={shlex.quote(text)}" for name, text in environment.items()]
            print(
                *([f"\nOpen the console     {address}"] if address else []),
                f"\nUpload pictures to   {outputs['UploadAddress']}",
                "\nIn another terminal, in this folder:\n",
                *exports,
                "",
                *commands(arguments.stack, outputs),
                f"\nFunctions run in {aws.runtime.runtime_name}. Ctrl-C stops everything.",
                sep="\n",
                flush=True,
            )
        threading.Event().wait()
    return 0


def commands(stack: str, outputs: Mapping[str, str]) -> list[str]:
    """Return command lines to paste: an upload, and what became of it."""
    lines = [
        shlex.join(["aws", "s3", "cp", os.path.relpath(SAMPLE), outputs["UploadAddress"]]),
        f"aws dynamodb scan --table-name {outputs['DecisionsTable']}",
        f"aws logs filter-log-events --log-group-name {outputs['AuditLogGroup']}",
        own_command("ops", "status", "--stack", stack),
    ]
    if outputs["WorkflowType"] == "STANDARD":  # EXPRESS lists no executions
        machine = outputs["StateMachineArn"]
        lines.append(f"aws stepfunctions list-executions --state-machine-arn {machine}")
    return lines
