"""Watch sample pictures go through the whole workflow: upload, execution, decision, announcement.

    python -m local demo
    python -m local demo a.jpg b.heic

Besides good pictures it shows what else can happen: a picture that a person should look at, a
file that is no picture, one that is overwritten before it is read, and an endpoint that is gone.
"""

import argparse
import json
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

from local.arguments import add_cloud_options, cloud_options, stack_parameters
from local.artifacts import FOLDER, keep
from local.cloud import ROOT, EmbeddedAws, embedded_aws
from local.commands.classify import files
from local.follow import Followed, Follower, named
from local.table import print_table

SAMPLES = ROOT / "events" / "images"
ANNOUNCED_WITHIN_S = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "images", nargs="*", type=Path, metavar="IMAGE", help="your own pictures besides"
    )
    add_cloud_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Upload the samples, and the pictures that are named, and show what became of them."""
    pictures = [path for path in files([SAMPLES]) if path.suffix != ".md"]
    pictures += files(arguments.images) if arguments.images else []
    began = time.monotonic()

    def progress(what: str) -> None:
        print(f"{time.monotonic() - began:5.1f} s  {what}", flush=True)

    with embedded_aws(
        **cloud_options(arguments), progress=lambda what: progress(f"starting the {what}")
    ) as aws:
        progress("deploying template.yaml")
        outputs = aws.deploy(parameters=stack_parameters(arguments), capture_percentage=100)
        follower = Follower(aws, outputs)
        progress(f"uploading {len(pictures)} pictures to {outputs['UploadAddress']}")
        names = named(pictures)
        everything = [follower.decide(path, names[path]) for path in pictures]
        progress("overwriting a picture before it is read")
        everything += overwritten(aws, follower, pictures[0])
        progress("deleting the endpoint, and uploading one more")
        everything.append(without_endpoint(aws, follower, pictures[0]))
        for each in everything:
            each.states = follower.states(each.execution)
        progress("all followed\n")
        print_table(everything)
        heard = announcements(aws, outputs["AuditLogGroup"], len(everything))
        keep(aws, outputs, everything)
    print_announcements(heard)
    kept = ["captures/ has what the endpoint was asked and answered"]
    if outputs["WorkflowType"] == "STANDARD":
        kept.append("executions/ a picture of each execution")
    print(f"\nKept in {FOLDER.name}/: {', '.join(kept)}.")
    print(
        "\nWhere to look next: `python -m local up` keeps it running for the AWS CLI and"
        " `python -m ops`;\ntemplate.yaml declares all of it, statemachine/ holds the routes,"
        " README.md tells how to deploy."
    )
    undecided = [each.image for each in everything if each.decision is None]
    if undecided:
        print(f"no outcome within the time: {', '.join(undecided)}", file=sys.stderr)
    return 1 if undecided else 0


def overwritten(aws: EmbeddedAws, follower: Follower, picture: Path) -> list[Followed]:
    """Upload twice under one key while the first step is throttled: the older is superseded."""
    functions = aws.client("lambda")
    [name] = [
        each["FunctionName"]
        for each in functions.list_functions()["Functions"]
        if "Serialize" in each["FunctionName"]
    ]
    functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    data = picture.read_bytes()
    began = time.monotonic()
    older = follower.upload(data, "overwritten.png", "overwritten.png, older")
    newer = follower.upload(data + b"\n", "overwritten.png", "overwritten.png, newer")
    functions.delete_function_concurrency(FunctionName=name)
    return [_outcome(follower, each, began) for each in (older, newer)]


def without_endpoint(aws: EmbeddedAws, follower: Follower, picture: Path) -> Followed:
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


def _outcome(follower: Follower, followed: Followed, began: float) -> Followed:
    item = follower.outcome(followed.upload)
    if item is not None:
        followed.milliseconds = round((time.monotonic() - began) * 1000)
        follower.read(followed, item)
    return followed


def announcements(aws: EmbeddedAws, log_group: str, expected: int) -> list[dict[str, Any]]:
    """Return the announcements in the audit log, once there are as many as expected."""
    logs = aws.client("logs")
    deadline = time.monotonic() + ANNOUNCED_WITHIN_S
    heard: list[dict[str, Any]] = []
    while len(heard) < expected and time.monotonic() < deadline:
        time.sleep(0.05)
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=log_group)
        heard = [json.loads(event["message"]) for page in pages for event in page["events"]]
    return heard


def print_announcements(heard: list[dict[str, Any]]) -> None:
    """Print how many announcements were heard, of what, and the first of them."""
    outcomes = Counter(each["detail"]["outcome"] for each in heard)
    counts = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.most_common())
    print(f"\nAnnounced on the event bus: {counts or 'nothing'}. The first:")
    for each in heard[:1]:
        told = ("upload", "revision", "outcome", "label", "confidence", "model", "recorded_at")
        detail = {name: each["detail"][name] for name in told}
        print(f"  {each['detail-type']}: {json.dumps(detail, ensure_ascii=False)}")
