"""The model server over HTTP, beside decoding and the bare onnxruntime call."""

import http.client
import io
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import onnxruntime as ort
from PIL import Image

from benchmarks.table import Row, row
from local.model_server import model_server
from local.paths import PRETRAINED

PICTURE = Path(__file__).parents[1] / "events" / "images" / "bicycle.png"
CALLS = 200


def rows() -> list[Row]:
    """Return a row for the server and one for the model alone on one thread."""
    buffer = io.BytesIO()
    with Image.open(PICTURE) as opened:
        opened.convert("RGB").resize((256, 256)).save(buffer, "JPEG", quality=90)
    picture = buffer.getvalue()
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    session = ort.InferenceSession(str(PRETRAINED / "model.onnx"), options)
    size = session.get_inputs()[0].shape[2]

    def pixels() -> np.ndarray[Any, np.dtype[np.float32]]:
        with Image.open(io.BytesIO(picture)) as image:
            whole = image.convert("RGB").resize((size, size), Image.Resampling.BICUBIC)
        return (np.asarray(whole, np.float32) / np.float32(255)).transpose(2, 0, 1)[None]

    ready = pixels()
    name = session.get_inputs()[0].name
    alone = median_ms(lambda: session.run(None, {name: ready}))
    decoded = median_ms(lambda: session.run(None, {name: pixels()}))
    with model_server(PRETRAINED) as url:
        connection = http.client.HTTPConnection(urlsplit(url).netloc)
        served = median_ms(lambda: post(connection, picture))
    return [
        row("model, one picture, one thread", alone, "ms", aim="at most 1.5 ms"),
        row("server, one picture", served, "ms", decoded, aim="2x", note="decode + model, in line"),
    ]


def post(connection: http.client.HTTPConnection, picture: bytes) -> None:
    """Ask for one inference; raise if it is refused."""
    connection.request("POST", "/invocations", picture, {"Content-Type": "image/jpeg"})
    answer = connection.getresponse()
    body = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the server answers {answer.status}: {body[:200]!r}")


def median_ms(call: Callable[[], object]) -> float:
    """Return the median of many calls, after some that warm up."""
    times = []
    for _ in range(CALLS + 20):
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return statistics.median(times[20:])
