"""What a million photos cost, by what is billed, beside the usual way to build this.

    python -m ops cost                   STANDARD and EXPRESS, x86_64 and arm64
    python -m ops cost --images 50000    the bill of a month with so many
    python -m ops cost --tracing Active  with traces in X-Ray
    python -m ops cost --sources         each line's parts, price and page

Durations, states and bytes were measured on the embedded AWS with photos of 12 megapixels
(`python -m benchmarks.costs` does it anew); a function that has a part of a processor is taken to
need as much longer. Prices are list prices, kept in ops/prices.py with their date. The usual way:
three functions of 128 MB that pass the file, 8 ms each, a STANDARD workflow, nothing recorded; its
pictures cost as much as here, and are not counted. It asks AWS nothing and needs no stack.
"""

import argparse
import json
import math
import textwrap

from cli.arguments import add_json, positive
from cli.terminal import table
from ops import prices
from ops.bills import (
    DOCUMENT_GB,
    PUT_GET,
    USUAL,
    VARIANTS,
    Bill,
    all_bills,
    endpoint_month,
    fixed_bills,
    kept,
    measured,
    serverless_bill,
)

SOURCE = ("line", "billed", "price", "page")  # the fields of --sources --json
LINE = 80  # columns


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--images",
        type=positive,
        default=1_000_000,
        metavar="N",
        help="photos a month, evenly spread (default: %(default)s)",
    )
    parser.add_argument(
        "--tracing",
        choices=("Active", "PassThrough"),
        default="PassThrough",
        help="as the parameter Tracing of the stack (default: %(default)s, no traces)",
    )
    parser.add_argument(
        "--sources", action="store_true", help="what each line is made of, with the pages of prices"
    )
    add_json(parser, "one object")


def run(arguments: argparse.Namespace) -> int:
    """Print the table."""
    images, tracing = arguments.images, arguments.tracing == "Active"
    if arguments.sources:
        if arguments.json:
            print(json.dumps([dict(zip(SOURCE, row, strict=True)) for row in sources()], indent=2))
            return 0
        print(f"for a photo; what is fixed, for a month\n({prices.NOTED})\n")
        for line, billed, price, page in sources():
            print(textwrap.fill(f"{line}: {billed}", LINE, subsequent_indent="  "))
            print(f"    {price}\n    {page}")
        return 0
    bills, fixed = all_bills(images, tracing), fixed_bills()
    endpoint, serverless = endpoint_month(), serverless_bill()
    if arguments.json:
        found = {
            "per": 1_000_000,
            "images": images,
            "bills": bills,
            "month": fixed,
            "endpoint": {"real-time, a month": endpoint, "serverless": serverless},
        }
        print(json.dumps(found, indent=2))
        return 0
    print(f"US dollars for a month of {images:,} photos, all kept to its end\n({prices.NOTED})\n")
    header, *parts = rows(bills)
    print(as_text(header, month_rows(bills, images)))
    print("\ngrows with the photos: a million of them\n")
    print(as_text(header, parts))
    print("\nfixed: a month, with any number of photos\n")
    print(as_text(header, fixed_rows()))
    source = measured()
    print(f"\nmeasured {source['measured']} on the embedded AWS with a {source['photo']}")
    return 0


def as_text(header: list[str], cells: list[list[str]]) -> str:
    """Return a table of bills under their names, on two lines so that it fits 80 columns."""
    names = [name.removeprefix("the ").replace(" ", "\n") for name in header]
    return table(names, cells, right=names[1:], flexible=names[:1])


def rows(bills: dict[str, Bill]) -> list[list[str]]:
    """Return the table of what grows, for a million photos, as text; first row the header."""
    parts = list(bills[f"{VARIANTS[0][0]} {VARIANTS[0][1]}"])
    sums = {name: sum(found.values()) for name, found in bills.items()}
    lines = [["", *bills]]
    for part in parts:
        cells = [f"{found[part]:,.2f}" if part in found else "-" for found in bills.values()]
        lines.append([part, *cells])
    lines.append(["without endpoint", *(f"{dollars:,.2f}" for dollars in sums.values())])
    for name, extra in (
        ("S3's requests left out", {name: -found.get(PUT_GET, 0) for name, found in bills.items()}),
        ("with endpoint, serverless", dict.fromkeys(bills, serverless_bill())),
    ):
        cells = [f"{dollars + extra[variant]:,.2f}" for variant, dollars in sums.items()]
        lines.append([name, *cells])
    lines.append(
        ["pictures, each month they are kept", *([f"{kept() * prices.MILLION:,.2f}"] * len(sums))]
    )
    return lines


def fixed_rows() -> list[list[str]]:
    """Return the table of what is billed in a month with any number of photos, as text."""
    variants = len(VARIANTS)
    lines = [
        [part, "-", *[f"{dollars:,.2f}"] * variants] for part, dollars in fixed_bills().items()
    ]
    lines.append(["together", "-", *[f"{sum(fixed_bills().values()):,.2f}"] * variants])
    lines.append(["endpoint, real-time", *[f"{endpoint_month():,.2f}"] * (variants + 1)])
    return lines


