"""Serve a model by the SageMaker hosting contract: GET /ping, POST /invocations.

    python -m model.serving.server --model model/pretrained --port 8080

`docker run IMAGE serve`, as SageMaker starts it, serves /opt/ml/model on port 8080. POST a PNG or
JPEG; the answer is JSON:

    {"inferences": [{"label": "bicycle", "confidence": 0.98}, ...], "model": "VERSION"}

highest confidence first. waitress reads a whole request before a thread takes it, so slow clients
hold no thread, and it bounds bodies, connections and idle time. SIGTERM stops the listening; what
is in flight is answered first.
"""

import argparse
import io
import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Sequence
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import waitress.server
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

# What the model server takes, beyond what SageMaker itself limits (25 MB a request). Serialize
# image sends at most 64 KiB; callers of their own may send photos.
MAX_BODY_BYTES = 6 * 1024 * 1024
MAX_PIXELS = 50_000_000  # of a picture: 150 MB as RGB
CONTENT_TYPES = ("image/png", "image/jpeg", "application/x-image")
FORMATS = ("PNG", "JPEG")
# Opening an animation makes a frame of its size, before that can be checked; without this reader
# of its header it is a plain picture, the same first one.
if hasattr(PngImagePlugin.PngStream, "chunk_acTL"):
    del PngImagePlugin.PngStream.chunk_acTL
# Requests that wait for a thread; SageMaker retries a 503 elsewhere.
CONNECTION_LIMIT = 256
IDLE_SECONDS = 30  # a connection without a complete request

Environ = dict[str, Any]
StartResponse = Callable[[str, list[tuple[str, str]]], object]


class NotAPicture(ValueError):
    """The body is no PNG or JPEG within the limits; the message names them."""


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
        try:
            with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise NotAPicture(
                        f"the picture has {image.width:,} x {image.height:,} pixels; "
                        f"the limit is {MAX_PIXELS:,}"
                    )
                # Twice the size leaves the resampling something to average.
                image.draft("RGB", (2 * self.width, 2 * self.height))
                upright = ImageOps.exif_transpose(image).convert("RGB")
                small = upright.resize((self.width, self.height), Image.Resampling.BICUBIC)
        except NotAPicture:
            raise
        except Image.DecompressionBombError as error:  # Pillow's own limit is higher
            raise NotAPicture(
                f"the picture has more pixels than the limit, {MAX_PIXELS:,}"
            ) from error
        except UnidentifiedImageError as error:
            raise NotAPicture("the body is neither PNG nor JPEG") from error
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
    """Serve until SIGTERM or SIGINT, then answer what is in flight and return."""
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
    listening = True
    while listening or busy(server):
        server.asyncore.loop(timeout=0.2, map=server._map, count=1)
        if stopping and listening:
            server.del_channel()
            server.socket.close()
            listening = False
    server.task_dispatcher.shutdown()


def busy(server: Any) -> bool:
    """Return whether a request is being read, worked on or answered."""
    return any(
        channel.request or channel.requests or channel.total_outbufs_len
        for channel in server.active_channels.values()
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
