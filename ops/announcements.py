"""Announce again what the pipe or a rule could not: the change's own id tells it is the same.

A consumer deduplicates by upload and revision, so announcing twice does no harm.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from ops.errors import OpsError
from ops.ledger import OUTCOMES, Ledger, moment
from ops.stack import Stack

SOURCE, DETAIL_TYPE = "scones-unlimited", "Outcome recorded"
AT_ONCE = 10  # the most that PutEvents takes
# An item is in the stream within seconds of its recorded_at, retries of the write included.
MARGIN = timedelta(minutes=1)
NUMBERS = ("revision", "confidence", "threshold")
FIELDS = (
    *("upload", "revision", "s3_bucket", "s3_key", "etag", "outcome", "label", "confidence"),
    *("inferences", "model", "threshold", "reason", "detail", "execution", "uploaded_at"),
    *("recorded_at", "reviewer", "previous_label"),
)


def announcement(image: Mapping[str, Mapping[str, str]]) -> str:
    """Return the detail that the template's pipe makes of an item in DynamoDB's typed JSON."""
    values = {name: image[name]["N" if name in NUMBERS else "S"] for name in FIELDS}
    return json.dumps({"version": "1", **values}, ensure_ascii=False)


def details_in(stack: Stack, body: str) -> Iterator[str] | None:
    """Return the announcements that a dead letter stands for; None if it is no such letter."""
    try:
        letter = json.loads(body)
        if letter.get("detail-type") == DETAIL_TYPE:  # a rule could not reach its target
            return iter([json.dumps(letter["detail"], ensure_ascii=False)])
        batch = letter["DDBStreamBatchInfo"]  # the pipe could not reach the bus
        batch["streamArn"], batch["startSequenceNumber"], batch["endSequenceNumber"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return _of_batch(stack, batch)


def _of_batch(stack: Stack, batch: dict[str, Any]) -> Iterator[str]:
    """Yield what a pointer into the stream stands for, while the stream remembers: 24 hours.

    After that, what the ledger holds of that time, in which the last change of each upload is.
    """
    records = _records(stack, batch)
    if records is not None:
        for record in records:
            if record["eventName"] in ("INSERT", "MODIFY"):
                yield announcement(record["dynamodb"]["NewImage"])
        return
    try:
        first = datetime.fromisoformat(batch["approximateArrivalOfFirstRecord"])
        last = datetime.fromisoformat(batch["approximateArrivalOfLastRecord"])
    except KeyError:
        raise OpsError("the stream has forgotten a dead letter that names no time") from None
    ledger = Ledger(stack)
    for outcome in OUTCOMES:
        yield from (
            announcement(item)
            for item in ledger.items(
                outcome, since=moment(first - MARGIN), until=moment(last + MARGIN)
            )
        )


def _records(stack: Stack, batch: dict[str, Any]) -> list[dict[str, Any]] | None:
    """Return the stream's records that a letter points at; None if the stream forgot them."""
    client = stack.client("dynamodbstreams")
    first, last = int(batch["startSequenceNumber"]), int(batch["endSequenceNumber"])
    try:
        shards = _shards(client, batch["streamArn"])
        shard = batch.get("shardId") or (shards[0] if shards else None)
        if shard not in shards:
            return None
        iterator = client.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=shard,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        found: list[dict[str, Any]] = []
        while iterator:
            answer = client.get_records(ShardIterator=iterator)
            iterator = answer.get("NextShardIterator")
            for record in answer["Records"]:
                number = int(record["dynamodb"]["SequenceNumber"])
                if first <= number <= last:
                    found.append(record)
                if number >= last:
                    return found
            if not answer["Records"]:
                return found or None
    except (
        client.exceptions.TrimmedDataAccessException,
        client.exceptions.ResourceNotFoundException,
    ):
        return None
    return found


def _shards(client: Any, arn: str) -> list[str]:
    found: list[str] = []
    more: dict[str, str] = {}
    while True:
        stream = client.describe_stream(StreamArn=arn, **more)["StreamDescription"]
        found += [shard["ShardId"] for shard in stream["Shards"]]
        if not (last := stream.get("LastEvaluatedShardId")):
            return found
        more = {"ExclusiveStartShardId": last}


def announce(stack: Stack, details: Iterable[str]) -> int:
    """Put announcements on the bus; return how many. Raises OpsError if one is refused."""
    client, bus, count = stack.client("events"), stack.outputs["DecisionsBus"], 0
    remaining = iter(details)
    while chunk := list(islice(remaining, AT_ONCE)):
        answer = client.put_events(
            Entries=[
                {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": each, "EventBusName": bus}
                for each in chunk
            ]
        )
        refused = [each for each in answer["Entries"] if "ErrorCode" in each]
        if refused:
            raise OpsError(f"PutEvents was refused: {refused[0]['ErrorCode']}")
        count += len(chunk)
    return count
