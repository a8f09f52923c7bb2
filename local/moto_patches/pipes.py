"""Patch: moto knows the Pipes API but moves nothing; here a table's stream reaches the event bus.

Records move in the order of the stream, at least once, in batches; the filter and the input
template are applied. A batch that fails is tried again, and at last a pointer to its records lands
in the dead-letter queue, as on AWS.
"""

import contextlib
import json
import logging
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import dynamodb_backends
from moto.dynamodb.models.table import StreamShard
from moto.events.models import EventPattern, events_backends
from moto.pipes.models import Pipe as MotoPipe
from moto.sqs.models import sqs_backends

from local.moto_patches import metrics, permissions
from local.moto_patches.stack_resources import Pipe

Json = dict[str, Any]
logger = logging.getLogger(__name__)

RETRY_WAITS_S = (0.05, 0.2, 1.0, 3.0)  # AWS goes on until MaximumRecordAgeInSeconds
POLL_S = 1.0  # for a pipe or table that is new; records wake the mover at once

PLACEHOLDER = re.compile(r"<(\$(?:\.[\w-]+|\[\d+\])*|aws\.pipes\.[\w.-]+)>")


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Move the records of every pipe, until the context ends."""
    woken, closed = threading.Event(), threading.Event()
    add = StreamShard.add

    def added(shard: StreamShard, old: Any, new: Any) -> None:
        add(shard, old, new)
        woken.set()

    def move() -> None:
        positions: dict[tuple[str, str], int] = {}
        while not closed.is_set():
            woken.wait(POLL_S)
            woken.clear()
            for pipe in [pipe for pipe in Pipe.made if pipe.running]:
                try:
                    _move(pipe, positions)
                except Exception:
                    logger.exception("pipe %s could not move its records", pipe.name)

    mover = threading.Thread(target=move, name="pipes", daemon=True)
    # moto starts a pipe that was stopped when it is looked at.
    stays = property(lambda pipe: pipe.desired_state)
    with (
        patch.object(StreamShard, "add", added),
        patch.object(MotoPipe, "current_state", stays),
    ):
        mover.start()
        try:
            yield
        finally:
            closed.set()
            woken.set()
            mover.join()


def _move(pipe: Pipe, positions: dict[tuple[str, str], int]) -> None:
    """Move what is new in a pipe's stream; positions: the records read, by pipe and stream."""
    source = pipe.properties["Source"]
    table_name = source.split("/")[1]
    table = dynamodb_backends[pipe.account][pipe.region].tables.get(table_name)
    if table is None or table.stream_shard is None:
        return
    parameters = pipe.properties["SourceParameters"]["DynamoDBStreamParameters"]
    size = int(parameters.get("BatchSize", 1))
    place = (pipe.name, source)
    permissions.demand(pipe.properties["RoleArn"], "dynamodb:GetRecords", source)
    while batch := table.stream_shard.items[positions.get(place, 0) :][:size]:
        _send_with_retries(pipe, [item.to_json() for item in batch], parameters)
        positions[place] = positions.get(place, 0) + len(batch)


def _send_with_retries(pipe: Pipe, records: list[Json], parameters: Json) -> None:
    reason = ""
    tries = 1 + min(len(RETRY_WAITS_S), int(parameters.get("MaximumRetryAttempts", 100)))
    for attempt in range(tries):
        try:
            send(pipe, records)
            return
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if attempt < tries - 1:
            threading.Event().wait(RETRY_WAITS_S[attempt])
    if len(records) > 1 and parameters.get("OnPartialBatchItemFailure") == "AUTOMATIC_BISECT":
        middle = len(records) // 2
        _send_with_retries(pipe, records[:middle], parameters)
        _send_with_retries(pipe, records[middle:], parameters)
        return
    logger.warning("pipe %s gives up on %d records: %s", pipe.name, len(records), reason)
    _send_to_dead_letters(pipe, records, parameters, reason)


def send(pipe: Pipe, records: list[Json]) -> None:
    """Put what passes the filter on the bus, as the input template shapes it."""
    target = pipe.properties["TargetParameters"]
    bus = target["EventBridgeEventBusParameters"]
    entries = [
        {
            "Source": bus["Source"],
            "DetailType": bus["DetailType"],
            "Detail": transformed(target["InputTemplate"], record),
            "EventBusName": pipe.properties["Target"].rsplit("/", 1)[-1],
        }
        for record in records
        if passes(pipe.properties["SourceParameters"].get("FilterCriteria", {}), record)
    ]
    if not entries:
        return
    count = {"PipeName": pipe.name}
    metrics.record(pipe.region, "AWS/EventBridge/Pipes", "EventCount", count, len(entries))
    permissions.demand(pipe.properties["RoleArn"], "events:PutEvents", pipe.properties["Target"])
    for entry in entries:
        json.loads(entry["Detail"])  # an invalid event fails the batch
    answers = events_backends[pipe.account][pipe.region].put_events(entries)
    if failed := [answer for answer in answers if "ErrorCode" in answer]:
        raise RuntimeError(f"{len(failed)} of {len(entries)} events were refused: {failed[0]}")


def passes(criteria: Json, record: Json) -> bool:
    """Return whether a record passes one of a pipe's filters; no filter passes everything."""
    filters = criteria.get("Filters", [])
    plain = json.loads(json.dumps(record, default=str))
    return not filters or any(
        EventPattern.load(filter_["Pattern"]).matches_event(plain) for filter_ in filters
    )


def transformed(template: str, record: Json) -> str:
    """Return an input template with its placeholders replaced by the record's values.

    A placeholder within quotes becomes bare text, any other the JSON of its value.
    """

    def value(match: re.Match[str]) -> str:
        found = _found(match[1], record)
        quoted = template.count('"', 0, match.start()) % 2 == 1
        return str(found) if quoted else json.dumps(found, ensure_ascii=False, default=str)

    return PLACEHOLDER.sub(value, template)


def _found(path: str, record: Json) -> Any:
    if path == "aws.pipes.event.ingestion-time":
        return datetime.now(UTC).isoformat()
    if path.startswith("aws."):
        raise ValueError(f"the embedded pipe does not know <{path}>")
    found: Any = record
    for name, index in re.findall(r"\.([\w-]+)|\[(\d+)\]", path):
        found = found[name] if name else found[int(index)]
    return found


def _send_to_dead_letters(pipe: Pipe, records: list[Json], parameters: Json, reason: str) -> None:
    arn = parameters.get("DeadLetterConfig", {}).get("Arn")
    if arn is None:
        return
    numbers = [record["dynamodb"]["SequenceNumber"] for record in records]
    message = {
        "context": {"partnerResourceArn": pipe.get_cfn_attribute("Arn"), "condition": reason},
        "version": "1.0",
        "timestamp": datetime.now(UTC).isoformat(),
        "DDBStreamBatchInfo": {
            "streamArn": pipe.properties["Source"],
            "startSequenceNumber": numbers[0],
            "endSequenceNumber": numbers[-1],
            "batchSize": len(records),
        },
    }
    try:
        permissions.demand(pipe.properties["RoleArn"], "sqs:SendMessage", arn)
    except PermissionError as error:
        logger.warning("pipe %s lost %d records: %s", pipe.name, len(records), error)
        return
    queues = sqs_backends[pipe.account][pipe.region]
    queues.send_message(queue_name=arn.rsplit(":", 1)[-1], message_body=json.dumps(message))
