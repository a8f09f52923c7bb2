"""Backfill: a plan over 10 million generated objects, and a simulation of runs on AWS.

    python -m benchmarks.backfill                    the plan's memory and rate, beside bare listing
    python -m benchmarks.backfill --measure          write what a child takes into ops/measured.json
    python -m benchmarks.backfill --simulate         the tables of docs/backfill.md

The simulation runs children, image workflows, functions and an endpoint against each other, event
by event. Its inputs are ops/measured.json (durations on the embedded AWS, functions slower by their
share of a processor), the retries of the two state machines as they are written, and AWS's default
quotas. What is over a quota is throttled and tried again after the back-off that the retry names.
"""

import argparse
import heapq
import itertools
import json
import logging
import random
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

from benchmarks.process import memory_and_seconds
from benchmarks.table import Row, print_rows, row
from cli.terminal import table
from local.cloud import embedded_aws
from ops import bills, prices
from ops.backfilling.plan import (
    EXPRESS_STARTS,
    ITEM_WRITES,
    LAMBDAS,
    NEW_LAMBDAS,
    STANDARD_STARTS,
    Endpoint,
    Estimate,
)

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "ops" / "measured.json"
OBJECTS = 10_000_000
SIMULATED = 20_000  # photos of one run: the rate is steady long before
CHILDREN = 60  # that --measure runs, one after the other
INFERENCE_S = 0.01  # of measured.json: classify, with its way over loopback

PLANNED = """
import sys, time
from ops.backfilling.plan import count
from ops.backfilling.sources import Photo, Source

objects, plan = int(sys.argv[1]), sys.argv[2] == "plan"

def pages():
    for first in range(0, objects, 1000):
        yield [
            Photo(f"uploads/{n:012}.jpg", f"{n:032x}", n)
            for n in range(first, min(first + 1000, objects))
        ]

def outcomes(names):  # three of four have one
    return dict.fromkeys(names[len(names) // 4 :], "accepted")

start = time.perf_counter()
if plan:
    found = count(pages(), Source("bucket", "uploads/"), outcomes)
    assert found.objects == objects, found
else:
    assert sum(map(len, pages())) == objects
seconds = time.perf_counter() - start
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024, seconds)
"""


