"""Upload pictures and follow each until the ledger has its outcome."""

import hashlib
import json
import os
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.errors import CommandError

if TYPE_CHECKING:
    from local.cloud import EmbeddedAws

# Every route of the workflow ends within 5 minutes; what has no outcome then will have none.
PATIENCE_S = 310
POLL_S = 0.01
WORKERS = 8
LONGEST_KEY = 1024  # bytes of UTF-8: S3 has no longer one
UNREADABLE = "unreadable"  # the reason of a file that could not be uploaded


class UnreadablePictureError(CommandError):
    """A file that was to be uploaded cannot be read, or S3 has no key for its name."""


@dataclass
class Followed:
    """What became of one picture. milliseconds: from the upload to the recorded outcome.

    A file that could not be uploaded has the reason `unreadable`, and no decision.
    """

    image: str
    upload: str
    decision: str | None = None
    label: str | None = None
    confidence: float | None = None
    reason: str = ""
    detail: str = ""
    execution: str = ""
    milliseconds: int | None = None
    states: list[str] = field(default_factory=list)

    def as_json(self) -> str:
        """Return one line of JSON."""
        document = asdict(self)
        del document["upload"]
        return json.dumps(document, ensure_ascii=False)


def short_names(paths: Iterable[Path]) -> dict[Path, str]:
    """Return each file's name, with as much of its path as makes it unique."""
    whole = {path: path.parent.resolve() / path.name for path in paths}
    folders: dict[str, list[Path]] = defaultdict(list)
    for full in whole.values():
        folders[full.name].append(full.parent)
    return {
        path: full.relative_to(os.path.commonpath(folders[full.name])).as_posix()
        for path, full in whole.items()
    }


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Return the files that are named, and those in the folders that are.

    Raises UnreadablePictureError if there is none, or a name does not exist.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(
                file for file in path.rglob("*") if file.is_file() and file.name[0] != "."
            )
        elif path.is_file():
            found.append(path)
        else:
            raise UnreadablePictureError(f"{path}: there is no such file or folder")
    if not found:
        raise UnreadablePictureError(f"no files in {', '.join(map(str, paths))}")
    return list(dict.fromkeys(found))


class Follower:
    """Uploads to a deployed stack, and reads what became of it."""

    def __init__(self, aws: "EmbeddedAws", outputs: dict[str, str]) -> None:
        self.outputs = outputs
        self._s3 = aws.client("s3")
        self._dynamodb = aws.client("dynamodb")
        self._stepfunctions = aws.client("stepfunctions")

    def follow(self, paths: Iterable[Path], workers: int = WORKERS) -> Iterator[Followed]:
        """Upload files under their short names; yield each when it is decided."""
        names = short_names(paths)
        with ThreadPoolExecutor(workers) as pool:
            try:
                submitted = [pool.submit(self.decide, path, name) for path, name in names.items()]
                for done in as_completed(submitted):
                    yield done.result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def decide(self, path: Path, name: str | None = None) -> Followed:
        """Upload one file and wait for its outcome; decision is None if there is none in time."""
        name = name or path.name
        try:
            data = self._readable(path, name)
        except UnreadablePictureError as error:  # the others go on
            return Followed(image=str(path), upload="", reason=UNREADABLE, detail=str(error))
        began = time.monotonic()
        followed = self.upload(data, name, str(path))
        item = self.outcome(followed.upload)
        if item is not None:
            followed.milliseconds = round((time.monotonic() - began) * 1000)
            self.read(followed, item)
        return followed

    def _readable(self, path: Path, name: str) -> bytes:
        try:
            size = len(f"{self.outputs['UploadPrefix']}{name}".encode())
            data = path.read_bytes()
        except UnicodeEncodeError:
            raise UnreadablePictureError(
                "the name is not valid UTF-8, as every key of S3 is; rename the file"
            ) from None
        except OSError as error:
            raise UnreadablePictureError(f"the file cannot be read: {error.strerror}") from error
        if size > LONGEST_KEY:
            raise UnreadablePictureError(
                f"the key would have {size:,} bytes; the limit of S3 is {LONGEST_KEY:,} bytes;"
                " shorten the name"
            )
        return data

    def upload(self, data: bytes, name: str, image: str = "") -> Followed:
        """Put a picture under the upload prefix; it is not waited for."""
        bucket = self.outputs["UploadBucket"]
        key = f"{self.outputs['UploadPrefix']}{name}"
        self._s3.put_object(Bucket=bucket, Key=key, Body=data)
        etag = hashlib.md5(data, usedforsecurity=False).hexdigest()
        return Followed(image=image or name, upload=f"{bucket}/{key}#{etag}")

    def outcome(
        self, upload: str, patience_s: float = PATIENCE_S, poll_s: float = POLL_S
    ) -> dict[str, Any] | None:
        """Return the ledger's item of an upload, as soon as there is one; look every poll_s."""
        deadline = time.monotonic() + patience_s
        while time.monotonic() < deadline:
            answer = self._dynamodb.get_item(
                TableName=self.outputs["DecisionsTable"],
                Key={"upload": {"S": upload}},
                ConsistentRead=True,
            )
            item: dict[str, Any] = answer.get("Item", {})
            if "outcome" in item:  # without: what `ops forget` has left of it
                return item
            time.sleep(poll_s)
        return None

    def read(self, followed: Followed, item: dict[str, Any]) -> None:
        """Fill in what the ledger holds."""
        followed.decision = item["outcome"]["S"]
        if label := item["label"]["S"]:
            followed.label, followed.confidence = label, float(item["confidence"]["N"])
        followed.reason, followed.detail = item["reason"]["S"], item["detail"]["S"]
        followed.execution = item["execution"]["S"]

    def states(self, execution: str) -> list[str]:
        """Return the states that an execution has passed; none of EXPRESS, which keeps no history.

        execution: its ARN; empty where nothing was uploaded.
        """
        if not execution or self.outputs["WorkflowType"] == "EXPRESS":
            return []
        pages = self._stepfunctions.get_paginator("get_execution_history")
        return [
            event["stateEnteredEventDetails"]["name"]
            for page in pages.paginate(executionArn=execution)
            for event in page["events"]
            if "stateEnteredEventDetails" in event
        ]
