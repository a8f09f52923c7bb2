"""What the pipe of a table's stream moves."""

import json
import uuid
from pathlib import Path
from typing import Any

from tests.support.cloud import Stack
from tests.support.waiting import until


def announced(stack: Stack, upload: str) -> list[Any]:
    pages = stack.aws.client("logs").get_paginator("filter_log_events")
    events = [
        json.loads(event["message"])["detail"]
        for page in pages.paginate(logGroupName=stack.outputs["AuditLogGroup"])
        for event in page["events"]
    ]
    return [event for event in events if event["upload"] == upload]


def test_every_change_of_an_item_is_announced_once_and_in_order(
    standard: Stack, images: Path
) -> None:
    dynamodb, table = standard.aws.client("dynamodb"), standard.outputs["DecisionsTable"]
    data = (images / "bicycle.png").read_bytes()
    upload = standard.follower.upload(data, f"{uuid.uuid4()}.png").upload
    assert standard.follower.outcome(upload)
    for revision in range(2, 6):
        dynamodb.update_item(
            TableName=table,
            Key={"upload": {"S": upload}},
            UpdateExpression="SET revision = :revision",
            ExpressionAttributeValues={":revision": {"N": str(revision)}},
        )
    until(lambda: len(announced(standard, upload)) >= 5)
    revisions = [event["revision"] for event in announced(standard, upload)]
    assert revisions == ["1", "2", "3", "4", "5"]