def rows(objects: int = OBJECTS) -> list[Row]:
    """Measure a plan over a tenth of the objects, then over all of them, and the bare listing."""
    less, _ = memory_and_seconds("-c", PLANNED, str(objects // 10), "plan")
    memory, seconds = memory_and_seconds("-c", PLANNED, str(objects), "plan")
    _, bare = memory_and_seconds("-c", PLANNED, str(objects), "list")
    return [
        row(
            f"plan: peak memory of {objects:,} objects",
            memory,
            "MB",
            less,
            aim="<= 1.1x",
            note=f"the same for {objects // 10:,}",
        ),
        row(
            "plan: time for each object",
            seconds / objects * 1e6,
            "us",
            bare / objects * 1e6,
            aim="< 100 us",
            note="the listing alone, generated; S3 takes 100 us",
        ),
    ]


# --- Measure -----------------------------------------------------------------------------------


def measure() -> None:
    """Run children one after the other on the embedded AWS, and keep what each took."""
    for chatty in ("werkzeug", "moto"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    picture = (ROOT / "events" / "images" / "bicycle.png").read_bytes()
    with embedded_aws() as aws:
        outputs = aws.deploy("backfill", {"WorkflowType": "EXPRESS", "BackfillBucket": "photos"})
        s3 = aws.client("s3")
        s3.create_bucket(Bucket="photos")
        for number in range(CHILDREN):
            s3.put_object(Bucket="photos", Key=f"{number:03}.png", Body=picture)
        decided_s, asked_s = (_run_s(aws, outputs, name) / CHILDREN for name in ("one", "two"))
    kept = json.loads(MEASURED.read_text())
    steps_s = decided_s - bills.looks() * bills.CHILD_WAIT_S
    kept["backfill"] = {
        "asked_ms": round(asked_s * 1000, 1),
        "steps_ms": round(steps_s * 1000, 1),
    }
    MEASURED.write_text(json.dumps(kept, indent=2) + "\n")
    print(json.dumps(kept["backfill"]))


def _run_s(aws: Any, outputs: dict[str, str], name: str) -> float:
    """Return the seconds of a run with one child at a time."""
    machine = outputs["BackfillWorkflowArn"]
    arn = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    item = {"run": {"S": arn}, "allowance": {"N": str(CHILDREN)}, "started": {"N": "0"}}
    aws.client("dynamodb").put_item(TableName=outputs["BackfillsTable"], Item=item)
    given = {
        "bucket": "photos",
        "prefix": "",
        "keys_until": "\uffff",
        "sample_below": "g",
        "concurrency": 1,
        "tolerated_failure_percentage": 0,
    }
    states = aws.client("stepfunctions")
    began = time.monotonic()
    states.start_execution(stateMachineArn=machine, name=name, input=json.dumps(given))
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.05)
    assert found["status"] == "SUCCEEDED", found
    return time.monotonic() - began


# --- Simulate ----------------------------------------------------------------------------------


@dataclass
class Retry:
    """A retry of a state, with full jitter."""

    interval_s: float
    attempts: int
    most_s: float = float("inf")

    def wait_s(self, attempt: int, chance: random.Random) -> float:
        """Return how long to wait before an attempt, counted from 0."""
        return chance.uniform(0, min(self.interval_s * 2.0**attempt, self.most_s))

    @classmethod
    @cache
    def of(cls, machine: str, state: str) -> "Retry":
        """Return that of a state of a state machine."""
        states = json.loads((ROOT / "statemachine" / machine).read_text())["States"]
        found = states.get("List bucket", {}).get("ItemProcessor", {}).get("States", states)
        [given] = found[state]["Retry"]
        most = given.get("MaxDelaySeconds", float("inf"))
        return cls(given["IntervalSeconds"], given["MaxAttempts"], most)


@dataclass
class Bucket:
    """A token bucket that holds a second of its refill. rate: a second."""

    rate: float
    _tokens: float = 0.0
    _at: float = 0.0

    def take(self, now: float) -> bool:
        """Tell whether a call is let through."""
        self._tokens = min(self.rate, self._tokens + (now - self._at) * self.rate)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


@dataclass
class World:
    """One run. endpoint: how many inferences at once; queues: whether more wait there."""

    concurrency: int
    kind: str
    endpoint: int
    queues: bool
    photos: int = SIMULATED
    failed: int = 0
    retries: int = 0
    now: float = 0.0
    _busy: int = 0
    _functions: int = 0
    _events: list[tuple[float, int, Iterator[float]]] = field(default_factory=list)
    _waiting: deque[float] = field(default_factory=deque)

    def run(self) -> float:
        """Return the seconds that the photos take."""
        chance, numbers = random.Random(1), itertools.count()
        starts = Bucket(STANDARD_STARTS if self.kind == "STANDARD" else EXPRESS_STARTS)
        writes = Bucket(ITEM_WRITES)
        left = self.photos
        for _ in range(min(self.concurrency, left)):
            child = self._child(chance, starts, writes)
            heapq.heappush(self._events, (chance.uniform(0, 1), next(numbers), child))
            left -= 1
        while self._events:
            self.now, _, child = heapq.heappop(self._events)
            wait = next(child, None)
            if wait is not None:
                heapq.heappush(self._events, (self.now + wait, next(numbers), child))
            elif left:
                left -= 1
                child = self._child(chance, starts, writes)
                heapq.heappush(self._events, (self.now, next(numbers), child))
        return self.now

    def _child(self, chance: random.Random, starts: Bucket, writes: Bucket) -> Iterator[float]:
        """Yield the seconds between the steps of a child, and of the workflow that it waits for."""
        yield steps_s()
        for bucket, state in ((writes, "Take from allowance"), (starts, "Start workflow")):
            retry = Retry.of("backfill.asl.json", state)
            if not (yield from self._tried(partial(self._let_through, bucket), retry, chance)):
                return
        began = self.now
        for state, seconds in durations().items():
            retry = Retry.of("classify_image.asl.json", state)
            if not (yield from self._tried(partial(self._enter, state), retry, chance)):
                return
            yield self._taken(state, seconds)
            self._leave(state)
        # It looks once a second after the start.
        yield (began - self.now) % bills.CHILD_WAIT_S

    def _tried(
        self, enter: Callable[[], bool], retry: "Retry", chance: random.Random
    ) -> Generator[float, None, bool]:
        """Yield the waits until a call is let through; return whether it was in the end."""
        for attempt in itertools.count():
            if enter():
                return True
            if attempt == retry.attempts:
                break
            self.retries += 1
            yield retry.wait_s(attempt, chance)
        self.failed += 1
        return False

    def _let_through(self, bucket: "Bucket") -> bool:
        return bucket.take(self.now)

    def _enter(self, state: str) -> bool:
        full = state == "Classify image" and not self.queues and self._busy >= self.endpoint
        if full or self._functions >= LAMBDAS:
            return False
        self._functions += 1
        self._busy += state == "Classify image"
        return True

    def _taken(self, state: str, seconds: float) -> float:
        """Return how long a step takes; in front of a full endpoint it waits for its turn."""
        if state != "Classify image" or not self.queues:
            return seconds
        while self._waiting and self._waiting[0] <= self.now:
            self._waiting.popleft()
        places = len(self._waiting) - self.endpoint
        free = self._waiting[places] if places >= 0 else self.now
        self._waiting.append(max(free, self.now) + INFERENCE_S)
        return seconds + max(0.0, free - self.now)

    def _leave(self, state: str) -> None:
        self._functions -= 1
        self._busy -= state == "Classify image"


@cache
def steps_s() -> float:
    """Return the seconds of a child's own steps."""
    seconds: float = bills.measured()["backfill"]["steps_ms"] / 1000
    return seconds


@cache
def durations() -> dict[str, float]:
    """Return the seconds of each function, by its state."""
    names = ("Serialize image", "Classify image", "Filter inferences")
    return dict(zip(names, bills.function_seconds().values(), strict=True))


COLUMNS = (
    *("photos", "concurrency", "workflow", "endpoint"),
    *("photos a second", "hours", "dollars", "failed"),
)
KINDS, WAYS = ("STANDARD", "EXPRESS"), ("upload", "backfill")

SCENARIOS: list[tuple[int, int, str, Endpoint]] = [
    (photos, concurrency, kind, endpoint)
    for photos, concurrency in ((10_000, 20), (1_000_000, 100), (100_000_000, 1000))
    for kind in KINDS
    for endpoint in (
        Endpoint(max(1, concurrency // 100), max(1, concurrency // 100)),
        Endpoint(0, 20 if concurrency < 1000 else 200),
    )
]


def simulated() -> list[tuple[str, ...]]:
    """Return rate, time and dollars of runs, under a header."""
    cells: list[tuple[str, ...]] = [COLUMNS]
    for photos, concurrency, kind, endpoint in SCENARIOS:
        many = min(photos, SIMULATED)
        world = World(concurrency, kind, endpoint.at_once, bool(endpoint.instances), many)
        rate = many / world.run()
        hours = photos / rate / 3600
        dollars = Estimate(photos, photos, kind, concurrency, endpoint).dollars
        served = "serverless"
        if endpoint.instances:
            dollars += hours * endpoint.instances * prices.ENDPOINT_HOUR
            served = f"{endpoint.instances} x ml.c5.large"
        cells.append(
            (
                *(f"{photos:,}", f"{concurrency:,}", kind),
                f"{served}, {endpoint.at_once} at once",
                *(f"{rate:,.0f}", f"{hours:,.1f}", f"{dollars:,.2f}"),
                f"{world.failed / many:.1%}",
            )
        )
    return cells


def beside() -> list[tuple[str, ...]]:
    """Return dollars for a million photos, uploaded or of a backfill, by part, under a header."""
    found = []
    for kind in KINDS:
        found += [bills.bill(kind, "x86_64", 1_000_000), bills.asked_bill()]
        for part, dollars in bills.backfill_bill(kind, "x86_64").items():
            found[-1][part] = found[-1].get(part, 0) + dollars
    return [
        ("part", *(f"{way}, {kind}" for kind in KINDS for way in WAYS)),
        *(
            (part, *(f"{bill[part] * 1e6:,.2f}" if part in bill else "" for bill in found))
            for part in dict.fromkeys(part for bill in found for part in bill)
        ),
        ("together, without endpoint", *(f"{sum(bill.values()) * 1e6:,.2f}" for bill in found)),
    ]


def shared() -> list[tuple[str, ...]]:
    """Return what uploads share with a backfill, and the concurrency that takes half of it."""
    function_s = sum(bills.function_seconds().values())
    rates = {
        f"{NEW_LAMBDAS} functions at once, of a new account": NEW_LAMBDAS / function_s,
        f"{LAMBDAS:,} functions at once": LAMBDAS / function_s,
        "an endpoint of one instance": Endpoint(1, 1).per_second,
        "a serverless endpoint, 20 at once": Endpoint(0, 20).per_second,
    }
    return [
        ("shared", "photos a second", "concurrency that takes half"),
        *(
            (what, f"{rate:,.0f}", f"{int(rate * bills.child_seconds() / 2):,}")
            for what, rate in rates.items()
        ),
    ]


def main() -> int:
    """Measure, simulate, or bench."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.backfill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--objects", type=int, default=OBJECTS, help="default: %(default)s")
    parser.add_argument("--measure", action="store_true")
    parser.add_argument("--simulate", action="store_true")
    arguments = parser.parse_args()
    if arguments.measure:
        measure()
    elif arguments.simulate:
        for make in (shared, simulated, beside):
            header, *cells = make()
            print(f"\n{table(header, cells)}")
    else:
        print_rows((__doc__ or "").splitlines()[0], rows(arguments.objects))
    return 0


if __name__ == "__main__":
    sys.exit(main())
