"""What a million photos cost, by what is billed, beside the usual way to build this.

    python -m ops cost                      STANDARD and EXPRESS, x86_64 and arm64
    python -m ops cost --images 50000       the bill of a month with so many, evenly spread

Durations, states and bytes were measured on the embedded AWS with photos of 12 megapixels
(`python -m benchmarks.costs` does it anew); a function that has a part of a processor is taken to
need as much longer. Prices are list prices, kept in ops/prices.py with their date. The usual way:
three functions of 128 MB that pass the file, 8 ms each, a STANDARD workflow, nothing recorded; its
pictures cost as much as here, and are not counted. It asks AWS nothing and needs no stack.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from cli.arguments import add_json, positive
from cli.terminal import table
from ops import prices

MEASURED = Path(__file__).parents[1] / "measured.json"
# Of the template; a whole processor comes with 1,769 MB:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_MB = {"serialize": 1024, "classify": 512, "filter": 128}
WHOLE_PROCESSOR_MB = 1769
# Three functions that hand bytes on. Their 8 ms each are taken, not measured: 5 cents of the bill.
USUAL_FUNCTIONS, USUAL_MB, USUAL_MS = 3, 128, 8
DOCUMENT_GB = 64 * 1024 / 1e9  # the most that is sent to the endpoint
VARIANTS = [(kind, on) for kind in ("STANDARD", "EXPRESS") for on in prices.LAMBDA_GB_S]

Bill = dict[str, float]  # dollars a photo, by what is billed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--images",
        type=positive,
        default=1_000_000,
        metavar="N",
        help="photos a month, over which what is billed by time is spread (default: %(default)s)",
    )
    add_json(parser, "one object")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    images = arguments.images
    bills, endpoint = all_bills(images), endpoint_bill(images)
    if arguments.json:
        found = {"per": 1_000_000, "images": images, "bills": bills, "endpoint": endpoint}
        print(json.dumps(found, indent=2))
        return 0
    print(f"US dollars for a month of {images:,} photos, all kept to its end\n({prices.NOTED})\n")
    header, *parts = rows(bills, endpoint)
    print(as_text(header, month_rows(bills, endpoint, images)))
    print("\nfor a million of these photos\n")
    said = f", {images:,} a month"  # above
    print(as_text(header, [[name.removesuffix(said), *cells] for name, *cells in parts]))
    source = measured()
    print(f"\nmeasured {source['measured']} on the embedded AWS with a {source['photo']}")
    return 0


def as_text(header: list[str], cells: list[list[str]]) -> str:
    """Return a table of bills under their names, on two lines so that it fits 80 columns."""
    names = [name.removeprefix("the ").replace(" ", "\n") for name in header]
    return table(names, cells, right=names[1:], flexible=names[:1])


def measured() -> dict[str, Any]:
    """Return what `python -m benchmarks.costs` wrote: milliseconds, states and bytes a photo."""
    found: dict[str, Any] = json.loads(MEASURED.read_text())
    return found


def all_bills(images: int) -> dict[str, Bill]:
    """Return dollars for a million photos, by variant and by what is billed; no endpoint.

    images: a month, over which it is evenly spread what is billed by time.
    """
    bills = {"the usual way": usual_bill()}
    bills |= {f"{kind} {on}": bill(kind, on, images) for kind, on in VARIANTS}
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


def bill(kind: str, architecture: str, images: int) -> Bill:
    """Return dollars a photo of this project. kind: STANDARD or EXPRESS; images: a month."""
    figures = measured()
    seconds = {
        step: milliseconds / 1000 / min(1, MEMORY_MB[step] / WHOLE_PROCESSOR_MB)
        for step, milliseconds in figures["milliseconds"].items()
    }
    gb_s = sum(MEMORY_MB[step] / 1024 * duration for step, duration in seconds.items())
    units = math.ceil(figures["item_bytes"] / 1024)
    steps = figures["states"] * prices.STANDARD_TRANSITION
    if kind == "EXPRESS":
        slower = sum(seconds.values()) - sum(figures["milliseconds"].values()) / 1000
        duration = billed_seconds(figures["execution_ms"] / 1000 + slower)
        steps = prices.EXPRESS_REQUEST + duration * prices.EXPRESS_GB * prices.EXPRESS_GB_S
    return {
        "steps": steps,
        "functions, requests": len(seconds) * prices.LAMBDA_REQUEST,
        "functions, duration": gb_s * prices.LAMBDA_GB_S[architecture],
        "picture: put, get": prices.S3_PUT + prices.S3_GET,
        "ledger: item, index": 2 * units * prices.DYNAMODB_WRITE,
        "announcement: stream, pipe, bus": prices.DYNAMODB_STREAM_READ
        + prices.PIPE_REQUEST
        + prices.CUSTOM_EVENT,
        "logs": figures["log_bytes"] / 1e9 * prices.LOG_GB,
        "traces": traced(images) * prices.TRACE,
        "alarms, metrics, dashboard": watching(figures["watched"]) / images,
    }


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


def watching(watched: dict[str, int]) -> float:
    """Return dollars a month for what the template watches with."""
    return (
        watched["alarm_metrics"] * prices.ALARM_METRIC_MONTH
        + watched["custom_metrics"] * prices.CUSTOM_METRIC_MONTH
        + watched["dashboards"] * prices.DASHBOARD_MONTH
    )


def endpoint_bill(images: int) -> dict[str, float]:
    """Return dollars for a million photos of each kind of endpoint; images: a month."""
    month = prices.ENDPOINT_HOUR * prices.HOURS_A_MONTH
    seconds = measured()["milliseconds"]["classify"] / 1000  # more than the endpoint itself takes
    serverless = (
        seconds * prices.SERVERLESS_GB * prices.SERVERLESS_GB_S
        + DOCUMENT_GB * prices.SERVERLESS_DATA_GB
    )
    return {
        f"real-time, {images:,} a month": month / images * prices.MILLION,
        "serverless": serverless * prices.MILLION,
    }


def rows(bills: dict[str, Bill], endpoint: dict[str, float]) -> list[list[str]]:
    """Return the table as text, first row the header."""
    parts = list(bills[f"{VARIANTS[0][0]} {VARIANTS[0][1]}"])
    sums = {name: sum(found.values()) for name, found in bills.items()}
    lines = [["", *bills]]
    for part in parts:
        cells = [f"{found[part]:,.2f}" if part in found else "-" for found in bills.values()]
        lines.append([part, *cells])
    lines.append(["without endpoint", *(f"{dollars:,.2f}" for dollars in sums.values())])
    for kind, dollars in endpoint.items():
        lines.append(
            [f"with endpoint, {kind}", *(f"{without + dollars:,.2f}" for without in sums.values())]
        )
    lines.append(
        ["pictures, each month they are kept", *([f"{kept() * prices.MILLION:,.2f}"] * len(sums))]
    )
    return lines


def month_rows(bills: dict[str, Bill], endpoint: dict[str, float], images: int) -> list[list[str]]:
    """Return the bill of a month with so many photos, all kept to its end, by kind of endpoint."""
    sums = [sum(found.values()) + kept() * prices.MILLION for found in bills.values()]
    return [
        [
            f"endpoint {kind.partition(',')[0]}",
            *(f"{(dollars + extra) * images / prices.MILLION:,.2f}" for dollars in sums),
        ]
        for kind, extra in endpoint.items()
    ]
