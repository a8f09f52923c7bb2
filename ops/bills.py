"""What a photo and a month cost in US dollars: measured.json multiplied by prices.py.

ops/commands/cost.py shows it, and says what is measured and what is taken.
"""

import json
import math
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ops import prices

MEASURED = Path(__file__).parent / "measured.json"
# Of the template; a whole processor comes with 1,769 MB:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_MB = {"serialize": 1024, "classify": 512, "filter": 128}
WHOLE_PROCESSOR_MB = 1769
# Three functions that hand bytes on. Their 8 ms each are taken, not measured: 5 cents of the bill.
USUAL_FUNCTIONS, USUAL_MB, USUAL_MS = 3, 128, 8
DOCUMENT_GB = 64 * 1024 / 1e9  # the most that is sent to the endpoint
VARIANTS = [(kind, on) for kind in ("STANDARD", "EXPRESS") for on in prices.LAMBDA_GB_S]

USUAL = "the usual way"
PUT_GET, GET = "picture: put, get", "picture: get"
CHILD_WAIT_S = 1  # statemachine/backfill.asl.json: Give it time
OBJECTS_A_PAGE = 1000

Bill = dict[str, float]  # dollars a photo, by what is billed


def measured() -> dict[str, Any]:
    """Return what `python -m benchmarks.costs` wrote: milliseconds, states and bytes a photo."""
    found: dict[str, Any] = json.loads(MEASURED.read_text())
    return found


def all_bills(images: int, tracing: bool = False) -> dict[str, Bill]:
    """Return dollars for a million photos, by variant and by what is billed; no endpoint.

    images: a month, evenly spread; the share that is traced goes by it.
    tracing: whether the stack sends traces.
    """
    bills = {USUAL: usual_bill()}
    bills |= {f"{kind} {on}": bill(kind, on, images, tracing) for kind, on in VARIANTS}
    return {
        name: {part: dollars * prices.MILLION for part, dollars in found.items()}
        for name, found in bills.items()
    }


def usual_bill() -> Bill:
    """Return what the design costs that most solutions of this exercise have."""
    gb_s = USUAL_FUNCTIONS * USUAL_MB / 1024 * USUAL_MS / 1000
    return {
        "steps": USUAL_FUNCTIONS * prices.STANDARD_TRANSITION,
        "functions, requests": USUAL_FUNCTIONS * prices.LAMBDA_REQUEST,
        "functions, duration": gb_s * prices.LAMBDA_GB_S["x86_64"],
    }


def fixed_bills() -> Bill:
    """Return dollars a month, by what is billed with any number of photos; no endpoint."""
    watched = measured()["watched"]
    return {
        "alarms": watched["alarm_metrics"] * prices.ALARM_METRIC_MONTH,
        "metrics": watched["custom_metrics"] * prices.CUSTOM_METRIC_MONTH,
        "dashboard": watched["dashboards"] * prices.DASHBOARD_MONTH,
    }


def bill(kind: str, architecture: str, images: int, tracing: bool = False) -> Bill:
    """Return dollars a photo of this project; no endpoint.

    kind: STANDARD or EXPRESS. architecture: x86_64 or arm64. images and tracing: see all_bills().
    """
    figures = measured()
    seconds = function_seconds()
    gb_s = sum(MEMORY_MB[step] / 1024 * duration for step, duration in seconds.items())
    units = math.ceil(figures["item_bytes"] / 1024)
    steps = figures["states"] * prices.STANDARD_TRANSITION
    if kind == "EXPRESS":
        duration = billed_seconds(execution_seconds())
        steps = prices.EXPRESS_REQUEST + duration * prices.EXPRESS_GB * prices.EXPRESS_GB_S
    traces = {"traces": traced(images) * prices.TRACE} if tracing else {}
    return {
        "steps": steps,
        "functions, requests": len(seconds) * prices.LAMBDA_REQUEST,
        "functions, duration": gb_s * prices.LAMBDA_GB_S[architecture],
        PUT_GET: prices.S3_PUT + prices.S3_GET,
        # The second index, of audits, has the keys alone: a unit.
        "ledger: item, indexes": (2 * units + 1) * prices.DYNAMODB_WRITE,
        "announcement: stream, pipe, bus": prices.DYNAMODB_STREAM_READ
        + prices.PIPE_REQUEST
        + prices.CUSTOM_EVENT,
        "logs": figures["log_bytes"] / 1e9 * prices.LOG_GB,
        **traces,
    }


def asked_bill() -> Bill:
    """Return dollars an object that a backfill only asks the ledger about."""
    seconds = billed_seconds(measured()["backfill"]["asked_ms"] / 1000)
    return {
        "list": prices.S3_LIST / OBJECTS_A_PAGE,
        "child": prices.EXPRESS_REQUEST + seconds * prices.EXPRESS_GB * prices.EXPRESS_GB_S,
        "ledger: read": prices.DYNAMODB_READ,
    }


