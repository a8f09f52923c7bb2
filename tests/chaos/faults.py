"""Faults of the services around the product, injected where the embedded AWS meets it.

No line of the product knows of them: the endpoint, the table, the bus, the deliveries and the
steps of an execution are moto's and the embedded AWS's own, wrapped from here.
"""

import contextlib
import json
import random
import threading
import time
import zlib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.events.models import EventsBackend
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

from local.cloud import EmbeddedAws
from local.moto_patches import event_targets
from tests.support.project import state_machine

Json = Any

# Shares of all calls. Of the endpoint's, a fifth go wrong, in these ways.
ENDPOINT_SHARE = 0.2
ENDPOINT_FAULTS = {
    "endpoint: 500": 5,
    "endpoint: 503": 5,
    "endpoint: throttled": 5,
    "endpoint: garbage": 2,
    "endpoint: half an answer": 2,
    "endpoint: time-out": 1,
    "endpoint: refused": 1,
}
DUPLICATE_SHARE = 0.2
LATE_SHARE = 0.2
UNDELIVERED_SHARE = 0.2
TABLE_SHARE = 0.1
TABLE_LOST_SHARE = 0.05
BUS_SHARE = 0.1
BUS_LOST_SHARE = 0.05
STOP_SHARE = 0.02  # of the steps of all executions

# Shares of pictures and of events for which nothing helps until all is healed.
HOPELESS_PICTURES = 0.04
HOPELESS_EVENTS = 0.02

LATE_S = 1.0
TIMEOUT_S = 11.0  # the function waits for 10
KILL_EVERY_S = 0.3
# Longer than the retries; each begins with a call that it refuses, so every run has it.
BUS_OUTAGE_S, BUS_OUTAGE_CALL = 6.0, 10
TABLE_OUTAGE_S, TABLE_OUTAGE_CALL = 8.0, 50

# What no run may miss.
FAULTS = (
    *ENDPOINT_FAULTS,
    "endpoint: 503 until it is healed",
    *("table: throttled", "table: written, and no answer", "table: throttled, all of 8 s"),
    *("bus: out of reach", "bus: announced, and no answer", "bus: out of reach, all of 6 s"),
    *("event: no execution started", "event: none starts until all is healed"),
    *("event: late, after younger ones", "event: delivered twice"),
    "function: killed while it ran",
    *(f"execution: stopped before {name}" for name in state_machine()["States"]),
)


class Throttled(JsonRESTError):
    """What DynamoDB answers when it is asked too much."""

    def __init__(self) -> None:
        super().__init__("ProvisionedThroughputExceededException", "Too many requests.")


class Outage:
    """Refuses every call for some seconds, from a call that is given by its number."""

    def __init__(self, first_call: int, seconds: float) -> None:
        self._calls, self._first_call, self._seconds = 0, first_call, seconds
        self._end = 0.0
        self._lock = threading.Lock()

    def hits(self) -> bool:
        """Count a call, and tell whether it is refused."""
        with self._lock:
            self._calls += 1
            if self._calls == self._first_call:
                self._end = time.monotonic() + self._seconds
            return time.monotonic() < self._end


