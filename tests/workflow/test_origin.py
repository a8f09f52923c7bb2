"""The ledger and its announcements tell an upload from a backfill."""

import json
import uuid
from pathlib import Path

from local.follow import Followed
from tests.support.cloud import Stack
from tests.support.workflow import announced, changed, decided, item_of, start_again

RUN = "arn:aws:states:us-east-1:123456789012:execution:backfill:run"


def backfilled(stack: Stack, item: dict[str, str]) -> dict[str, str]:
    """Start the workflow as a backfill does, for another etag of an upload; return the new item."""
    event = json.loads(item["event"])
    event["resources"].append(RUN)
    event["detail"]["object"]["etag"] = etag = uuid.uuid4().hex
    start_again(stack, {"event": json.dumps(event)})
    return item_of(stack, Followed("", f"{item['upload'].rpartition('#')[0]}#{etag}"))


def test_a_decision_tells_an_upload_from_a_backfill(stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "bicycle.png").read_bytes())
    other = backfilled(stack, item)
    assert (item["outcome"], item["origin"]) == ("accepted", "upload")
    assert (other["outcome"], other["origin"]) == ("superseded", "backfill")
    for upload in (item, other):
        [detail] = announced(stack, upload["upload"], 1)
        assert detail["origin"] == upload["origin"]


def test_a_failure_has_its_origin_and_the_decision_that_replaces_it_its_own(
    stack: Stack, images: Path
) -> None:
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    failed = decided(stack, (images / "bicycle.png").read_bytes())
    assert (failed["outcome"], failed["origin"]) == ("failed", "upload")
    event = json.loads(failed["event"])
    event["resources"].append(RUN)
    start_again(stack, {"event": json.dumps(event)})
    decision = changed(stack, failed["upload"], "failed")
    assert (decision["outcome"], decision["origin"]) == ("accepted", "backfill")
