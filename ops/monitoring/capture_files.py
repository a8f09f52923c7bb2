"""Capture files of a SageMaker endpoint, JSON lines, of a folder or of S3: their lines.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import os
import re
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO
from urllib.parse import urlparse

from boto3.s3.transfer import TransferConfig

from cli.errors import CommandError, code_of
from cli.terminal import own_command
from model.endpoint.capture_lines import SUFFIX, lines_of
from ops.stack.outputs import Stack
from ops.stack.uploads import GONE

FILES_AHEAD = 16
ONE_THREAD = TransferConfig(use_threads=False)  # for each file; 16 of these are under way
IN_MEMORY = 2**20  # bytes of a file that waits to be read; larger ones wait on disk
HOUR = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/(\d\d)/[^/]+$")


def in_folder(folder: Path, since: datetime | None) -> Iterator[bytes | None]:
    """Yield the lines of the capture files of a folder and its folders, hour by hour."""
    if not folder.is_dir():
        raise CommandError(
            f"{folder} is no folder: give one with .jsonl files, or s3://BUCKET/PREFIX"
        )
    found = False
    for place, folders, names in os.walk(folder):
        folders.sort()
        for name in sorted(names):
            path = Path(place, name)
            if not name.endswith(SUFFIX):
                continue
            found = True
            if not ended_before(path.as_posix(), since):
                with path.open("rb") as file:
                    yield from lines_of(file)
    if not found:
        raise CommandError(f"{folder} holds no .jsonl file: give the folder of the captures")


def in_s3(stack: Stack, address: str, since: datetime | None) -> Iterator[bytes | None]:
    """Yield the lines of the capture files under s3://BUCKET/PREFIX, hour by hour."""
    place = urlparse(address)
    bucket, prefix = place.netloc, place.path.lstrip("/")
    if not bucket:
        raise CommandError(f"{address} names no bucket: write s3://BUCKET/PREFIX")
    client = stack.client("s3")

    def keys() -> Iterator[str]:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                if entry["Key"].endswith(SUFFIX):
                    yield entry["Key"]

    def fetched(key: str) -> IO[bytes]:
        # At once and whole: a body left open while others are read would be cut off.
        file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - its reader closes it
        try:
            client.download_fileobj(bucket, key, file, Config=ONE_THREAD)
        except client.exceptions.ClientError as error:
            if code_of(error) not in GONE:
                raise
            # It has expired since it was listed: nothing is left to read.
        file.seek(0)
        return file

    asked, waiting = 0, deque[Future[IO[bytes]]]()
    with ThreadPoolExecutor(FILES_AHEAD) as pool:
        for key in keys():
            asked += 1
            if ended_before(key, since):
                continue
            waiting.append(pool.submit(fetched, key))
            if len(waiting) > FILES_AHEAD:
                yield from _emptied(waiting)
        while waiting:
            yield from _emptied(waiting)
    if not asked:
        raise CommandError(
            f"nothing ends in .jsonl under {address}: see whether the endpoint captures"
            f" ({own_command('model.create_endpoint', '--help')}), and whether they have expired"
        )


def _emptied(waiting: deque[Future[IO[bytes]]]) -> Iterator[bytes | None]:
    """Yield the lines of the first file that waits, and close it."""
    with waiting.popleft().result() as file:
        yield from lines_of(file)


def ended_before(key: str, since: datetime | None) -> bool:
    """Tell whether the hour in a capture file's name was over at a moment."""
    if since is None or not (match := HOUR.search(key)):
        return False
    try:
        hour = datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[arg-type,misc]
    except ValueError:
        return False
    return hour + timedelta(hours=1) <= since


def destination(stack: Stack) -> str:
    """Return where the endpoint of a stack writes its captures, as s3://BUCKET/PREFIX."""
    name = stack.outputs["EndpointName"]
    found = stack.client("sagemaker").describe_endpoint(EndpointName=name)
    config = found.get("DataCaptureConfig") or {}
    if "DestinationS3Uri" not in config:
        raise CommandError(
            f"endpoint {name} captures nothing:"
            f" {own_command('model.create_endpoint', '--capture-percentage', '10')}"
        )
    return f"{config['DestinationS3Uri'].rstrip('/')}/{name}/"