class Chaos:
    """Injects faults until it is healed, and counts them. seed: of every choice."""

    def __init__(self, aws: EmbeddedAws, seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self._aws, self._seed = aws, seed
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._healed = threading.Event()
        self._hopeless: set[int] = set()
        self._bus_outage = Outage(BUS_OUTAGE_CALL, BUS_OUTAGE_S)
        self._table_outage = Outage(TABLE_OUTAGE_CALL, TABLE_OUTAGE_S)

    def heal(self) -> None:
        """Let everything work from now on."""
        self._healed.set()

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Inject faults, until the context ends or heal() is called."""
        with contextlib.ExitStack() as patches:
            for target, name, wrapper in (
                (SageMakerRuntimeResponse, "invoke_endpoint", self._endpoint),
                (DynamoDBBackend, "update_item", self._table),
                (EventsBackend, "put_events", self._bus),
                (event_targets, "send", self._delivery),
                (CommonStateField, "eval", self._step),
            ):
                patches.enter_context(patch.object(target, name, wrapper(getattr(target, name))))
            killer = threading.Thread(target=self._kill_functions, daemon=True)
            killer.start()
            try:
                yield
            finally:
                self.heal()
                killer.join()

    def missed(self) -> list[str]:
        """Name the kinds of fault that did not happen."""
        return [fault for fault in FAULTS if not self.injected[fault]]

    def _happens(self, share: float, fault: str) -> bool:
        """Decide whether a fault happens this time, and count it; the first time it does."""
        with self._lock:
            happens = not self._healed.is_set() and (
                not self.injected[fault] or self._random.random() < share
            )
            self.injected[fault] += happens
        return happens

    def _is_hopeless(self, share: float, what: bytes, fault: str) -> bool:
        """Decide the same for the same bytes, until all is healed, and count it."""
        number = zlib.crc32(what, self._seed)
        with self._lock:
            if not self.injected[fault] or number / 2**32 < share:
                self._hopeless.add(number)
            hopeless = number in self._hopeless and not self._healed.is_set()
            self.injected[fault] += hopeless
        return hopeless

    def _endpoint_fault(self) -> str:
        """Return one of the endpoint's faults, or "": first of those that were not yet."""
        with self._lock:
            if self._healed.is_set() or self._random.random() >= ENDPOINT_SHARE:
                return ""
            missing = {name: 1 for name in ENDPOINT_FAULTS if not self.injected[name]}
            faults = missing or ENDPOINT_FAULTS
            [fault] = self._random.choices(list(faults), list(faults.values()))
            self.injected[fault] += 1
        return fault

    def _is_out(self, outage: Outage, fault: str) -> bool:
        """Return whether a call hits an outage, and count it."""
        refused = outage.hits() and not self._healed.is_set()
        if refused:
            self._count(fault)
        return refused

    def _count(self, fault: str) -> None:
        with self._lock:
            self.injected[fault] += 1

    def _endpoint(self, invoke: Any) -> Any:
        answers = {
            "endpoint: 500": (500, "InternalFailure"),
            "endpoint: 503": (503, "ServiceUnavailable"),
            "endpoint: throttled": (400, "ThrottlingException"),
            "endpoint: refused": (400, "ValidationError"),
        }

        def invoke_endpoint(response: Any) -> Any:
            picture = response.raw_body or b""
            if self._is_hopeless(HOPELESS_PICTURES, picture, "endpoint: 503 until it is healed"):
                return _error(503, "ServiceUnavailable")
            if (fault := self._endpoint_fault()) in answers:
                return _error(*answers[fault])
            if fault == "endpoint: time-out":
                self._healed.wait(TIMEOUT_S)
            status, headers, body = invoke(response)
            if fault == "endpoint: garbage":
                body = b"<html>busy</html>"
            if fault == "endpoint: half an answer":
                body = body[: len(body) // 2]
            return status, headers, body

        return invoke_endpoint

    def _table(self, update: Any) -> Any:
        def update_item(*args: Any, **kwargs: Any) -> Any:
            if self._is_out(self._table_outage, "table: throttled, all of 8 s"):
                raise Throttled
            if self._happens(TABLE_SHARE, "table: throttled"):
                raise Throttled
            answer = update(*args, **kwargs)
            if self._happens(TABLE_LOST_SHARE, "table: written, and no answer"):
                raise Throttled  # to who asked, the same as a write that did not happen
            return answer

        return update_item

    def _bus(self, put: Any) -> Any:
        def put_events(*args: Any, **kwargs: Any) -> Any:
            if self._is_out(self._bus_outage, "bus: out of reach, all of 6 s"):
                raise ConnectionError("the bus is out of reach")
            if self._happens(BUS_SHARE, "bus: out of reach"):
                raise ConnectionError("the bus is out of reach")
            answer = put(*args, **kwargs)
            if self._happens(BUS_LOST_SHARE, "bus: announced, and no answer"):
                raise ConnectionError("the answer did not arrive")
            return answer

        return put_events

    def _delivery(self, send: Any) -> Any:
        def delivered(rule: Any, target: Json, event: Json, log: Any) -> None:
            if ":states:" not in target["Arn"]:
                send(rule, target, event, log)
                return
            hopeless = "event: none starts until all is healed"
            if self._is_hopeless(HOPELESS_EVENTS, event["id"].encode(), hopeless):
                raise ConnectionError("Step Functions is out of reach")
            if self._happens(UNDELIVERED_SHARE, "event: no execution started"):
                raise ConnectionError("Step Functions is out of reach")
            if self._happens(LATE_SHARE, "event: late, after younger ones"):
                self._healed.wait(LATE_S)
            send(rule, target, event, log)
            if self._happens(DUPLICATE_SHARE, "event: delivered twice"):
                self._healed.wait(LATE_S)
                send(rule, target, event, log)

        return delivered

    def _step(self, eval_: Any) -> Any:
        """Stop executions between two steps: of each gap the first, and then some."""

        def eval_step(state: CommonStateField, env: Any) -> None:
            if self._happens(STOP_SHARE, f"execution: stopped before {state.name}"):
                env.set_stop(stop_date=datetime.now(UTC), cause="chaos", error="Chaos")
                return
            eval_(state, env)

        return eval_step

    def _kill_functions(self) -> None:
        functions = self._aws.client("lambda").list_functions()["Functions"]
        names = [function["FunctionName"] for function in functions]
        while not self._healed.wait(KILL_EVERY_S):
            if self._aws.runtime.kill_one(self._random.choice(names)):
                self._count("function: killed while it ran")


def _error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code, "status": str(status)}
    return status, headers, json.dumps({"message": code}).encode()
