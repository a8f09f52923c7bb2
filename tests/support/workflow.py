"""Uploads through the workflow, and what became of them."""

import json
import time
import uuid
from typing import Any

import jsonschema

from local.follow import Followed
from tests.support.cloud import Stack
from tests.support.project import ROOT

ANNOUNCEMENT_SCHEMA = json.loads((ROOT / "events" / "schema" / "announcement.json").read_text())


def decided(stack: Stack, data: bytes, name: str = "") -> dict[str, str]:
    """Upload a picture and return its item, values as they are stored."""
    followed = stack.follower.upload(data, name or f"{uuid.uuid4()}.png")
    return item_of(stack, followed)


def item_of(stack: Stack, followed: Followed) -> dict[str, str]:
    item = stack.follower.outcome(followed.upload, patience_s=60)
    assert item is not None, f"{followed.upload} has no outcome"
    return {name: next(iter(value.values())) for name, value in item.items()}


def changed(stack: Stack, upload: str, outcome: str) -> dict[str, str]:
    """Return an upload's item once its outcome is another."""
    deadline = time.monotonic() + 30
    while True:
        item = item_of(stack, Followed("", upload))
        if item["outcome"] != outcome or time.monotonic() > deadline:
            return item
        time.sleep(0.05)


def start_again(stack: Stack, item: dict[str, str]) -> str:
    """Deliver an upload's event once more; return the execution's ARN."""
    arn: str = stack.aws.client("stepfunctions").start_execution(
        stateMachineArn=stack.outputs["StateMachineArn"], input=item["event"]
    )["executionArn"]
    return arn


def announced(stack: Stack, upload: str, count: int) -> list[dict[str, Any]]:
    """Return the announcements of an upload, once there are as many as expected.

    Each keeps to the schema that consumers are promised.
    """
    logs = stack.aws.client("logs")
    deadline = time.monotonic() + 10
    while True:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=stack.outputs["AuditLogGroup"]
        )
        events = [json.loads(event["message"]) for page in pages for event in page["events"]]
        details = [event["detail"] for event in events if event["detail"]["upload"] == upload]
        if len(details) >= count or time.monotonic() > deadline:
            for detail in details:
                jsonschema.validate(detail, ANNOUNCEMENT_SCHEMA)
            return details
        time.sleep(0.05)
