"""What the demo leaves in .demo/: a page of the photos, drawn executions, the captures."""

import base64
import contextlib
import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

from cli.errors import code_of
from cli.escaping import escaped, printable
from local.cloud import EmbeddedAws
from local.deployment import captures_bucket
from local.follow import Followed, short_names
from local.page import Card, write_page
from local.paths import ROOT
from ops.drawing.execution import canonical_picture, drawing_of, write
from ops.reviewing.image import UNKNOWN, thumbnail
from ops.stack.ledger import Decision, sentence
from ops.stack.listing import finding
from ops.stack.uploads import GONE

FOLDER = ROOT / ".demo"
CAPTURES = "captures"  # the keys of the bucket begin so
EXECUTIONS, PICTURES = "executions", "pictures"
LONGEST = 50  # characters of a file's name: 200 bytes at most, of the 255 that file systems take


def keep(aws: EmbeddedAws, outputs: dict[str, str], pictures: Sequence[Followed]) -> Path:
    """Write the captures and the page of a run, in place of an earlier run's; return the page."""
    FOLDER.mkdir(exist_ok=True)
    with _one_at_a_time(FOLDER):
        for old in (CAPTURES, EXECUTIONS, PICTURES):  # what else is there is the user's
            shutil.rmtree(FOLDER / old, ignore_errors=True)
        keep_captures(aws, captures_bucket(aws.client, outputs["EndpointName"]), FOLDER)
        cards = keep_pictures(aws, outputs, pictures, FOLDER)
        return write_page(FOLDER, cards, outputs["WorkflowType"])


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
    aws: EmbeddedAws, outputs: dict[str, str], pictures: Sequence[Followed], folder: Path
) -> list[Card]:
    """Keep each photo, as the model saw it, and its drawn execution; return what a page shows."""
    history = History(aws, outputs)
    for name in (PICTURES, EXECUTIONS):
        (folder / name).mkdir()
    names = short_names(Path(picture.image) for picture in pictures)
    taken: set[str] = set()
    cards = []
    for picture in pictures:
        name = names[Path(picture.image)]
        card = Card(
            printable(name),
            picture.decision or picture.reason or "no outcome",
            "",
            escaped(sentence(picture.detail)),
            picture.milliseconds,
            picture.states,
        )
        cards.append(card)
        stem = _file_name(name, taken)
        if picture.upload:
            item = _item(aws, outputs, picture.upload)
            if item is not None:
                card.finding, card.guesses = finding(item), item.guesses()
            data = _uploaded(aws, outputs, picture.upload)
            if data is None:
                card.absent = "overwritten since"
            else:
                kind, small = thumbnail(data)
                if kind != UNKNOWN:
                    card.uploaded = f"{PICTURES}/{stem}.jpg"
                    (folder / card.uploaded).write_bytes(small)
        if picture.execution and history.kept:
            drawing, canonical = history.of(picture.execution)
            card.way = f"{EXECUTIONS}/{stem}.svg"
            write(drawing, folder / card.way)
            if canonical:
                kind, _, text = canonical.removeprefix("data:").partition(";base64,")
                card.canonical = f"{PICTURES}/{stem}-as-the-model-saw-it.{kind.rpartition('/')[2]}"
                (folder / card.canonical).write_bytes(base64.b64decode(text))
    return cards


class History:
    """Executions of a state machine. kept: whether it keeps their histories; EXPRESS does not."""

    def __init__(self, aws: EmbeddedAws, outputs: dict[str, str]) -> None:
        self.kept = outputs["WorkflowType"] == "STANDARD"
        self._client = aws.client("stepfunctions")
        described = self._client.describe_state_machine(stateMachineArn=outputs["StateMachineArn"])
        self._definition = json.loads(described["definition"])

    def of(self, arn: str) -> tuple[str, str]:
        """Return the drawing of an execution, and the picture that the model saw."""
        pages = self._client.get_paginator("get_execution_history").paginate(executionArn=arn)
        events = pages.build_full_result()["events"]
        execution = self._client.describe_execution(executionArn=arn)
        return drawing_of(self._definition, execution, events), canonical_picture(events)


def _file_name(name: str, taken: set[str]) -> str:
    """Return a file's name for a photo's, without suffix: another one for each."""
    stem = re.sub(r"[^\w.-]+", "-", name)[-LONGEST:].strip("-.") or "photo"
    number = 1
    while (found := stem if number == 1 else f"{stem}-{number}").casefold() in taken:
        number += 1
    taken.add(found.casefold())  # some file systems take capitals for the same
    return found


def _item(aws: EmbeddedAws, outputs: dict[str, str], upload: str) -> Decision | None:
    answer = aws.client("dynamodb").get_item(
        TableName=outputs["DecisionsTable"], Key={"upload": {"S": upload}}
    )
    return Decision.of(answer["Item"]) if "Item" in answer else None


def _uploaded(aws: EmbeddedAws, outputs: dict[str, str], upload: str) -> bytes | None:
    """Return the bytes of an upload; None if the key holds others by now."""
    s3, bucket = aws.client("s3"), outputs["UploadBucket"]
    key, _, etag = upload.removeprefix(f"{bucket}/").rpartition("#")
    try:
        data: bytes = s3.get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"].read()
    except s3.exceptions.ClientError as error:
        if code_of(error) not in GONE:
            raise
        return None
    return data
