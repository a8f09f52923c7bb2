"""Send sample pictures through the whole workflow: upload, execution, decision, announcement.

    python -m local demo
    python -m local demo a.jpg b.heic
    python -m local demo --json
    python -m local demo --open

Besides good pictures it shows what else can happen: a picture that a person should look at, a
file that is no picture, one that is overwritten before it is read, and a missing endpoint.
.demo/index.html shows each photo, as the model saw it, its decision and its execution.
"""

import argparse
import json
import os
import sys
import textwrap
import time
import webbrowser
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.escaping import printable
from cli.terminal import own_command
from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.follow import Followed, Follower, find_files, short_names
from local.paths import ROOT
from local.table import WIDTH, print_table

if TYPE_CHECKING:
    from local.cloud import EmbeddedAws

SAMPLES = ROOT / "events" / "images"
ANNOUNCED_WITHIN_S = 10
SHOWN = ("s3_key", "outcome", "label", "confidence", "revision")  # of an announcement


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "images", nargs="*", type=Path, metavar="IMAGE", help="your own pictures besides"
    )
    parser.add_argument("--json", action="store_true", help="one line of JSON per picture")
    parser.add_argument("--open", action="store_true", help="open the page in the browser")
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upload the samples, and the pictures that are given, and show what became of them."""
    from local.artifacts import FOLDER, keep
    from local.cloud import embedded_aws

    options, parameters = cloud_options(arguments), stack_parameters(arguments)
    paths = [path for path in find_files([SAMPLES]) if path.suffix != ".md"]
    paths += find_files(arguments.images) if arguments.images else []
    began = time.monotonic()
    stream = sys.stderr if arguments.json else sys.stdout

    def progress(text: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {text}", file=stream, flush=True)

    with embedded_aws(**options, progress=lambda part: progress(f"starting the {part}")) as aws:
        progress("deploying template.yaml")
        outputs = aws.deploy(parameters=parameters, capture_percentage=100)
        follower = Follower(aws, outputs)
        progress(f"uploading {len(paths)} pictures to {outputs['UploadAddress']}")
        names = short_names(paths)
        pictures = [follower.decide(path, names[path]) for path in paths]
        progress("overwriting a picture before it is read")
        pictures += overwrite(aws, follower, paths[0])
        progress("deleting the endpoint, and uploading one more")
        pictures.append(upload_without_endpoint(aws, follower, paths[0]))
        for picture in pictures:
            picture.states = follower.states(picture.execution)
        recorded = sum(picture.decision is not None for picture in pictures)
        announced = announcements(aws, outputs["AuditLogGroup"], recorded)
        page = keep(aws, outputs, pictures)
        progress("all followed")
    if arguments.json:
        print("\n".join(picture.as_json() for picture in pictures))
    else:
        print()
        print_table(pictures)
        print_announcements(announced)
        print(f"\n{FOLDER.name}/captures/ has the endpoint's requests and answers", end="")
        if outputs["WorkflowType"] == "STANDARD":
            print(f",\n{FOLDER.name}/executions/ a drawing of each execution", end="")
        print(".\n\nTo keep it running for the browser, the AWS CLI, boto3 and ops:")
        print(f"  {own_command('local', 'up')}")
    print(
        f"\nTo see each photo and its execution, open in a browser:\n  {os.path.relpath(page)}",
        file=stream,
    )
    if arguments.open and not webbrowser.open(page.as_uri()):
        print(f"no browser was found: open {page.as_uri()}", file=sys.stderr)
    undecided = [picture.image for picture in pictures if picture.decision is None]
    if undecided:
        print(f"no recorded outcome: {', '.join(map(printable, undecided))}", file=sys.stderr)
    return 1 if undecided else 0


def overwrite(aws: "EmbeddedAws", follower: Follower, picture: Path) -> list[Followed]:
    """Upload twice under one key while the first step is throttled: the older is superseded."""
    functions = aws.client("lambda")
    [name] = [
        function["FunctionName"]
        for function in functions.list_functions()["Functions"]
        if "Serialize" in function["FunctionName"]
    ]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    data = picture.read_bytes()
    began = time.monotonic()
    older = follower.upload(data, "overwritten.png", "overwritten.png, older")
    newer = follower.upload(data + b"\n", "overwritten.png", "overwritten.png, newer")
    functions.delete_function_concurrency(FunctionName=name)
    return [_outcome(follower, upload, began) for upload in (older, newer)]


def upload_without_endpoint(aws: "EmbeddedAws", follower: Follower, picture: Path) -> Followed:
    """Upload a picture while there is no endpoint: a failure, recorded for `ops redrive`."""
    sagemaker = aws.client("sagemaker")
    name = follower.outputs["EndpointName"]
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    sagemaker.delete_endpoint(EndpointName=name)
    began = time.monotonic()
    uploaded = follower.upload(picture.read_bytes(), "no-endpoint.png")
    failed = _outcome(follower, uploaded, began)
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    return failed


def _outcome(follower: Follower, picture: Followed, began: float) -> Followed:
    item = follower.outcome(picture.upload)
    if item is not None:
        picture.milliseconds = round((time.monotonic() - began) * 1000)
        follower.read(picture, item)
    return picture


def announcements(aws: "EmbeddedAws", log_group: str, expected: int) -> list[dict[str, Any]]:
    """Return the announcements in the audit log, once there are as many as expected."""
    logs = aws.client("logs")
    deadline = time.monotonic() + ANNOUNCED_WITHIN_S
    announced: list[dict[str, Any]] = []
    while len(announced) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
        announced = [json.loads(event["message"]) for page in pages for event in page["events"]]
    return announced


def print_announcements(announced: list[dict[str, Any]]) -> None:
    """Print how many announcements there are, by outcome, and the first of them."""
    outcomes = Counter(event["detail"]["outcome"] for event in announced)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    first = "; the first:" if announced else ""
    told = f"announced on the event bus: {counts or 'nothing'}{first}"
    print("\n" + textwrap.fill(told, WIDTH))
    for event in announced[:1]:
        print(f"  {event['detail-type']}")
        for name in SHOWN:
            print(f"    {name:<12}{printable(event['detail'][name])}")
