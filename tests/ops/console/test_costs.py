"""docs/cost.md says what an open page asks of AWS in an hour, and what that costs."""

import re
from collections import Counter
from typing import Any

import pytest

from ops import bills, prices
from ops.console.app import application
from ops.console.server import ConsoleServer
from tests.support.cloud import Stack
from tests.support.console import Console
from tests.support.project import ROOT

PAGE = (ROOT / "docs" / "cost.md").read_text()
ROWS = [  # by page: what it asks its server, and how often in an hour
    ("Today", "/pages/today", 60),
    ("Review, nothing waits", "/api/counts", 360),
    ("Review, pictures wait", "/api/counts", 60),
]
# Of one call that finds little. A query reads 4 KB at least, and for half, as it may lag.
READ_4_KB = prices.DYNAMODB_READ / 2
PRICES = {
    "Query": READ_4_KB,
    "GetQueueAttributes": 0.40 / prices.MILLION,  # https://aws.amazon.com/sqs/pricing/
    "DescribeAlarms": 0.01 / 1000,  # https://aws.amazon.com/cloudwatch/pricing/
    "DescribeEndpoint": 0.0,
    "DescribePipe": 0.0,
}


@pytest.mark.parametrize(("name", "path", "looks"), ROWS, ids=[name for name, _, _ in ROWS])
def test_what_an_open_page_asks_is_what_the_document_says(
    server: ConsoleServer, standard: Stack, name: str, path: str, looks: int
) -> None:
    del standard
    called: Counter[str] = Counter()

    def count(model: Any, **_: Any) -> None:
        called[model.name] += 1

    ask = application(server.console).test_client()
    headers = {"Host": sorted(server.console.hosts)[0], "X-Console-Token": server.token}
    assert ask.get(path, headers=headers).status_code == 200  # the outputs are asked for once
    for service in ("dynamodb", "sqs", "cloudwatch", "pipes", "sagemaker"):
        server.console.stack.client(service).meta.events.register("before-call", count)
    assert ask.get(path, headers=headers).status_code == 200
    calls = ", ".join(f"{times} {call}" for call, times in sorted(called.items()))
    dollars = looks * sum(times * PRICES[call] for call, times in called.items())
    assert f"| {name} | {looks} | {calls} | {dollars:.5f} |" in PAGE


def test_pages_look_as_often_as_the_document_says(console: Console) -> None:
    console.open("")
    every = console.all("[data-every]")[0].get_attribute("data-every")
    script = (ROOT / "ops" / "console" / "static" / "review.js").read_text()
    found = re.search(r"IDLE_S = (\d+), BUSY_S = (\d+);", script)
    assert found is not None
    seconds = [every, *found.groups()]
    assert [3600 // int(pause) for pause in seconds] == [looks for _, _, looks in ROWS]


def test_what_many_items_add_is_what_the_document_says() -> None:
    dollars = 60 * 1000 * bills.measured()["item_bytes"] / 4096 * READ_4_KB
    assert f"Each 1,000 items that a page counts add ${dollars:.4f} an hour" in " ".join(
        PAGE.split()
    )
