"""Capture files of a SageMaker endpoint, a JSON line for each inference: their lines and bodies.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
from collections.abc import Iterator
from typing import IO, Any

SUFFIX = ".jsonl"
# A request of 25 MB and an answer of as much, both in base64.
LINE_LIMIT = 2 * 26_214_400 * 4 // 3 + 10_000


class BadLineError(Exception):
    """A line that holds no inference; the message names the kind of fault."""


def lines_of(file: IO[bytes]) -> Iterator[bytes | None]:
    """Yield the lines of a file; None for one over the limit."""
    while line := file.readline(LINE_LIMIT):
        if line.endswith(b"\n") or len(line) < LINE_LIMIT:
            yield line
            continue
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_LIMIT)
        yield None


def body_of(side: Any) -> bytes:
    """Return the bytes of a line's endpointInput or endpointOutput, whatever its encoding.

    Empty if the line has none. Raises BadLineError.
    """
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
