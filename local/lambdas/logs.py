"""The log stream of an execution environment: the platform's lines around the function's own."""

import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from local.lambdas.spec import FunctionSpec

# (log group, log stream, [(milliseconds since 1970, text), ...])
LogSink = Callable[[str, str, list[tuple[int, str]]], None]

TAIL_BYTES = 4096  # what Invoke returns with LogType Tail
EVENT_LIMIT_BYTES = 262_144  # a longer line becomes several events, as CloudWatch Logs does it

logger = logging.getLogger(__name__)


class LogStream:
    """Writes to one log stream and remembers the tail of the current invocation."""

    def __init__(self, spec: FunctionSpec, environment_id: str, sink: LogSink) -> None:
        self.group = spec.log_group
        # In a log group of its own choice a function's streams carry its name.
        owner = "" if self.group == f"/aws/lambda/{spec.name}" else spec.name
        self.name = f"{datetime.now(UTC):%Y/%m/%d}/{owner}[$LATEST]{environment_id}"
        self._json = spec.json_logs
        self._memory_mb = spec.memory_mb
        self._sink = sink
        self._writing = threading.Lock()
        self._tail = b""

    def write(self, lines: Sequence[str]) -> None:
        """Append lines that were logged just now; empty ones are no log events."""
        now_ms = time.time_ns() // 1_000_000
        events = [(now_ms, line) for line in lines if line.strip()]
        if not events:
            return
        with self._writing:
            text = "\n".join(line for _, line in events)
            self._tail = (self._tail + text.encode() + b"\n")[-TAIL_BYTES:]
            try:
                self._sink(self.group, self.name, events)
            except Exception:  # the function must not fail because its logs cannot be written
                logger.exception("cannot write to log stream %s of %s", self.name, self.group)

    def tail(self) -> bytes:
        return self._tail

    def init_start(self, runtime: str) -> None:
        self._platform(
            "initStart",
            {"initializationType": "on-demand", "phase": "init", "runtimeVersion": runtime},
            [f"INIT_START Runtime Version: {runtime}"],
        )

    def start(self, request_id: str) -> None:
        self._tail = b""
        self._platform(
            "start",
            {"requestId": request_id, "version": "$LATEST"},
            [f"START RequestId: {request_id} Version: $LATEST"],
        )

    def report(
        self,
        request_id: str,
        *,
        status: str,
        error_type: str | None,
        duration_ms: float,
        billed_ms: int,
        init_ms: float | None,
        used_mb: int,
    ) -> None:
        """Close an invocation. status: success, error or timeout."""
        metrics: dict[str, float] = {
            "durationMs": round(duration_ms, 3),
            "billedDurationMs": billed_ms,
            "memorySizeMB": self._memory_mb,
            "maxMemoryUsedMB": used_mb,
        }
        words = [
            f"REPORT RequestId: {request_id}",
            f"Duration: {duration_ms:.2f} ms",
            f"Billed Duration: {billed_ms} ms",
            f"Memory Size: {self._memory_mb} MB",
            f"Max Memory Used: {used_mb} MB",
        ]
        if init_ms is not None:
            metrics["initDurationMs"] = round(init_ms, 3)
            words.append(f"Init Duration: {init_ms:.2f} ms")
        record: dict[str, object] = {"requestId": request_id, "metrics": metrics, "status": status}
        if status != "success":
            words.append(f"Status: {status}")
        if error_type is not None:
            record["errorType"] = error_type
            words.append(f"Error Type: {error_type}")
        self._platform("report", record, [f"END RequestId: {request_id}", "\t".join(words)])

    def _platform(self, kind: str, record: dict[str, object], text: list[str]) -> None:
        if self._json:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            text = [json.dumps({"time": now, "type": f"platform.{kind}", "record": record})]
        self.write(text)