def backfill_bill(kind: str, architecture: str) -> Bill:
    """Return dollars a photo that a backfill decides: its child's, and the workflow's but the PUT.

    kind: of the image workflow. What the child asks first is in asked_bill(). No endpoint.
    """
    found = bill(kind, architecture, images=1)
    found[GET] = found.pop(PUT_GET) - prices.S3_PUT
    waiting = billed_seconds(child_seconds()) - billed_seconds(
        measured()["backfill"]["asked_ms"] / 1000
    )
    return {
        "child": waiting * prices.EXPRESS_GB * prices.EXPRESS_GB_S,
        "child: head": prices.S3_GET,
        "child: allowance, looks": prices.DYNAMODB_WRITE + looks() * prices.DYNAMODB_READ,
        **found,
    }


def looks() -> int:
    """Return how often a child looks for the outcome: before each, it waits a second."""
    return math.ceil(execution_seconds() / CHILD_WAIT_S)


def child_seconds() -> float:
    """Return how long a child takes that decides a photo: its steps, and the seconds it waits."""
    steps: float = measured()["backfill"]["steps_ms"] / 1000
    return steps + looks() * CHILD_WAIT_S


def execution_seconds() -> float:
    """Return how long the image workflow takes on AWS: as measured, its functions slower."""
    figures = measured()
    slower = sum(function_seconds().values()) - sum(figures["milliseconds"].values()) / 1000
    seconds: float = figures["execution_ms"] / 1000 + slower
    return seconds


def function_seconds() -> dict[str, float]:
    """Return how long each function takes on AWS: measured, and slower by its share of a core."""
    return {
        step: milliseconds / 1000 / min(1, MEMORY_MB[step] / WHOLE_PROCESSOR_MB)
        for step, milliseconds in measured()["milliseconds"].items()
    }


@dataclass(frozen=True)
class Spent:
    """What a stack has cost in a month until a moment, in dollars at list prices.

    photos: recorded since then. growing: by their number. fixed: by the time. endpoint: by the time
    of its instances, by photos where it has none. instances: 0 where it is serverless, None where
    there is no endpoint.
    """

    since: datetime
    until: datetime
    photos: int
    growing: float
    fixed: float
    endpoint: float
    instances: int | None

    @property
    def total(self) -> float:
        """All of it."""
        return self.growing + self.fixed + self.endpoint


def spent(photos: int, since: datetime, until: datetime, kind: str, instances: int | None) -> Spent:
    """Return what was spent on x86_64. Pictures are kept to the end.

    kind: STANDARD or EXPRESS. instances: of the endpoint, as many all the time; see Spent.
    """
    month = (until - since).total_seconds() / prices.SECONDS_A_MONTH
    a_photo = sum(bill(kind, "x86_64", max(photos, 1)).values()) + kept() * month
    endpoint = endpoint_month() * month * (instances or 0)
    if instances == 0:
        endpoint = photos * serverless_bill() / prices.MILLION
    return Spent(
        since=since,
        until=until,
        photos=photos,
        growing=photos * a_photo,
        fixed=sum(fixed_bills().values()) * month,
        endpoint=endpoint,
        instances=instances,
    )


def kept() -> float:
    """Return dollars a photo for each month that it is kept."""
    dollars: float = measured()["photo_bytes"] / 1e9 * prices.S3_GB_MONTH
    return dollars


def billed_seconds(seconds: float) -> float:
    """Return how long an EXPRESS execution is billed for."""
    return math.ceil(round(seconds / prices.EXPRESS_STEP_S, 6)) * prices.EXPRESS_STEP_S


def traced(images: int) -> float:
    """Return the share of photos that are traced, if a month's are evenly spread over it."""
    a_second = images / prices.SECONDS_A_MONTH
    first = min(a_second, prices.TRACED_A_SECOND)
    return (first + prices.TRACED_OF_OTHERS * (a_second - first)) / a_second


def endpoint_month() -> float:
    """Return dollars a month of the real-time endpoint."""
    return prices.ENDPOINT_HOUR * prices.HOURS_A_MONTH


def serverless_bill() -> float:
    """Return dollars for a million photos of the serverless endpoint."""
    seconds = measured()["milliseconds"]["classify"] / 1000  # more than the endpoint itself takes
    photo: float = (
        seconds * prices.SERVERLESS_GB * prices.SERVERLESS_GB_S
        + DOCUMENT_GB * prices.SERVERLESS_DATA_GB
    )
    return photo * prices.MILLION
