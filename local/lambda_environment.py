"""One execution environment: a process, the Runtime API that it talks to, and its log stream.

The Runtime API (2018-06-01) is how every Lambda runtime gets events and gives answers:
https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
Each environment has a port of its own, which is how its calls are told from another's.
"""

import contextlib
import json
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from queue import SimpleQueue
from typing import Any, NamedTuple

from local.lambda_logs import EVENT_LIMIT_BYTES, LogSink, LogStream
from local.lambda_spec import RESPONSE_LIMIT_BYTES, FunctionSpec

API = "/2018-06-01/runtime"
TICK_S = 0.1  # how often memory is looked at, and an exit that nothing else tells of
BOOTSTRAP = Path(__file__).with_name("lambda_bootstrap.py")
# -P: the task root, not this package's folder, comes first on the path. -B: the task root is
# read-only on AWS, so nothing is compiled into it. utf8: Lambda's locale, whatever this one is.
FLAGS = ("-P", "-B", "-X", "utf8")


class Event(NamedTuple):
    """What a runtime gets from GET invocation/next."""

    request_id: str
    deadline_ms: int
    arn: str
    payload: bytes


class Answer(NamedTuple):
    """What an environment says: ready, response, error, init_error, too_large or exited."""

    kind: str
    body: bytes = b""


class Environment:
    """A started execution environment; it serves one event at a time.

    Put an Event on events, get what became of it from answers. The first answer is ready, or
    init_error and then exited. After exited nothing comes.
    """

    def __init__(
        self, spec: FunctionSpec, *, workdir: Path, runtime: str, lifeline: int, sink: LogSink
    ) -> None:
        self.spec = spec
        self.id = uuid.uuid4().hex
        self.logs = LogStream(spec, self.id, sink)
        self.events: SimpleQueue[Event | None] = SimpleQueue()
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self.current: str | None = None  # the request that the process works on
        self.idle_since = time.monotonic()
        self.out_of_memory = False
        self._greeted = False
        self._partial = b""
        self._draining = threading.Lock()
        self._folder = workdir / self.id
        self._folder.mkdir(parents=True)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.logs.init_start(f"{runtime} on Python {sys.version.split()[0]}")
        self.process = subprocess.Popen(
            [sys.executable, *FLAGS, str(BOOTSTRAP), runtime, str(lifeline), spec.handler],
            cwd=spec.code,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=(lifeline,),
            start_new_session=True,  # a group to kill as one, and out of Ctrl-C's reach
        )
        assert self.process.stdout is not None
        self._output = self.process.stdout
        os.set_blocking(self._output.fileno(), False)
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._supervisor.start()

    def _variables(self) -> dict[str, str]:
        """Return Lambda's environment variables with the function's on top.

        https://docs.aws.amazon.com/lambda/latest/dg/configuration-envvars.html
        """
        spec = self.spec
        region = spec.arn.split(":")[3]
        variables = {
            "AWS_DEFAULT_REGION": region,
            "AWS_EXECUTION_ENV": f"AWS_Lambda_python{sys.version_info[0]}.{sys.version_info[1]}",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
            "AWS_LAMBDA_FUNCTION_NAME": spec.name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_FORMAT": "JSON" if spec.json_logs else "Text",
            "AWS_LAMBDA_LOG_GROUP_NAME": spec.log_group,
            "AWS_LAMBDA_LOG_STREAM_NAME": self.logs.name,
            "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._listener.getsockname()[1]}",
            "AWS_REGION": region,
            "LAMBDA_TASK_ROOT": str(spec.code),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": ":UTC",
            "_HANDLER": spec.handler,
            # Stands for /tmp; and as a home it hides ~/.aws of whoever runs this.
            "HOME": str(self._folder),
            "TMPDIR": str(self._folder),
        }
        if spec.json_logs:
            variables["AWS_LAMBDA_LOG_LEVEL"] = spec.log_level
        return variables | dict(spec.environment)

    def drain(self) -> None:
        """Pass on what the process has written so far."""
        self._drain()

    def peak_mb(self) -> int:
        """Return the most memory the process has held, MiB; 0 where there is no /proc."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
        except OSError:
            return 0
        peak = status.partition("VmHWM:")[2].split(maxsplit=1)
        return int(peak[0]) // 1024 if peak else 0

    def kill(self) -> None:
        """End the process and its children at once; exited follows."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def stop(self) -> None:
        """End the environment; nothing of it is left when this returns."""
        self.kill()
        self._supervisor.join()

    def _supervise(self) -> None:
        """Accept the runtime's connections, pass on its logs, watch its memory, see it end."""
        with selectors.DefaultSelector() as ready:
            ready.register(self._listener, selectors.EVENT_READ)
            ready.register(self._output, selectors.EVENT_READ)
            while self.process.poll() is None:
                for key, _ in ready.select(TICK_S):
                    if key.fileobj is self._listener:
                        self._accept()
                    elif not self._drain():
                        ready.unregister(self._output)
                        with contextlib.suppress(subprocess.TimeoutExpired):
                            self.process.wait(TICK_S)
                if self.current is not None and self.peak_mb() > self.spec.memory_mb:
                    self.out_of_memory = True
                    self.kill()
        self.kill()  # what the process has left behind
        self._drain()
        if self._partial:
            self.logs.write([self._partial.decode(errors="replace")])
        with self._draining:
            self._output.close()
        self._listener.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self.events.put(None)
        self.answers.put(Answer("exited", exit_reason(self.process.returncode).encode()))

    def _drain(self) -> bool:
        """Read without waiting; return False when the process will write no more."""
        with self._draining:
            if self._output.closed:
                return False
            while True:
                try:
                    chunk = os.read(self._output.fileno(), 65_536)
                except BlockingIOError:
                    return True
                if not chunk:
                    return False
                *lines, self._partial = (self._partial + chunk).split(b"\n")
                if len(self._partial) > EVENT_LIMIT_BYTES:
                    lines.append(self._partial)
                    self._partial = b""
                self.logs.write([line.decode(errors="replace") for line in lines])

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # the caller has gone again
            connection = self._listener.accept()
            threading.Thread(target=self._serve, args=connection, daemon=True).start()

    def _serve(self, connection: socket.socket, address: Any) -> None:
        with connection, contextlib.suppress(OSError):
            _RuntimeApi(connection, address, self)  # type: ignore[arg-type]

    def next_event(self) -> Event | None:
        """Wait for the next event; None when there will be none."""
        if not self._greeted:
            self._greeted = True
            self.answers.put(Answer("ready"))
        return self.events.get()

    def answer(self, kind: str, body: bytes) -> None:
        self.current = None
        self.answers.put(Answer(kind, body))


