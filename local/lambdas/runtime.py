"""The embedded Lambda: real handlers in real runtime processes, without Docker.

One process per execution environment, reused newest first, idle ones stopped after a while.

As on AWS: the answer and error documents, time-outs, init errors, size limits, concurrency,
environment variables, log streams, and what can be imported: the package, the standard library,
the runtime's own (local.lambdas.libraries). Memory: a process whose resident set has once exceeded
MemorySize is killed and reported as Lambda reports it (where /proc exists; children of the
process do not count; an rlimit would count address space, which onnxruntime and numpy reserve
in gigabytes). Not emulated: the CPU share that comes with memory, freezing between events,
a read-only file system, a restart of an init that fails or takes longer than 10 s.
"""

import atexit
import importlib.util
import json
import math
import platform
import time
import uuid
from pathlib import Path
from typing import Self

from local.lambdas.concurrency import Concurrency
from local.lambdas.logs import LogSink
from local.lambdas.pool import EnvironmentPool
from local.lambdas.runtime_api import Answer, Event, document_of
from local.lambdas.spec import (
    REQUEST_LIMIT_BYTES,
    FunctionSpec,
    Invocation,
    LambdaError,
    RequestTooLarge,
    TooManyRequests,
)

__all__ = [
    "FunctionSpec",
    "Invocation",
    "LambdaError",
    "LambdaRuntime",
    "RequestTooLarge",
    "TooManyRequests",
]

INIT_S = 10  # Lambda's limit of an init phase; beyond it the function's time-out runs
IDLE_S = 300  # AWS promises no figure; some minutes were observed by many


class LambdaRuntime:
    """Runs functions; a context manager, one per embedded AWS.

    workdir: holds each environment's /tmp, for as long as it lives.
    log: called with (log group, log stream, [(milliseconds since 1970, line), ...]), from
    several threads.
    account_concurrency: executions at once; new AWS accounts start with 10, others have 1,000.
    plain_loop: True runs plain_loop.py instead of awslambdaric; None where that is missing.
    """

    def __init__(
        self,
        *,
        workdir: Path,
        log: LogSink,
        account_concurrency: int = 1000,
        idle_s: float = IDLE_S,
        plain_loop: bool | None = None,
    ) -> None:
        if plain_loop is None:
            plain_loop = importlib.util.find_spec("awslambdaric") is None
        self._runtime = "loop" if plain_loop else "awslambdaric"
        self._concurrency = Concurrency(account_concurrency)
        self._pool = EnvironmentPool(workdir=workdir, runtime=self._runtime, log=log, idle_s=idle_s)
        atexit.register(self.close)

    @property
    def runtime_name(self) -> str:
        """What runs the handlers, for people."""
        if self._runtime == "awslambdaric":
            return "awslambdaric"
        return f"a plain Python loop (awslambdaric is not installed on {platform.system()})"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def invoke(self, spec: FunctionSpec, payload: bytes) -> Invocation:
        """Run a function on a JSON document and wait for its end.

        Raises TooManyRequests, RequestTooLarge; LambdaError if the runtime has been closed.
        """
        if len(payload) > REQUEST_LIMIT_BYTES:
            raise RequestTooLarge(
                f"{len(payload)} byte payload is too large for the RequestResponse invocation "
                f"type (limit {REQUEST_LIMIT_BYTES} bytes)"
            )
        self._pool.adopt(spec)
        with self._concurrency.execution(spec):
            invocation = None
            while invocation is None:  # an idle environment may have died before it took the event
                invocation = self._run(spec, payload)
            return invocation

    def kill_one(self, name: str) -> bool:
        """Kill an environment of a function while it runs an event; False if none does."""
        victim = next(iter(self._pool.running(name)), None)
        if victim is not None:
            victim.kill()
        return victim is not None

    def processes(self) -> list[int]:
        """Return the process ids of all environments."""
        return self._pool.processes()

    def close(self) -> None:
        """Kill every environment; what runs is answered with an error."""
        atexit.unregister(self.close)
        self._pool.close()

    def _run(self, spec: FunctionSpec, payload: bytes) -> Invocation | None:
        """Run in one environment; None if it was gone before it took the event."""
        environment, cold = self._pool.take(spec)
        request_id = str(uuid.uuid4())
        init_ms = None
        answer = Answer("ready")
        if cold:
            began = time.perf_counter()
            answer = environment.exchange.wait(INIT_S + spec.timeout_s)
            init_ms = (time.perf_counter() - began) * 1000
            environment.drain()
        environment.logs.start(request_id)
        began = time.perf_counter()
        if answer.kind == "ready":
            deadline_ms = time.time_ns() // 1_000_000 + spec.timeout_s * 1000
            environment.exchange.put(Event(request_id, deadline_ms, spec.arn, payload))
            answer = environment.exchange.wait(spec.timeout_s)
            if answer.kind == "exited" and environment.exchange.current is None and not cold:
                self._pool.discard(environment)
                return None
        duration_ms = (time.perf_counter() - began) * 1000
        environment.drain()
        used_mb = environment.peak_mb()
        if used_mb > spec.memory_mb or environment.out_of_memory:
            environment.kill()
            used_mb = spec.memory_mb
            answer = Answer("exited", b"Runtime exited with error: signal: killed")
        if answer.kind == "timeout":
            duration_ms = spec.timeout_s * 1000.0
        reusable = answer.kind in ("response", "error")
        if not reusable:
            self._pool.discard(
                environment
            )  # before the report, so that its last output stands above it
        body = document_of(answer, request_id, spec.timeout_s)
        error_type = None if answer.kind == "response" else json.loads(body).get("errorType")
        billed_ms = math.ceil(duration_ms + (init_ms or 0))
        status = {"response": "success", "timeout": "timeout"}.get(answer.kind, "error")
        environment.logs.report(
            request_id,
            status=status,
            error_type=error_type,
            duration_ms=duration_ms,
            billed_ms=billed_ms,
            init_ms=init_ms,
            used_mb=used_mb,
        )
        invocation = Invocation(
            request_id=request_id,
            payload=body,
            function_error=None if answer.kind == "response" else "Unhandled",
            log_tail=environment.logs.tail(),
            duration_ms=duration_ms,
            billed_ms=billed_ms,
        )
        if reusable:
            self._pool.give_back(environment)
        return invocation
