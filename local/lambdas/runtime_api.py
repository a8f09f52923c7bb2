"""The Runtime API (2018-06-01): how every Lambda runtime gets events and gives answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import socket
import time
from http.server import BaseHTTPRequestHandler
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple

from local.lambdas.spec import RESPONSE_LIMIT_BYTES

API = "/2018-06-01/runtime"


class Event(NamedTuple):
    """What a runtime gets from GET invocation/next."""

    request_id: str
    deadline_ms: int
    arn: str
    payload: bytes


class Answer(NamedTuple):
    """What an environment says: ready, response, error, init_error, too_large, exited.

    The first is ready, or init_error and then exited; after exited nothing comes. timeout
    stands for silence.
    """

    kind: str
    body: bytes = b""


class Exchange:
    """Carries events to the runtime of one environment, and its answers back."""

    def __init__(self) -> None:
        self.current: str | None = None  # the request that the runtime works on
        self._events: SimpleQueue[Event | None] = SimpleQueue()
        self._answers: SimpleQueue[Answer] = SimpleQueue()
        self._greeted = False

    def put(self, event: Event | None) -> None:
        self._events.put(event)

    def wait(self, seconds: float) -> Answer:
        """Return the next answer, or timeout."""
        try:
            return self._answers.get(timeout=seconds)
        except Empty:
            return Answer("timeout")

    def next_event(self) -> Event | None:
        """Wait for the next event; None when there will be none."""
        if not self._greeted:
            self._greeted = True
            self._answers.put(Answer("ready"))
        return self._events.get()

    def answer(self, kind: str, body: bytes) -> None:
        self.current = None
        self._answers.put(Answer(kind, body))

    def end(self, reason: str) -> None:
        """End both sides when the process has ended; current stays as it was."""
        self._events.put(None)
        self._answers.put(Answer("exited", reason.encode()))


def serve(connection: socket.socket, address: Any, exchange: Exchange) -> None:
    """Answer the calls that arrive on a connection, until it closes."""
    with connection, contextlib.suppress(OSError):
        RuntimeApi(connection, address, exchange)  # type: ignore[arg-type]


class RuntimeApi(BaseHTTPRequestHandler):
    """The Runtime API on one connection of one environment."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet: 0.4 ms instead of Nagle's 40

    @property
    def exchange(self) -> Exchange:
        return self.server  # type: ignore[return-value]

    def do_GET(self) -> None:
        if self.path != f"{API}/invocation/next":
            return self._reply(404, "NotFound", f"no such path: {self.path}")
        event = self.exchange.next_event()
        if event is None or self._is_deserted():
            self.exchange.put(event)  # for another connection, if there is one
            self.close_connection = True
            return None
        self.exchange.current = event.request_id
        self.send_response_only(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(event.payload)))
        self.send_header("Lambda-Runtime-Aws-Request-Id", event.request_id)
        self.send_header("Lambda-Runtime-Deadline-Ms", str(event.deadline_ms))
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", event.arn)
        trace = event.request_id.replace("-", "")
        root = f"1-{int(time.time()):08x}-{trace[:24]}"
        self.send_header("Lambda-Runtime-Trace-Id", f"Root={root};Parent={trace[-16:]};Sampled=0")
        self.end_headers()
        self.wfile.write(event.payload)
        return None

    def do_POST(self) -> None:
        length = self.headers.get("Content-Length", "")
        if not length.isdigit():
            self.close_connection = True
            return self._reply(411, "LengthRequired", "Content-Length is missing")
        body = self._body(int(length))
        if self.path == f"{API}/init/error":
            return self._accept("init_error", body or b"{}")
        request_id, _, kind = self.path.removeprefix(f"{API}/invocation/").partition("/")
        if kind not in ("response", "error"):
            return self._reply(404, "NotFound", f"no such path: {self.path}")
        if request_id != self.exchange.current:
            return self._reply(400, "InvalidRequestID", f"not the current request: {request_id}")
        if body is None:
            self._reply(
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
            )
            return self.exchange.answer("too_large", b"")
        return self._accept(kind, body)

    def _is_deserted(self) -> bool:
        """Return whether the runtime has gone while it waited, so that its event is not lost."""
        try:
            return not self.connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True

    def _body(self, length: int) -> bytes | None:
        """Return the body, or None if it is longer than an answer may be."""
        if length <= RESPONSE_LIMIT_BYTES:
            return self.rfile.read(length)
        while length > 0:  # read it all the same, so that the refusal is read
            length -= len(self.rfile.read(min(length, 1 << 20))) or length
        return None

    def _accept(self, kind: str, body: bytes) -> None:
        self._reply(202, "", "")
        self.exchange.answer(kind, body)

    def _reply(self, status: int, error: str, message: str) -> None:
        document = {"errorType": error, "errorMessage": message} if error else {"status": "OK"}
        body = json.dumps(document).encode()
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Stay silent: errors reach the caller of the function."""


def document_of(answer: Answer, request_id: str, timeout_s: int) -> bytes:
    """Return the payload that the caller of the function gets."""
    if answer.kind in ("response", "error"):
        return answer.body
    if answer.kind == "init_error":
        return json.dumps(json.loads(answer.body) | {"requestId": request_id}).encode()
    error_type, message = {
        "timeout": (
            "Sandbox.Timedout",
            f"RequestId: {request_id} Error: Task timed out after {timeout_s:.2f} seconds",
        ),
        "exited": ("Runtime.ExitError", f"RequestId: {request_id} Error: {answer.body.decode()}"),
        "too_large": (
            "Function.ResponseSizeTooLarge",
            "Response payload size exceeded maximum allowed payload size "
            f"({RESPONSE_LIMIT_BYTES} bytes).",
        ),
    }[answer.kind]
    return json.dumps({"errorType": error_type, "errorMessage": message}).encode()
