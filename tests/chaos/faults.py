"""Faults of the services around the product, injected where the embedded AWS meets it.

No line of the product knows of them: the endpoint, the table, the bus and the deliveries are moto's
and the embedded AWS's own, wrapped from here.
"""

import contextlib
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import JsonRESTError
from moto.dynamodb.models import DynamoDBBackend
from moto.events.models import EventsBackend
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local.cloud import EmbeddedAws
from local.seams import events

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
}
DUPLICATE_SHARE = 0.2
LATE_SHARE = 0.2
UNDELIVERED_SHARE = 0.2  # four times in a row, which is 2 in 1,000, and it is a dead letter
TABLE_SHARE = 0.1
BUS_SHARE = 0.1

LATE_S = 1.0
TIMEOUT_S = 11.0  # the function waits for 10
KILL_EVERY_S = 0.5
STOP_EVERY_S = 0.5
OUTAGE_S = 6.0  # of the decisions' bus; the pipe gives up after 4.3


class Throttled(JsonRESTError):
    """What DynamoDB answers when it is asked too much."""

    def __init__(self) -> None:
        super().__init__("ProvisionedThroughputExceededException", "Too many requests.")


class Chaos:
    """Injects faults until it is healed, and counts them. seed: of every choice."""

    def __init__(self, aws: EmbeddedAws, outputs: dict[str, str], seed: int) -> None:
        self.injected: Counter[str] = Counter()
        self._aws, self._outputs = aws, outputs
        self._random = random.Random(seed)
        self._lock = threading.Lock()
        self._healed = threading.Event()
        self._outage_until = 0.0

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
                (events, "send", self._delivery),
            ):
                patches.enter_context(patch.object(target, name, wrapper(getattr(target, name))))
            saboteurs = [
                threading.Thread(target=each, daemon=True)
                for each in (self._kill_functions, self._stop_executions, self._cut_the_bus)
            ]
            for each in saboteurs:
                each.start()
            try:
                yield
            finally:
                self.heal()
                for each in saboteurs:
                    each.join()

    def happens(self, share: float, fault: str = "") -> bool:
        """Decide whether a fault happens this time, and count it."""
        with self._lock:
            happens = not self._healed.is_set() and self._random.random() < share
            if happens and fault:
                self.injected[fault] += 1
        return happens

    def _one_of(self, faults: dict[str, int]) -> str:
        with self._lock:
            [fault] = self._random.choices(list(faults), list(faults.values()))
            self.injected[fault] += 1
        return fault

    def _endpoint(self, invoke: Any) -> Any:
        def invoke_endpoint(response: Any) -> Any:
            if not self.happens(ENDPOINT_SHARE):
                return invoke(response)
            fault = self._one_of(ENDPOINT_FAULTS)
            if fault == "endpoint: 500":
                return _error(500, "InternalFailure")
            if fault == "endpoint: 503":
                return _error(503, "ServiceUnavailable")
            if fault == "endpoint: throttled":
                return _error(400, "ThrottlingException")
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
            if self.happens(TABLE_SHARE, "table: throttled"):
                raise Throttled
            return update(*args, **kwargs)

        return update_item

    def _bus(self, put: Any) -> Any:
        def put_events(*args: Any, **kwargs: Any) -> Any:
            if time.monotonic() < self._outage_until and not self._healed.is_set():
                raise ConnectionError("the bus is out of reach")
            if self.happens(BUS_SHARE, "bus: announcements refused"):
                raise ConnectionError("the bus is out of reach")
            return put(*args, **kwargs)

        return put_events

    def _delivery(self, send: Any) -> Any:
        def delivered(rule: Any, target: Json, event: Json, log: Any) -> None:
            if ":states:" not in target["Arn"]:
                send(rule, target, event, log)
                return
            if self.happens(UNDELIVERED_SHARE, "event: no execution started"):
                raise ConnectionError("Step Functions is out of reach")
            if self.happens(LATE_SHARE, "event: late, after younger ones"):
                self._healed.wait(LATE_S)
            send(rule, target, event, log)
            if self.happens(DUPLICATE_SHARE, "event: delivered twice"):
                self._healed.wait(LATE_S)
                send(rule, target, event, log)

        return delivered

    def _kill_functions(self) -> None:
        names = [
            each["FunctionName"]
            for each in self._aws.client("lambda").list_functions()["Functions"]
        ]
        while not self._healed.wait(KILL_EVERY_S):
            if self._aws.runtime.kill_one(self._random.choice(names)):
                self.injected["function: killed while it ran"] += 1

    def _stop_executions(self) -> None:
        client = self._aws.client("stepfunctions")
        while not self._healed.wait(STOP_EVERY_S):
            running = client.list_executions(
                stateMachineArn=self._outputs["StateMachineArn"], statusFilter="RUNNING"
            )["executions"]
            if running:
                client.stop_execution(
                    executionArn=self._random.choice(running)["executionArn"], error="Chaos"
                )
                self.injected["execution: stopped between two states"] += 1

    def _cut_the_bus(self) -> None:
        if not self._healed.wait(OUTAGE_S):
            self.injected[f"bus: out of reach for {OUTAGE_S:.0f} s"] += 1
            self._outage_until = time.monotonic() + OUTAGE_S


def _error(status: int, code: str) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code, "status": str(status)}
    return status, headers, json.dumps({"message": code}).encode()
