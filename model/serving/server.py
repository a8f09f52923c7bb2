"""Serve a model by the SageMaker hosting contract: GET /ping, POST /invocations.

    python -m model.serving.server --model model/pretrained --port 8080

`docker run IMAGE serve`, as SageMaker starts it, serves /opt/ml/model on port 8080. POST a PNG or
JPEG; the answer is JSON:

    {"inferences": [{"label": "bicycle", "confidence": 0.98}, ...], "model": "VERSION"}

highest confidence first. The EXIF orientation of a photo is applied; no other metadata is read.

waitress reads a whole request before a thread takes it, so slow clients hold no thread, and it
bounds bodies, connections and idle time. /ping has a thread of its own: it waits for no inference.
SIGTERM stops the listening; what is in flight is answered first, for as long as SageMaker waits.
"""

import argparse
import io
import json
import logging
import os
import signal
import struct
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import waitress.server
import waitress.task
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile, PngStream

# What the model server takes, beyond what SageMaker itself limits (25 MB a request). Serialize
# image sends at most 64 KiB; callers of their own may send photos.
MAX_BODY_BYTES = 6 * 1024 * 1024
MAX_PIXELS = 25_000_000  # as many as 6 MiB of a photo hold; 200 MB decoded, in each thread
# Of a JPEG, its previews and what lies behind it; cameras and web sites write 1 to 12. Each scan
# goes over the whole picture: 6 MiB of empty ones would take hours.
MAX_SCANS = 200
CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image")
# Requests that wait for a thread; SageMaker retries a 503 elsewhere.
CONNECTION_LIMIT = 256
IDLE_SECONDS = 30  # a connection without a complete request
# After SIGTERM. SageMaker sends SIGKILL 30 s later:
# https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
DRAIN_SECONDS = 25  # for requests that are here
BODY_SECONDS = 5  # for the rest of a request that has begun

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class NotAPicture(ValueError):
    """The body is no PNG or JPEG within the limits; the message names them."""


class Png(PngImageFile):
    """A PNG whose EXIF is not parsed."""

    def getexif(self) -> Image.Exif:
        """Return nothing: entries that share one large value would make gigabytes of 120 KB."""
        return Image.Exif()


class Jpeg(JpegImageFile):
    """A JPEG whose EXIF is not parsed; as an object of this class it has one picture, the first."""

    def getexif(self) -> Image.Exif:
        """Return nothing, as of a PNG; Pillow asks for it even when it opens a file."""
        return Image.Exif()


# By the first bytes of a file. Image.open would try every reader and look for further pictures.
READERS: dict[bytes, type[Png] | type[Jpeg]] = {b"\x89PNG\r\n\x1a\n": Png, b"\xff\xd8\xff": Jpeg}
# Opening an animation makes a frame of its size, before that can be checked; without this reader
# of its header it is a plain picture, the same first one.
if hasattr(PngStream, "chunk_acTL"):
    del PngStream.chunk_acTL

ORIENTATION, SHORT = 274, 3  # EXIF's tag and its type; 1 is upright, and others are these
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
SWAPPED = (5, 6, 7, 8)  # width and height change places
MAX_ENTRIES = 1_000  # of EXIF's first directory; cameras write about 15


