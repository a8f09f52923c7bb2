"""The console over 10,000 uploads: time to the first picture, and memory after an hour of polling.

    python -m benchmarks.console
    python -m benchmarks.console --uploads 1000

The ledger of an embedded AWS is filled by BatchWriteItem, except for the newest uploads, whose
pictures the first page shows. The console is a process of its own, asked as its scripts ask it:
what a browser needs to draw is not in the figures. The floor is a bare Query for as many items as a
page shows and a bare GetObject. An hour of polling is what an open page asks in an hour.
"""

import argparse
import html
import logging
import re
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote
from urllib.request import ProxyHandler, Request, build_opener

from benchmarks.table import Row, print_rows, row
from local.cloud import embedded_aws
from local.console import console
from local.follow import Follower
from ops.stack.ledger import INDEX, moment

IMAGES = Path(__file__).parents[1] / "events" / "images"
STACK = "scones-unlimited"
UPLOADS = 10_000
A_PAGE = 24  # uploads
RUNS = 10
WARM_UP = 5  # questions
AN_HOUR = 60  # questions of a page that asks every minute
BATCH = 25  # the most that BatchWriteItem takes
WORKERS = 2


class Asked:
    """A console, asked as its pages ask it."""

    def __init__(self, address: str) -> None:
        self._address, _, self._token = address.partition("#")
        self._open = build_opener(ProxyHandler({})).open

    def __call__(self, path: str) -> bytes:
        request = Request(f"{self._address}{path}", headers={"X-Console-Token": self._token})
        with self._open(request, timeout=120) as answer:
            found: bytes = answer.read()
        return found


def filled(dynamodb: Any, table: str, like: dict[str, Any], uploads: int) -> None:
    """Put so many items like one that is there, recorded a minute apart, up to an hour ago."""
    latest = datetime.now(UTC) - timedelta(hours=1)

    def requests(first: int) -> Iterator[dict[str, Any]]:
        for number in range(first, min(first + BATCH, uploads)):
            key = f"uploads/filled/{number:06}.png"
            item = like | {
                "upload": {"S": f"{like['s3_bucket']['S']}/{key}#{like['etag']['S']}"},
                "s3_key": {"S": key},
                "recorded_at": {"S": moment(latest - timedelta(minutes=number))},
            }
            yield {"PutRequest": {"Item": item}}

    def put(first: int) -> None:
        dynamodb.batch_write_item(RequestItems={table: list(requests(first))})

    with ThreadPoolExecutor(WORKERS) as pool:
        list(pool.map(put, range(0, uploads, BATCH)))


def milliseconds(work: Callable[[], object]) -> float:
    """Return how long a call takes."""
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1e3


def resident(process: int) -> float:
    """Return the memory that a process holds now, in MB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    [found] = [line for line in lines if line.startswith("VmRSS")]
    return int(found.split()[1]) / 1024


def rows(uploads: int = UPLOADS) -> list[Row]:
    """Measure times over so many uploads, then memory before and after an hour of polling."""
    for chatty in ("werkzeug", "moto"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    with embedded_aws() as aws:
        outputs = aws.deploy(STACK)
        follower = Follower(aws, outputs)
        dynamodb, s3 = aws.client("dynamodb"), aws.client("s3")
        bucket, table = outputs["UploadBucket"], outputs["DecisionsTable"]
        picture = (IMAGES / "bicycle.png").read_bytes()
        first = follower.upload(picture, "first.png")
        like = follower.outcome(first.upload)
        assert like is not None
        resources = aws.client("cloudformation").describe_stack_resources(StackName=STACK)
        [pipe] = [
            resource["PhysicalResourceId"]
            for resource in resources["StackResources"]
            if resource["ResourceType"] == "AWS::Pipes::Pipe"
        ]
        aws.client("pipes").stop_pipe(Name=pipe)  # it would announce every item
        filled(dynamodb, table, like, uploads - A_PAGE - 1)
        newest = [follower.upload(picture, f"newest-{number}.png") for number in range(A_PAGE)]
        for upload in newest:
            assert follower.outcome(upload.upload) is not None

        def query() -> None:
            dynamodb.query(
                TableName=table,
                IndexName=INDEX,
                KeyConditionExpression="outcome = :outcome",
                ExpressionAttributeValues={":outcome": like["outcome"]},
                ScanIndexForward=False,
                Limit=A_PAGE + 1,
            )

        def get() -> None:
            s3.get_object(Bucket=bucket, Key=like["s3_key"]["S"])["Body"].read()

        with console(aws.environment(), STACK) as served:
            ask = Asked(served.address)

            def first_picture(number: int) -> None:
                page = ask("pages/uploads").decode()
                shown = re.findall(r'data-picture="([^"]+)"', page)  # each is small but once
                assert len(shown) == A_PAGE
                assert ask(f"api/picture?upload={quote(html.unescape(shown[number]))}&small")

            ask("pages/uploads")  # the first of a run imports and connects
            queries = statistics.median(milliseconds(query) for _ in range(RUNS))
            gets = statistics.median(milliseconds(get) for _ in range(RUNS))
            pages = statistics.median(
                milliseconds(partial(ask, "pages/uploads")) for _ in range(RUNS)
            )
            pictures = statistics.median(
                milliseconds(partial(first_picture, number)) for number in range(RUNS)
            )
            found = [
                row(
                    f"first picture of Uploads, of {uploads:,}",
                    pictures,
                    "ms",
                    queries + gets,
                    note=f"a Query of {A_PAGE + 1} items, a GetObject",
                ),
                row("the page Uploads alone", pages, "ms", queries, note="the Query"),
            ]
            for path, name in (
                ("pages/today", "Today"),
                ("api/queue?name=doubtful", "Review"),
            ):
                for _ in range(WARM_UP):
                    ask(path)
                before = resident(served.process)
                for _ in range(AN_HOUR):
                    ask(path)
                found.append(
                    row(
                        f"memory after an hour of {name}",
                        resident(served.process),
                        "MB",
                        before,
                        aim="<= 1.05x",
                        note=f"the same before these {AN_HOUR} questions",
                    )
                )
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uploads", type=int, default=UPLOADS, help="default: %(default)s")
    print_rows((__doc__ or "").splitlines()[0], rows(parser.parse_args().uploads))