def month_rows(bills: dict[str, Bill], images: int) -> list[list[str]]:
    """Return the bill of a month with so many photos, all kept to its end, by kind of endpoint."""
    millions = images / prices.MILLION
    watching = sum(fixed_bills().values())
    months = [
        (sum(found.values()) + kept() * prices.MILLION) * millions
        + (0 if name == USUAL else watching)
        for name, found in bills.items()
    ]
    endpoints = {
        "endpoint real-time": endpoint_month(),
        "endpoint serverless": serverless_bill() * millions,
    }
    return [
        [name, *(f"{dollars + extra:,.2f}" for dollars in months)]
        for name, extra in endpoints.items()
    ]


def sources() -> list[list[str]]:
    """Return for each line of the bill what is billed, the list price, and the page that has it."""
    figures = measured()
    times = ", ".join(f"{step} {took} ms" for step, took in figures["milliseconds"].items())
    units = math.ceil(figures["item_bytes"] / 1024)
    watched = figures["watched"]
    gb_s = " and ".join(f"${price:.10f} ({on})" for on, price in prices.LAMBDA_GB_S.items())
    return [
        [
            "steps, STANDARD",
            f"{figures['states']} transitions",
            a_million(prices.STANDARD_TRANSITION),
            prices.STEP_FUNCTIONS,
        ],
        [
            "steps, EXPRESS",
            f"a request; {prices.EXPRESS_GB * 1024:.0f} MB for its duration, rounded up to 100 ms",
            f"{a_million(prices.EXPRESS_REQUEST)}; ${prices.EXPRESS_GB_S:.8f} a GB-second",
            prices.STEP_FUNCTIONS,
        ],
        [
            "functions, requests",
            f"{len(figures['milliseconds'])} calls",
            a_million(prices.LAMBDA_REQUEST),
            prices.LAMBDA,
        ],
        [
            "functions, duration",
            f"memory times duration; on a whole processor {times}",
            f"{gb_s} a GB-second",
            prices.LAMBDA,
        ],
        [
            PUT_GET,
            "the upload, and one read by serialize",
            f"{a_million(prices.S3_PUT)}; {a_million(prices.S3_GET)}",
            prices.S3,
        ],
        [
            "ledger: item, indexes",
            f"{figures['item_bytes']:,} bytes: {units} write units in the table, {units} in the"
            " index of outcomes, 1 in that of audits",
            a_million(prices.DYNAMODB_WRITE),
            prices.DYNAMODB,
        ],
        [
            "announcement: stream",
            "a read, which may be free",
            a_million(prices.DYNAMODB_STREAM_READ),
            prices.DYNAMODB,
        ],
        [
            "announcement: pipe, bus",
            "a request; an event",
            f"{a_million(prices.PIPE_REQUEST)}; {a_million(prices.CUSTOM_EVENT)}",
            prices.EVENTBRIDGE,
        ],
        [
            "logs",
            f"{figures['log_bytes']:,} bytes, the audit log among them",
            f"${prices.LOG_GB:.2f} a GB",
            prices.CLOUDWATCH,
        ],
        [
            "traces, if Tracing is Active",
            "the first execution of each second, and 5 % of the others",
            a_million(prices.TRACE),
            prices.XRAY,
        ],
        [
            "pictures",
            f"{figures['photo_bytes']:,} bytes",
            f"${prices.S3_GB_MONTH} a GB and month",
            prices.S3,
        ],
        [
            "alarms",
            f"{watched['alarm_metrics']} metrics that alarms list",
            f"${prices.ALARM_METRIC_MONTH:.2f} each",
            prices.CLOUDWATCH,
        ],
        [
            "metrics",
            f"{watched['custom_metrics']} of the audit log",
            f"${prices.CUSTOM_METRIC_MONTH:.2f} each",
            prices.CLOUDWATCH,
        ],
        [
            "dashboard",
            str(watched["dashboards"]),
            f"${prices.DASHBOARD_MONTH:.2f} each",
            prices.CLOUDWATCH,
        ],
        [
            "endpoint, real-time",
            "one ml.c5.large, used or not",
            f"about ${prices.ENDPOINT_HOUR} an hour",
            prices.SAGEMAKER,
        ],
        [
            "endpoint, serverless",
            f"{prices.SERVERLESS_GB} GB for as long as classify takes; {DOCUMENT_GB * 1e6:.1f} KB",
            f"about ${prices.SERVERLESS_GB_S:.5f} a GB-second; ${prices.SERVERLESS_DATA_GB} a GB",
            prices.SAGEMAKER,
        ],
    ]


def a_million(price: float) -> str:
    """Return the price of one as that of a million, in words."""
    return f"${price * prices.MILLION:,.3f}".removesuffix("0") + " a million"