class Classifier:
    """A model folder's graph: pictures in, inferences out. Threads may share it."""

    def __init__(self, folder: Path, threads: int = 1) -> None:
        """Load FOLDER/model.onnx. threads: for one inference; several run side by side."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(
            folder / "model.onnx", options, providers=["CPUExecutionProvider"]
        )
        metadata = self._session.get_modelmeta().custom_metadata_map
        self.labels: list[str] = json.loads(metadata["labels"])
        self.version: str = metadata["version"]
        [image] = self._session.get_inputs()
        self.height, self.width = image.shape[2:]

    def classify(self, picture: bytes) -> dict[str, Any]:
        """Return {"inferences": highest confidence first, "model": version} of a PNG or JPEG.

        Raises NotAPicture.
        """
        [probabilities] = self.probabilities(self.pixels(picture)[None])
        inferences = [
            {"label": label, "confidence": round(float(probability), 6)}
            for label, probability in sorted(
                zip(self.labels, probabilities, strict=True), key=lambda pair: -pair[1]
            )
        ]
        return {"inferences": inferences, "model": self.version}

    def pixels(self, picture: bytes) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return the picture as the graph takes it: float32 (3, height, width), RGB, 0..1."""
        reader = next((READERS[start] for start in READERS if picture.startswith(start)), None)
        if reader is None:
            raise NotAPicture("the body is neither PNG nor JPEG")
        if reader is Jpeg and (scans := picture.count(b"\xff\xda")) > MAX_SCANS:
            raise NotAPicture(f"the JPEG has {scans:,} scans; the limit is {MAX_SCANS}")
        try:
            with reader(io.BytesIO(picture)) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise NotAPicture(
                        f"the picture has {image.width:,} x {image.height:,} pixels; "
                        f"the limit is {MAX_PIXELS:,}"
                    )
                turn = orientation(image.info.get("exif", b""))
                size = (self.height, self.width) if turn in SWAPPED else (self.width, self.height)
                # Twice the size leaves the resampling something to average.
                image.draft("RGB", (2 * size[0], 2 * size[1]))
                small = image.convert("RGB").resize(size, Image.Resampling.BICUBIC)
                if turn in UPRIGHT:  # after resizing: no copy of the large picture
                    small = small.transpose(UPRIGHT[turn])
        except NotAPicture:
            raise
        except Exception as error:  # a decoder may raise anything on hostile bytes
            raise NotAPicture(f"the picture cannot be decoded: {error}") from error
        return np.asarray(small, np.float32).transpose(2, 0, 1) / np.float32(255)

    def probabilities(
        self, pixels: np.ndarray[Any, np.dtype[np.float32]]
    ) -> np.ndarray[Any, np.dtype[np.float32]]:
        """Return float32 (n, labels) for pixels of shape (n, 3, height, width)."""
        result: np.ndarray[Any, np.dtype[np.float32]] = self._session.run(
            ["probabilities"], {"image": pixels}
        )[0]
        return result


