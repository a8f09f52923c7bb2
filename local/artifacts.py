"""What the demo leaves in .demo/: the endpoint's captures, and a picture of each execution."""

import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from local.cloud import EmbeddedAws
from local.deployment import captures_bucket
from local.follow import Followed, short_names
from local.paths import ROOT
from ops.drawing.execution import title_of, visits_of, write
from ops.drawing.state_machine import draw

FOLDER = ROOT / ".demo"
CAPTURES = "captures"  # the keys of the bucket begin so


def keep(aws: EmbeddedAws, outputs: dict[str, str], pictures: Sequence[Followed]) -> None:
    """Write the captures and the pictures of a run, in place of an earlier run's."""
    FOLDER.mkdir(exist_ok=True)
    with _one_at_a_time(FOLDER):
        executions = FOLDER / "executions"
        for old in (FOLDER / CAPTURES, executions):  # what else is there is the user's
            shutil.rmtree(old, ignore_errors=True)
        keep_captures(aws, captures_bucket(aws.client, outputs["EndpointName"]), FOLDER)
        if outputs["WorkflowType"] == "STANDARD":  # EXPRESS keeps no history
            keep_pictures(aws, outputs["StateMachineArn"], pictures, executions)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait for other processes that write to a folder, and keep others waiting until the end."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def keep_captures(aws: EmbeddedAws, bucket: str, folder: Path) -> None:
    """Copy a bucket's captures under their keys."""
    s3 = aws.client("s3")
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{CAPTURES}/"):
        for entry in page.get("Contents", []):
            path = folder / entry["Key"]
            path.parent.mkdir(parents=True, exist_ok=True)
            s3.download_file(bucket, entry["Key"], str(path))


def keep_pictures(
    aws: EmbeddedAws, state_machine: str, pictures: Sequence[Followed], folder: Path
) -> None:
    """Draw each picture's execution over the state machine."""
    folder.mkdir(parents=True)
    client = aws.client("stepfunctions")
    described = client.describe_state_machine(stateMachineArn=state_machine)
    definition = json.loads(described["definition"])
    pages = client.get_paginator("get_execution_history")
    names = short_names(Path(picture.image) for picture in pictures)
    for picture in pictures:
        if not picture.execution:
            continue
        execution = client.describe_execution(executionArn=picture.execution)
        history = pages.paginate(executionArn=picture.execution).build_full_result()["events"]
        name = re.sub(r"[^\w.-]+", "-", names[Path(picture.image)])
        write(draw(definition, visits_of(history), title_of(execution)), folder / f"{name}.svg")
