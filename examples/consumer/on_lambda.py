"""A consumer on Lambda: consumer-on-lambda.yaml deploys it."""

import functools
import json
import os
from typing import Any

import boto3

from announcement import parse
from routes import follow


@functools.cache
def table() -> Any:
    """Return the table of what was acted on, with one client for all invocations."""
    return boto3.resource("dynamodb").Table(os.environ["ROUTES_TABLE"])


def act(what: str, label: str, id_: str) -> None:
    """Route a driver, or take that back; here a line in the log stands for it."""
    print(json.dumps({"do": what, "label": label, "id": id_}))


def lambda_handler(event: dict[str, Any], _context: object) -> None:
    """Act on one event of the bus; an error lets Lambda call again twice, then keep the event."""
    follow(table(), parse(event["detail"]), act)