def orientation(exif: bytes) -> int:
    """Return the orientation that EXIF's first directory gives, 1..8; 1 where it gives none.

    No other value is read, since values may be large and shared (TIFF 6.0, section 2).
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2], "")
    try:
        [start] = struct.unpack_from(f"{order}L", exif, 4)
        [entries] = struct.unpack_from(f"{order}H", exif, start)
        for place in range(start + 2, start + 2 + 12 * min(entries, MAX_ENTRIES), 12):
            tag, kind, count, value = struct.unpack_from(f"{order}HHLH", exif, place)
            if (tag, kind, count) == (ORIENTATION, SHORT, 1):
                return int(value)
    except struct.error:  # it ends before its directory does
        pass
    return 1


class Dispatcher:
    """waitress' worker threads, and a thread of its own for /ping.

    SageMaker waits 2 s for /ping, and large pictures may be queued for longer:
    https://docs.aws.amazon.com/sagemaker/latest/dg/your-algorithms-inference-code.html
    """

    def __init__(self, workers: Any) -> None:
        self._workers = workers
        self._pings = waitress.task.ThreadedTaskDispatcher()
        self._pings.set_thread_count(1)

    def add_task(self, channel: Any) -> None:
        """Queue the first request of a connection."""
        is_ping = getattr(channel.requests[0], "path", "") == "/ping"  # what is no HTTP has none
        (self._pings if is_ping else self._workers).add_task(channel)

    def shutdown(self) -> None:
        """Stop the threads once they are idle, and drop what still waits for one."""
        for threads in (self._pings, self._workers):
            threads.shutdown(timeout=1)


def application(classifier: Classifier) -> Callable[[Environ, StartResponse], Iterable[bytes]]:
    """Return the WSGI application of the hosting contract."""

    def respond(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            status, answer = route(classifier, environ)
        except Exception as error:
            print(f"error: {environ['PATH_INFO']!a}: {error!a}", file=sys.stderr, flush=True)
            status, answer = HTTPStatus.INTERNAL_SERVER_ERROR, {"error": "internal error"}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
        start_response(f"{status.value} {status.phrase}", headers)
        return [body]

    return respond


def route(classifier: Classifier, environ: Environ) -> tuple[HTTPStatus, dict[str, Any]]:
    """Return the status and the JSON document that answer a request."""
    method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"]
    if path not in ("/ping", "/invocations"):
        return HTTPStatus.NOT_FOUND, {"error": f"no {path}; there are /ping and /invocations"}
    expected = "GET" if path == "/ping" else "POST"
    if method != expected:
        return HTTPStatus.METHOD_NOT_ALLOWED, {"error": f"{path} takes {expected}, not {method}"}
    if path == "/ping":
        return HTTPStatus.OK, {"model": classifier.version}
    content_type = environ.get("CONTENT_TYPE", "").split(";")[0].strip().lower()
    if content_type not in CONTENT_TYPES:
        return HTTPStatus.UNSUPPORTED_MEDIA_TYPE, {
            "error": f"Content-Type {content_type!r}; send one of {', '.join(CONTENT_TYPES)}"
        }
    accept = environ.get("HTTP_ACCEPT", "*/*")
    if not any(kind in accept for kind in ("application/json", "application/*", "*/*")):
        return HTTPStatus.NOT_ACCEPTABLE, {"error": f"Accept {accept!r}; only application/json"}
    try:
        return HTTPStatus.OK, classifier.classify(environ["wsgi.input"].read())
    except NotAPicture as error:
        return HTTPStatus.BAD_REQUEST, {"error": str(error)}


def serve(classifier: Classifier, host: str, port: int) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is in flight and return.

    A request whose body has not come within BODY_SECONDS is dropped then, and one that has no
    answer within DRAIN_SECONDS.
    """
    server = waitress.server.create_server(
        application(classifier),
        host=host,
        port=port,
        threads=os.cpu_count() or 1,  # inference is bound by the CPU
        connection_limit=CONNECTION_LIMIT,
        channel_timeout=IDLE_SECONDS,
        cleanup_interval=5,
        max_request_body_size=MAX_BODY_BYTES,
        ident=None,
    )
    server.task_dispatcher = Dispatcher(server.task_dispatcher)
    # waitress warns of every request that waits; in a burst waiting is normal, and the latency
    # metric shows it.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _frame: stopping.append(number))
    print(
        f"serving {classifier.version} ({', '.join(classifier.labels)}) "
        f"on http://{host}:{server.effective_port}",
        flush=True,
    )
    while not stopping:
        server.asyncore.loop(timeout=0.2, map=server._map, count=1)
    server.del_channel()
    server.socket.close()
    stopped = time.monotonic()
    while busy(server, time.monotonic() - stopped):
        server.asyncore.loop(timeout=0.2, map=server._map, count=1)
    server.task_dispatcher.shutdown()


def busy(server: Any, stopped_for: float) -> bool:
    """Return whether there is a request to wait for. stopped_for: s since the listening ended."""
    channels = server.active_channels.values()
    if stopped_for < BODY_SECONDS and any(channel.request for channel in channels):
        return True
    return stopped_for < DRAIN_SECONDS and any(
        channel.requests or channel.total_outbufs_len for channel in channels
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the model that the command line names."""
    parser = argparse.ArgumentParser(
        "python -m model.serving.server",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("serve", nargs="?", choices=["serve"], help="as SageMaker calls it; no-op")
    parser.add_argument(
        "--model",
        type=Path,
        default=Path("/opt/ml/model"),
        metavar="FOLDER",
        help="folder with model.onnx (default: %(default)s, where SageMaker unpacks it)",
    )
    parser.add_argument("--host", default="0.0.0.0", help="address to listen on")
    parser.add_argument(
        "--port",
        type=int,
        default=int(os.environ.get("SAGEMAKER_BIND_TO_PORT", "8080")),
        help="0 takes a free one (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    if not (options.model / "model.onnx").is_file():
        parser.error(f"--model {options.model}: it holds no model.onnx")
    serve(Classifier(options.model), options.host, options.port)
    return 0


if __name__ == "__main__":
    sys.exit(main())