def exit_reason(code: int) -> str:
    """Return Lambda's words for a process's return code; negative is a signal, as in subprocess."""
    if code == 0:
        return "Runtime exited without providing a reason"
    if code < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or '').lower()}"
    return f"Runtime exited with error: exit status {code}"


class _RuntimeApi(BaseHTTPRequestHandler):
    """The Runtime API on one connection of one environment."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one packet: 0.4 ms instead of Nagle's 40

    @property
    def environment(self) -> Environment:
        return self.server  # type: ignore[return-value]

    def do_GET(self) -> None:
        if self.path != f"{API}/invocation/next":
            return self._reply(404, "NotFound", f"no such path: {self.path}")
        event = self.environment.next_event()
        if event is None or self._is_deserted():
            self.environment.events.put(event)  # for another connection, if there is one
            self.close_connection = True
            return None
        self.environment.current = event.request_id
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
        if request_id != self.environment.current:
            return self._reply(400, "InvalidRequestID", f"not the current request: {request_id}")
        if body is None:
            self._reply(
                413,
                "RequestEntityTooLarge",
                f"Exceeded maximum allowed payload size ({RESPONSE_LIMIT_BYTES} bytes).",
            )
            return self.environment.answer("too_large", b"")
        return self._accept(kind, body)

    def _is_deserted(self) -> bool:
        """Tell whether the runtime has gone while it waited, so that its event is not lost."""
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
        while length > 0:  # read it all the same, so that the refusal is heard
            length -= len(self.rfile.read(min(length, 1 << 20))) or length
        return None

    def _accept(self, kind: str, body: bytes) -> None:
        self._reply(202, "", "")
        self.environment.answer(kind, body)

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
