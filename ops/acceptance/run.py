"""One acceptance run: the stack at hand, what the run has made, and how long it waits."""

import secrets
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import quote, quote_plus

from cli.errors import aws_errors, explained
from ops.acceptance.samples import Sample
from ops.stack.dead_letters import QUEUES, DeadLetters
from ops.stack.ledger import Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads

Item = dict[str, dict[str, str]]  # of the ledger, in DynamoDB's typed JSON
T = TypeVar("T")

PROBE = "scones-unlimited.acceptance"  # the source of events that no rule of the stack matches

# The longest pause between two looks; the first is short, for the embedded AWS.
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 10.0
CLOCKS = timedelta(minutes=1)
DECIDED_S = 310  # every route of the workflow ends within five minutes
UNDER_WAY_S = 30  # of executions when the run is interrupted; most take a second


@dataclass(frozen=True)
class Uploaded:
    """A sample in the bucket. upload: its name in the ledger."""

    sample: Sample
    key: str
    etag: str
    upload: str


@dataclass
class Run:
    """What the checks share. wait_s: the longest that one check waits; tell: shows progress."""

    stack: Stack
    wait_s: float
    tell: Callable[[str], None] = lambda _: None
    name: str = field(
        default_factory=lambda: (
            f"acceptance-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
        )
    )
    began: datetime = field(default_factory=lambda: datetime.now(UTC))
    uploads: list[Uploaded] = field(default_factory=list)
    lost: list[Uploaded] = field(default_factory=list)  # from before the bucket's events began
    items: dict[str, Item] = field(default_factory=dict)  # by upload
    others: list[str] = field(default_factory=list)  # uploads that have an item, and no picture
    queue_url: str = ""  # of the queue that listens
    heard: list[dict[str, Any]] = field(default_factory=list)  # details of announcements
    logged: list[str] = field(default_factory=list)  # announcements in the audit log
    removal: ExitStack = field(default_factory=ExitStack)
    left: list[str] = field(default_factory=list)  # what could not be removed
    removed: list[str] = field(default_factory=list)

    @property
    def since(self) -> datetime:
        """A moment before the run, by AWS's clock as well: the two may differ by a minute."""
        return self.began - CLOCKS

    @property
    def folder(self) -> str:
        """The beginning of the keys of everything that this run uploads."""
        return f"{self.stack.outputs['UploadPrefix']}{self.name}/"

    def until(self, look: Callable[[], T], what: str, limit_s: float) -> T:
        """Return what a look gives as soon as that is true, or its last answer.

        limit_s: seconds, at most those that the run allows.
        """
        began, pause_s = time.monotonic(), FIRST_PAUSE_S
        while True:
            found, passed_s = look(), time.monotonic() - began
            if found or passed_s >= min(limit_s, self.wait_s):
                return found
            self.tell(f"waiting for {what}: {passed_s:.0f} s")
            time.sleep(min(pause_s, max(0.0, min(limit_s, self.wait_s) - passed_s)))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    def upload(self, sample: Sample, name: str = "") -> Uploaded:
        """Put a sample into the bucket; what becomes of it is removed at the end."""
        bucket, key = self.stack.outputs["UploadBucket"], self.folder + (name or sample.name)
        answer = self.stack.client("s3").put_object(Bucket=bucket, Key=key, Body=sample.data())
        etag = answer["ETag"].strip('"')
        found = Uploaded(sample, key, etag, name_of(bucket, key, etag))
        if found not in self.uploads:
            self.uploads.append(found)
        return found

    def read(self, upload: str) -> Item | None:
        """Return the ledger's item of an upload as it is now."""
        answer = self.stack.client("dynamodb").get_item(
            TableName=self.stack.outputs["DecisionsTable"],
            Key={"upload": {"S": upload}},
            ConsistentRead=True,
        )
        found: Item | None = answer.get("Item")
        return found

    def item(self, upload: str) -> Item | None:
        """Return the first item that was read of an upload; the checks that follow use it."""
        if upload not in self.items and (found := self.read(upload)):
            self.items[upload] = found
        return self.items.get(upload)

    def remove_later(self, what: str, remove: Callable[[], Any]) -> None:
        """Remove something at the end, also of an interrupted run; the newest first."""

        def attempt() -> None:
            try:
                remove()
                self.removed.append(what)
            except aws_errors() as error:
                self.left.append(f"{what} ({explained(error)})")

        self.removal.callback(attempt)

    def remove_uploads(self) -> None:
        """Delete pictures, items and dead letters of this run, the items last."""
        uploads, ledger = Uploads(self.stack), Ledger(self.stack)
        if self.items or self.others:  # the events have begun: what was just started will record
            self.until(lambda: not self._undecided(), "executions under way", UNDER_WAY_S)
            for upload in self._undecided():
                self.left.append(f"{upload}, which is not decided yet")
        pictures = [*self.uploads, *self.lost]
        for uploaded in pictures:
            uploads.delete(uploaded.key, uploaded.etag)
        mine = {*self.items, *self.others, *(uploaded.upload for uploaded in pictures)}
        for queue in QUEUES.values():
            with DeadLetters(self.stack, self.stack.outputs[queue]) as letters:
                for batch in letters.batches():
                    letters.delete([letter for letter in batch if letter.upload in mine])
        for upload in mine:
            ledger.forget(upload)

    def _undecided(self) -> list[str]:
        """Return the uploads of this run that have no item, under their key or an encoded one."""
        bucket = self.stack.outputs["UploadBucket"]
        names = {
            uploaded.upload: [
                uploaded.upload,
                *(name_of(bucket, key, uploaded.etag) for key in encodings(uploaded.key)),
            ]
            for uploaded in self.uploads
        }
        names |= {upload: [upload] for upload in self.others}
        return [upload for upload, known in names.items() if not any(map(self.item, known))]


def encodings(key: str) -> list[str]:
    """Return how a key looks URL-encoded, as a form's value and as a path."""
    return [quote_plus(key, safe="/"), quote(key)]
