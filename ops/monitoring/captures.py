"""Capture files of a SageMaker endpoint, JSON lines, from a folder or from S3.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import io
import json
import os
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from urllib.parse import urlparse

from boto3.s3.transfer import TransferConfig
from botocore.exceptions import ClientError
from PIL import Image, PngImagePlugin

from cli.errors import CommandError, code_of
from cli.terminal import printable
from model.training.image_statistics import measured
from model.training.pictures import squashed
from ops.monitoring.observations import LONGEST_NAME, Observation, decide
from ops.stack.outputs import Stack
from ops.stack.uploads import GONE

# A request of 25 MB and an answer of as much, both in base64.
LINE_LIMIT = 2 * 26_214_400 * 4 // 3 + 10_000
MAX_PIXELS = 4_000_000  # the workflow sends 256x256; more than this is not measured
# Opening an animation makes a frame of its size, before that can be checked; without this reader
# of its header it is a plain picture, the same first one.
if hasattr(PngImagePlugin.PngStream, "chunk_acTL"):
    del PngImagePlugin.PngStream.chunk_acTL
FIRST = datetime(2017, 11, 29, tzinfo=UTC)  # SageMaker is not older
AHEAD = timedelta(days=1)  # clocks differ, but by no more
FILES_AHEAD = 16
ONE_THREAD = TransferConfig(use_threads=False)  # for each file; 16 of these are under way
IN_MEMORY = 2**20  # bytes of a file that waits to be read; larger ones wait on disk
HOUR = re.compile(r"(?:^|/)(\d{4})/(\d\d)/(\d\d)/(\d\d)/[^/]+$")


class BadLineError(Exception):
    """A line that tells of no inference; the message names the kind of fault."""


class Captures:
    """Observations of capture files; `bad` counts the lines left out, by kind of fault.

    labels: of an endpoint that answers numbers alone, by position. threshold: what was accepted.
    size: the side in pixels to which pictures are squashed before they are measured.
    """

    def __init__(
        self, labels: Sequence[str], threshold: float, size: int, bad: Counter[str] | None = None
    ) -> None:
        self.labels, self.threshold, self.size = labels, threshold, size
        self.bad: Counter[str] = Counter() if bad is None else bad

    def read(self, lines: Iterable[bytes | None], since: datetime | None) -> Iterator[Observation]:
        """Yield what the lines tell; None is a line that was too long."""
        for line in lines:
            if line is not None and not line.strip():
                continue
            try:
                seen = self.observation(line)
            except BadLineError as error:
                self.bad[str(error)] += 1
                continue
            if since is None or seen.time >= since:
                yield seen

    def observation(self, line: bytes | None) -> Observation:
        """Return what a line tells; raises BadLineError."""
        if line is None:
            raise BadLineError(f"longer than {LINE_LIMIT:,} bytes")
        try:
            record = json.loads(line)
            time = datetime.fromisoformat(record["eventMetadata"]["inferenceTime"])
            captured = record["captureData"]
            sent, output = captured.get("endpointInput"), captured["endpointOutput"]
        except (ValueError, RecursionError):
            raise BadLineError("no JSON, or no time") from None
        except (KeyError, TypeError, AttributeError):
            raise BadLineError("no inferenceTime or no endpointOutput") from None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        if not FIRST <= time <= datetime.now(UTC) + AHEAD:
            raise BadLineError("a time before SageMaker's or in the future")
        label, confidence, model = self.inference(_data(output))
        picture = _data(sent)
        statistics = _measured(picture, self.size)
        return Observation(
            time.astimezone(UTC),
            decide(label, confidence, self.threshold),
            model=model,
            label=label,
            confidence=confidence,
            threshold=self.threshold,
            statistics=statistics,
            picture=picture if statistics else None,
        )

    def inference(self, answer: bytes) -> tuple[str, float, str]:
        """Return label, confidence and model's version of an endpoint's answer."""
        try:
            found = json.loads(answer)
            if isinstance(found, dict):
                pairs = [(str(e["label"]), float(e["confidence"])) for e in found["inferences"]]
                model = str(found.get("model", ""))
            else:
                numbers, model = [float(number) for number in found], ""
                if numbers and not self.labels:
                    raise BadLineError(
                        "numbers without labels: name these in their order with --labels A,B"
                    )
                pairs = list(zip(self.labels, numbers, strict=True))
            label, confidence = max(pairs, key=lambda pair: pair[1])
        except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
            raise BadLineError("an answer that holds no inferences for these labels") from None
        if not 0 <= confidence <= 1:
            raise BadLineError("a confidence outside 0..1")
        return printable(label, LONGEST_NAME), confidence, printable(model, LONGEST_NAME)


def _data(side: Any) -> bytes:
    """Return the bytes of an input or output, whatever its encoding."""
    if not isinstance(side, dict):
        return b""
    data = side.get("data", "")
    if not isinstance(data, str):
        raise BadLineError("data that is no text")
    if side.get("encoding") != "BASE64":
        return data.encode()
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        raise BadLineError("data that is no base64") from None


def _measured(picture: bytes, size: int) -> dict[str, float]:
    """Return the statistics of a PNG or JPEG file, none of anything else."""
    try:
        with Image.open(io.BytesIO(picture), formats=("PNG", "JPEG")) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return {}
            small = squashed(opened.convert("RGB"), size)
    except Exception:  # of broken files Pillow raises what its parsers happen to meet
        return {}
    return measured(small)


def lines_of(file: IO[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a file; None for one over the limit."""
    while line := file.readline(LINE_LIMIT):
        if line.endswith(b"\n") or len(line) < LINE_LIMIT:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT)
        yield None


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
            if not name.endswith(".jsonl"):
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
                if entry["Key"].endswith(".jsonl"):
                    yield entry["Key"]

    def fetched(key: str) -> IO[bytes]:
        # At once and whole: a body left open while others are read would be cut off.
        file = SpooledTemporaryFile(IN_MEMORY)  # noqa: SIM115 - its reader closes it
        try:
            client.download_fileobj(bucket, key, file, Config=ONE_THREAD)
        except ClientError as error:
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
            " (python -m model.create_endpoint --help), and whether the captures have expired"
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
            f"endpoint {name} captures nothing: python -m model.create_endpoint"
            " --capture-percentage 10"
        )
    return f"{config['DestinationS3Uri'].rstrip('/')}/{name}/"
