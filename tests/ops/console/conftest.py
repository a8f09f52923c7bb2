"""The console of a stack, and a browser that shows it."""

from collections.abc import Iterator
from typing import Any

import pytest

from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack as OpsStack
from tests.support.browser import chromium
from tests.support.cloud import Stack
from tests.support.console import Console, served
from tests.support.ops import Ops


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium("--window-size=1400,900") as found:
        yield found


@pytest.fixture
def server(ops: Ops, standard: Stack) -> Iterator[ConsoleServer]:
    del ops, standard
    reviews = Reviews(OpsStack("test-standard"), "ann", ["bicycle", "motorcycle"])
    with served(reviews) as found:
        yield found


@pytest.fixture
def console(browser: Any, server: ConsoleServer) -> Iterator[Console]:
    """Open the console, and hold it to complain of nothing."""
    browser.get_log("browser")
    yield Console(browser, server)
    browser.get("about:blank")
    assert [entry["message"] for entry in browser.get_log("browser")] == []
