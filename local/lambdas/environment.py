"""One execution environment: a process, the Runtime API that it talks to, and its log stream.

Each environment has a port of its own, which sets its calls apart from another's.
"""

import contextlib
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
from pathlib import Path

from local.lambdas.logs import EVENT_LIMIT_BYTES, LogSink, LogStream
from local.lambdas.runtime_api import Exchange, serve
from local.lambdas.spec import FunctionSpec

TICK_S = 0.1  # how often memory is checked, and an exit that nothing else signals
BOOTSTRAP = Path(__file__).with_name("bootstrap.py")
# -S: nothing that happens to be installed here can be imported. -P: the task root, not this
# package's folder, comes first on the path. -B: the task root is read-only on AWS, so nothing is
# compiled into it. utf8: Lambda's locale, whatever this one is.
FLAGS = ("-S", "-P", "-B", "-X", "utf8")


class Environment:
    """A started execution environment; it serves one event at a time.

    exchange: where events go in and answers come out.
    """

    def __init__(
        self,
        spec: FunctionSpec,
        *,
        workdir: Path,
        libraries: Path,
        runtime: str,
        lifeline: int,
        sink: LogSink,
    ) -> None:
        self.spec = spec
        self._libraries = libraries
        self.id = uuid.uuid4().hex
        self.logs = LogStream(spec, self.id, sink)
        self.exchange = Exchange()
        self.idle_since = time.monotonic()
        self.out_of_memory = False
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
            "LAMBDA_RUNTIME_DIR": str(self._libraries),
            "LAMBDA_TASK_ROOT": str(spec.code),
            "LANG": "en_US.UTF-8",
            "PATH": os.environ.get("PATH", os.defpath),
            "TZ": ":UTC",
            "_HANDLER": spec.handler,
            # Stands for /tmp; and as a home it hides ~/.aws of the user who runs this.
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
                if self.exchange.current is not None and self.peak_mb() > self.spec.memory_mb:
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
        self.exchange.end(exit_reason(self.process.returncode))

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
            threading.Thread(target=serve, args=(*connection, self.exchange), daemon=True).start()


def exit_reason(code: int) -> str:
    """Return Lambda's text for a process's return code; negative is a signal, as in subprocess."""
    if code == 0:
        return "Runtime exited without providing a reason"
    if code < 0:
        return f"Runtime exited with error: signal: {(signal.strsignal(-code) or '').lower()}"
    return f"Runtime exited with error: exit status {code}"
