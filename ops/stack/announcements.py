"""Announce again what the pipe or a rule could not announce.

A consumer deduplicates by upload and revision, so announcing twice does no harm.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import islice
from time import sleep
from typing import Any

from cli.errors import CommandError
from ops.stack.ledger import OUTCOMES, TYPES, Decision, Ledger, absent, moment
from ops.stack.outputs import Stack

SOURCE, DETAIL_TYPE, VERSION = "scones-unlimited", "Outcome recorded", "2"
BATCH_SIZE = 10  # the most that PutEvents takes
# An item is in the stream within seconds of its recorded_at, retries of the write included.
MARGIN = timedelta(minutes=1)
# A read of a stream may be empty although there is more: it can take several calls.
EMPTY_READS, EMPTY_READ_S = 50, 0.1
ATTRIBUTES = [field for field in fields(Decision) if field.name not in ("event", "history")]  # long


def announcement(image: Mapping[str, Mapping[str, str]]) -> str:
    """Return the detail that the template's pipe makes of an item in DynamoDB's typed JSON."""
    empty = {field.name: {TYPES[field.type]: str(absent(field))} for field in ATTRIBUTES}
    values = {name: next(iter(image.get(name, value).values())) for name, value in empty.items()}
    return json.dumps({"version": VERSION, **values}, ensure_ascii=False)


def recorded(stack: Stack, since: str, until: str = "9") -> Iterator[str]:
    """Yield the announcement of each item recorded between two bounds, as moment() gives them."""
    ledger = Ledger(stack)
    for outcome in OUTCOMES:
        yield from map(announcement, ledger.items(outcome, since=since, until=until))


def upload_in(body: str) -> str | None:
    """Return the upload of an announcement that a rule could not deliver; None if it is none."""
    try:
        message = json.loads(body)
        return str(message["detail"]["upload"]) if message["detail-type"] == DETAIL_TYPE else None
    except (ValueError, KeyError, TypeError):
        return None


def details_in(stack: Stack, body: str) -> Iterator[str] | None:
    """Return the announcements that a dead letter stands for; None if it is of another form."""
    try:
        message = json.loads(body)
        if message.get("detail-type") == DETAIL_TYPE:  # a rule could not reach its target
            return iter([json.dumps(message["detail"], ensure_ascii=False)])
        batch = message["DDBStreamBatchInfo"]  # the pipe could not reach the bus
        batch["streamArn"], batch["startSequenceNumber"], batch["endSequenceNumber"]
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return _of_batch(stack, batch)


def _of_batch(stack: Stack, batch: dict[str, Any]) -> Iterator[str]:
    """Yield what a pointer into the stream stands for, while the stream remembers: 24 hours.

    Where it does not give all of it, also what the ledger holds of that time, in which the last
    change of each upload is.
    """
    end = int(batch["endSequenceNumber"])
    for record in _records(stack, batch):
        number = int(record["dynamodb"]["SequenceNumber"])
        image = record["dynamodb"].get("NewImage", {})
        if number <= end and "outcome" in image:  # no deletion, and not what forget leaves
            yield announcement(image)
        if number >= end:
            return
    try:
        first = datetime.fromisoformat(batch["approximateArrivalOfFirstRecord"])
        last = datetime.fromisoformat(batch["approximateArrivalOfLastRecord"])
    except KeyError:
        raise CommandError("the stream has forgotten a dead letter that names no time") from None
    yield from recorded(stack, moment(first - MARGIN), moment(last + MARGIN))


def _records(stack: Stack, batch: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the stream's records from a dead letter's first on; none if that is gone."""
    client = stack.client("dynamodbstreams")
    try:
        shards = _shards(client, batch["streamArn"])
        shard = batch.get("shardId") or (shards[0] if shards else None)
        if shard not in shards:
            return
        iterator = client.get_shard_iterator(
            StreamArn=batch["streamArn"],
            ShardId=shard,
            ShardIteratorType="AT_SEQUENCE_NUMBER",
            SequenceNumber=batch["startSequenceNumber"],
        )["ShardIterator"]
        empty = 0
        while iterator and empty < EMPTY_READS:
            answer = client.get_records(ShardIterator=iterator)
            iterator = answer.get("NextShardIterator")
            yield from answer["Records"]
            if not answer["Records"]:
                empty += 1
                sleep(EMPTY_READ_S)
    except (
        client.exceptions.TrimmedDataAccessException,
        client.exceptions.ExpiredIteratorException,
        client.exceptions.ResourceNotFoundException,
    ):
        return


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
    """Put announcements on the bus; return how many. Raises CommandError if one is refused."""
    client, bus, count = stack.client("events"), stack.outputs["DecisionsBus"], 0
    remaining = iter(details)
    while batch := list(islice(remaining, BATCH_SIZE)):
        answer = client.put_events(
            Entries=[
                {"Source": SOURCE, "DetailType": DETAIL_TYPE, "Detail": detail, "EventBusName": bus}
                for detail in batch
            ]
        )
        refused = [entry for entry in answer["Entries"] if "ErrorCode" in entry]
        if refused:
            raise CommandError(
                f"PutEvents was refused: {refused[0]['ErrorCode']}; {count:,} were announced before"
            )
        count += len(batch)
    return count
