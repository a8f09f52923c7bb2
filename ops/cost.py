"""What a million photos cost, by what is billed, beside the usual way to build this.

    python -m ops cost                      STANDARD and EXPRESS, x86_64 and arm64
    python -m ops cost --images 50000       the endpoint's share when fewer come in a month

Durations and bytes were measured on the embedded AWS with photos of 12 megapixels
(`python -m benchmarks.costs` does it anew); a function that has a part of a processor is taken to
need as much longer. Prices are list prices, kept in ops/prices.py with their date. The usual way:
three functions of 128 MB that pass the file, 8 ms each, a STANDARD workflow, nothing recorded. It
asks AWS nothing and needs no stack.
"""

import argparse
import json
import math
from pathlib import Path
from typing import Any

from ops import prices

MEASURED = Path(__file__).parent / "measured.json"
# Of the template; a whole processor comes with 1,769 MB:
# https://docs.aws.amazon.com/lambda/latest/dg/configuration-memory.html
MEMORY_MB = {"serialize": 1024, "classify": 512, "filter": 128}
WHOLE_PROCESSOR_MB = 1769
BILLED_STEPS = 4
USUAL_FUNCTIONS, USUAL_MB, USUAL_MS = 3, 128, 8
DOCUMENT_GB = 64 * 1024 / 1e9  # the most that is sent to the endpoint
VARIANTS = [(kind, on) for kind in ("STANDARD", "EXPRESS") for on in prices.LAMBDA_GB_S]

Bill = dict[str, float]  # dollars a photo, by what is billed


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--images",
        type=_images,
        default=1_000_000,
        metavar="N",
        help="photos a month, over which the endpoint's hours are spread (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")


def _images(text: str) -> int:
    number = int(text) if text.isdecimal() else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: write a whole number from 1")
    return number


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    bills, endpoint = all_bills(), endpoint_bill(arguments.images)
    if arguments.json:
        print(json.dumps({"per": 1_000_000, "bills": bills, "endpoint": endpoint}, indent=2))
        return 0
    print(f"US dollars for a million photos ({prices.NOTED})\n")
    for row in rows(bills, endpoint):
        print(f"{row[0]:<40}" + "".join(f"{cell:>17}" for cell in row[1:]))
    told = measured()
    print(f"\nmeasured {told['measured']} on the embedded AWS with a {told['photo']}")
    return 0


def measured() -> dict[str, Any]:
    """Return what `python -m benchmarks.costs` wrote: milliseconds by step, bytes a photo."""
    found: dict[str, Any] = json.loads(MEASURED.read_text())
    return found


def all_bills() -> dict[str, Bill]:
    """Return dollars for a million photos, by variant and by what is billed; no endpoint."""
    bills = {"the usual way": usual_bill()}
    bills |= {f"{kind} {on}": bill(kind, on) for kind, on in VARIANTS}
    return {
        name: {part: dollars * prices.MILLION for part, dollars in each.items()}
        for name, each in bills.items()
    }


def usual_bill() -> Bill:
    """Return what the design costs that most solutions of this exercise have."""
    gb_s = USUAL_FUNCTIONS * USUAL_MB / 1024 * USUAL_MS / 1000
    return {
        "steps": USUAL_FUNCTIONS * prices.STANDARD_TRANSITION,
        "functions, requests": USUAL_FUNCTIONS * prices.LAMBDA_REQUEST,
        "functions, duration": gb_s * prices.LAMBDA_GB_S["x86_64"],
    }


def bill(kind: str, architecture: str) -> Bill:
    """Return dollars a photo of this project. kind: STANDARD or EXPRESS."""
    told = measured()
    seconds = {
        step: milliseconds / 1000 / min(1, MEMORY_MB[step] / WHOLE_PROCESSOR_MB)
        for step, milliseconds in told["milliseconds"].items()
    }
    gb_s = sum(MEMORY_MB[step] / 1024 * each for step, each in seconds.items())
    units = math.ceil(told["item_bytes"] / 1024)
    steps = BILLED_STEPS * prices.STANDARD_TRANSITION
    if kind == "EXPRESS":
        duration = sum(seconds.values()) * prices.EXPRESS_GB * prices.EXPRESS_GB_S
        steps = prices.EXPRESS_REQUEST + duration
    return {
        "steps": steps,
        "functions, requests": len(seconds) * prices.LAMBDA_REQUEST,
        "functions, duration": gb_s * prices.LAMBDA_GB_S[architecture],
        "picture: put, get": prices.S3_PUT + prices.S3_GET,
        "ledger: item, index": 2 * units * prices.DYNAMODB_WRITE,
        "announcement: stream, pipe, bus": prices.DYNAMODB_STREAM_READ
        + prices.PIPE_REQUEST
        + prices.CUSTOM_EVENT,
        "logs": told["log_bytes"] / 1e9 * prices.LOG_GB,
        "traces": prices.TRACED * prices.TRACE,
    }


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
    sums = {name: sum(each.values()) for name, each in bills.items()}
    table = [["", *bills]]
    for part in parts:
        cells = [f"{each[part]:.2f}" if part in each else "-" for each in bills.values()]
        table.append([part, *cells])
    table.append(["without endpoint", *(f"{each:.2f}" for each in sums.values())])
    for kind, dollars in endpoint.items():
        table.append([f"with endpoint, {kind}", *(f"{s + dollars:.2f}" for s in sums.values())])
    return table
