"""The ledger: what became of each upload. Read by key and by its index; never scanned."""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from time import sleep
from typing import Any, TypedDict

from cli.errors import CommandError
from ops.stack.outputs import Stack

DECISIONS = ("accepted", "none", "review")  # what the workflow decides
# ... what a person says of it since, and what has none
OUTCOMES = (*DECISIONS, "reviewed", "confirmed", "rejected", "failed", "superseded")
# Reasons that say only that the object was not there when it was read: should it be there again,
# the state machine takes a decision for it.
ABSENT_REASONS = {"superseded", "not_found"}
ABSENT = "absent"
KEY = ("upload", "s3_bucket", "s3_key", "etag")
NOT_DUE, DUE, AGREED, CORRECTED = "not_due", "due", "agreed", "corrected"  # of an audit
INDEX, AUDITS = "outcome-recorded_at", "audit-recorded_at"
UPLOAD, BACKFILL = "upload", "backfill"  # origins: an upload, or an object that was there before
OTHER = "other"  # the label of the contract that is none of the classes
BATCH_SIZE = 100  # the most that BatchGetItem takes
# What forget leaves stays until no delivery of the upload's event can still come: EventBridge tries
# for a day (template.yaml), an execution takes five minutes.
FORGOTTEN_FOR = timedelta(days=2)
BATCH_TRIES = 8  # waits of 0.05 s, doubled: 6 seconds in all
TYPES: dict[Any, str] = {str: "S", float: "N", int: "N"}  # of DynamoDB's typed JSON


class Inference(TypedDict):
    """One guess of the model. confidence: a probability, 0..1."""

    label: str
    confidence: float


@dataclass(frozen=True)
class Decision:
    """An item of the ledger; docs/contracts.md describes each attribute."""

    upload: str
    s3_bucket: str
    s3_key: str
    etag: str
    outcome: str
    label: str
    confidence: float
    inferences: str  # JSON text
    model: str
    threshold: float
    reason: str
    detail: str
    execution: str
    event: str  # JSON text
    uploaded_at: str
    recorded_at: str
    reviewer: str
    previous_label: str
    revision: int
    # Items from before audits and backfills have none of these.
    decision: str = ""
    none_threshold: float = 0.0
    audit: str = NOT_DUE
    audit_share: float = 0.0  # percent
    history: str = "[]"  # JSON text
    origin: str = UPLOAD

    @classmethod
    def of(cls, item: Mapping[str, Mapping[str, str]]) -> "Decision":
        """Return a DynamoDB item, in its typed JSON, as a decision."""
        given = {name: next(iter(value.values())) for name, value in item.items()}
        values = {
            field.name: field.type(given.get(field.name) or absent(field))  # type: ignore[operator]
            for field in fields(cls)
        }
        return cls(**values)

    @property
    def came_at(self) -> str:
        """When it was uploaded; when it was recorded if a backfill has brought it."""
        return (self.origin != BACKFILL and self.uploaded_at) or self.recorded_at

    def as_dict(self) -> dict[str, Any]:
        """Return every attribute, inferences and history parsed, to be written as JSON."""
        return vars(self) | {"inferences": self.guesses(), "history": self.changes()}

    def guesses(self) -> list[Inference]:
        """Return the model's inferences, highest confidence first."""
        found: list[Inference] = json.loads(self.inferences or "[]")
        return found

    def changes(self) -> list[dict[str, str]]:
        """Return what people have changed, first to last; docs/contracts.md has the attributes."""
        found: list[dict[str, str]] = json.loads(self.history)
        return found


def absent(field: Field[Any]) -> Any:
    """Return the value that a field of a decision has where it does not apply."""
    return field.type() if field.default is MISSING else field.default  # type: ignore[operator]


class Changed(Exception):
    """Somebody else has changed the item since it was read. now: what it is, None if deleted."""

    def __init__(self, now: Decision | None) -> None:
        super().__init__(now)
        self.now = now


def sentence(detail: str) -> str:
    """Return what an item's detail says to people; that of a failed step is JSON within JSON."""
    try:
        cause = json.loads(json.loads(detail)["Cause"])
        return f"{cause['errorType']}: {cause['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return detail


def moment(time: datetime) -> str:
    """Return a time as the ledger writes it, without fraction and zone: a bound."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S")


def name_of(bucket: str, key: str, etag: str) -> str:
    """Return the ledger's key of an object: bucket/key#etag, the etag without quotes."""
    return f"{bucket}/{key}#{etag.strip(chr(34))}"


class Ledger:
    """The decisions table of a stack."""

    def __init__(self, stack: Stack) -> None:
        self._dynamodb = stack.client("dynamodb")
        self._table = stack.outputs["DecisionsTable"]

    def get(self, upload: str) -> Decision | None:
        """Return the item of an upload as it is now."""
        answer = self._dynamodb.get_item(
            TableName=self._table, Key={"upload": {"S": upload}}, ConsistentRead=True
        )
        item = answer.get("Item", {})
        return Decision.of(item) if "outcome" in item else None  # without: what forget has left

    def of_outcome(
        self,
        outcome: str,
        *,
        since: str = "",
        until: str = "9",
        newest_first: bool = False,
        at_once: int = 0,
    ) -> Iterator[Decision]:
        """Yield the items of an outcome in the order in which they were recorded.

        since, until: bounds as moment() gives them; until is exclusive, but for a time as
        recorded_at has it. at_once: items that a call reads, 0 for a megabyte.
        """
        options: dict[str, Any] = {"newest_first": newest_first, "at_once": at_once}
        for item in self.items(outcome, since=since, until=until, **options):
            yield Decision.of(item)

    def items(
        self,
        outcome: str,
        *,
        since: str = "",
        until: str = "9",
        newest_first: bool = False,
        at_once: int = 0,
    ) -> Iterator[Mapping[str, Mapping[str, str]]]:
        """Yield the same as of_outcome, in DynamoDB's typed JSON."""
        options: dict[str, Any] = {"ScanIndexForward": not newest_first}
        if at_once:
            options["PaginationConfig"] = {"PageSize": at_once}
        for page in self._pages(outcome, since, until, **options):
            yield from page["Items"]

    def taken_back(self) -> Iterator[Decision]:
        """Yield what waits for a person, or is decided without one, after a label was taken back.

        Reads all that is so in the index, a megabyte a call.
        """
        return self._filtered(DECISIONS, "reviewer <> :value", "")

    def under(self, beginning: str) -> Iterator[Decision]:
        """Yield the items whose s3_key begins so; reads the whole index, a megabyte a call."""
        return self._filtered(OUTCOMES, "begins_with(s3_key, :value)", beginning)

    def _filtered(self, outcomes: Iterable[str], condition: str, value: str) -> Iterator[Decision]:
        for outcome in outcomes:
            pages = self._pages(outcome, "", "9", {":value": value}, FilterExpression=condition)
            for page in pages:
                yield from map(Decision.of, page["Items"])

    def of_run(self, outcome: str, run: str, *, since: str = "", until: str = "9") -> Iterator[str]:
        """Yield the reason of each item that a backfill has brought; "" where it needs none.

        run: the ARN of its execution, which its events name.
        """
        options = {
            "FilterExpression": "origin = :backfill AND contains(event, :run)",
            "ProjectionExpression": "reason",
        }
        values = {":backfill": BACKFILL, ":run": run}
        for page in self._pages(outcome, since, until, values, **options):
            yield from (item["reason"]["S"] for item in page["Items"])

    def count(
        self,
        outcome: str,
        *,
        since: str = "",
        until: str = "9",
        origin: str | None = None,
        decisions: Sequence[str] = (),
    ) -> int:
        """Return how many items an outcome has; reads them all, a megabyte a call.

        origin: of these alone, UPLOAD or BACKFILL. decisions: or else that the workflow decided so.
        """
        values, options = {}, {"Select": "COUNT"}
        if decisions:
            values = {f":{name}": name for name in decisions}
            options["FilterExpression"] = f"decision IN ({', '.join(values)})"
        elif origin:
            values[":backfill"] = BACKFILL
            of_backfill = "origin = :backfill"  # older items have none: uploads
            options["FilterExpression"] = (
                of_backfill if origin == BACKFILL else f"NOT {of_backfill}"
            )
        pages = self._pages(outcome, since, until, values, **options)
        return sum(int(page["Count"]) for page in pages)

    def _pages(
        self,
        outcome: str,
        since: str,
        until: str,
        values: Mapping[str, str] | None = None,
        **options: Any,
    ) -> Iterable[Any]:
        if since > until:  # DynamoDB refuses such bounds
            return ()
        values = {":outcome": outcome, ":since": since or "0", ":until": until, **(values or {})}
        pages: Iterable[Any] = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=INDEX,
            # BETWEEN includes both ends; no time that is recorded equals a bound without a zone.
            KeyConditionExpression="outcome = :outcome AND recorded_at BETWEEN :since AND :until",
            ExpressionAttributeValues={name: {"S": value} for name, value in values.items()},
            **options,
        )
        return pages

    def due_audits(self, *, since: str = "", newest_first: bool = False) -> Iterator[Decision]:
        """Yield the decisions that a person is to audit, in the order they were recorded.

        since: a bound as moment() gives it.
        """
        options = {"PaginationConfig": {"PageSize": BATCH_SIZE}}
        for page in self._due_audits(since, ScanIndexForward=not newest_first, **options):
            names = [item["upload"]["S"] for item in page["Items"]]
            found = {item["upload"]["S"]: Decision.of(item) for item in self._batch(names)}
            # The index lags behind the table.
            yield from (found[n] for n in names if n in found and found[n].audit == DUE)

    def count_due_audits(self) -> int:
        """Return how many decisions a person is to audit."""
        return sum(int(page["Count"]) for page in self._due_audits("", Select="COUNT"))

    def _due_audits(self, since: str, **options: Any) -> Iterable[Any]:
        pages: Iterable[Any] = self._dynamodb.get_paginator("query").paginate(
            TableName=self._table,
            IndexName=AUDITS,
            KeyConditionExpression="audit = :due AND recorded_at >= :since",
            ExpressionAttributeValues={":due": {"S": DUE}, ":since": {"S": since or "0"}},
            **options,
        )
        return pages

    def outcomes(self, uploads: Collection[str]) -> dict[str, str]:
        """Return the outcome of each of at most 100 uploads that the ledger knows.

        ABSENT stands for that of an upload which was gone before it could be read.
        """
        return {
            item["upload"]["S"]: ABSENT
            if item["reason"]["S"] in ABSENT_REASONS
            else item["outcome"]["S"]
            for item in self._batch(uploads, ProjectionExpression="upload, outcome, reason")
        }

    def _batch(self, uploads: Collection[str], **options: str) -> list[Any]:
        """Return the items of at most 100 uploads, without what forget has left."""
        if not uploads:
            return []
        keys = [{"upload": {"S": upload}} for upload in uploads]
        asked: Any = {self._table: {"Keys": keys, "ConsistentRead": True, **options}}
        found: list[Any] = []
        for attempt in range(BATCH_TRIES):
            answer = self._dynamodb.batch_get_item(RequestItems=asked)
            items = answer["Responses"].get(self._table, [])
            found += [item for item in items if "outcome" in item]
            asked = answer.get("UnprocessedKeys")
            if not asked:
                return found
            sleep(0.05 * 2**attempt)
        raise CommandError(f"DynamoDB throttles {self._table}: try again later")

    def change(self, read: Decision, **changes: Any) -> Decision:
        """Write some attributes of an item if it still is as it was read; return the new item.

        The revision grows by one and the change is announced. Raises Changed.
        """
        new = replace(read, **changes, revision=read.revision + 1)
        # All of them: the pipe cannot announce an item that lacks some, as one from before audits.
        names = [field.name for field in fields(new) if field.name not in (*KEY, "event")]
        values = {
            f":{name}": {TYPES[type(getattr(new, name))]: str(getattr(new, name))} for name in names
        }
        values |= {":read": {"N": str(read.revision)}, ":was": {"S": read.outcome}}
        try:
            self._dynamodb.update_item(
                TableName=self._table,
                Key={"upload": {"S": read.upload}},
                UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in names),
                # A failure that gave way to a decision has another outcome.
                ConditionExpression="revision = :read AND #outcome = :was",
                ExpressionAttributeNames={f"#{name}": name for name in names},
                ExpressionAttributeValues=values,
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            raise Changed(self.get(read.upload)) from None
        return new

    def forget(self, upload: str) -> bool:
        """Remove all that an item says, and tell whether it said anything; nothing is announced.

        Its name and two times stay for FORGOTTEN_FOR: by them the state machine knows an execution
        that began before, and records nothing of it. An upload of a later second is a new one.
        """
        now = self._aws_time(upload)
        attributes = [field.name for field in fields(Decision) if field.name != "upload"]
        answer = self._dynamodb.update_item(
            TableName=self._table,
            Key={"upload": {"S": upload}},
            UpdateExpression="SET forgotten_at = :now, expires_at = :then REMOVE "
            + ", ".join(f"#{name}" for name in attributes),
            ExpressionAttributeNames={f"#{name}": name for name in attributes},
            ExpressionAttributeValues={
                ":now": {"S": f"{moment(now)}Z"},  # as events write the time of an upload
                ":then": {"N": str(int((now + FORGOTTEN_FOR).timestamp()))},
            },
            ReturnValues="ALL_OLD",
        )
        return "outcome" in answer.get("Attributes", {})

    def _aws_time(self, upload: str) -> datetime:
        """Return the time by AWS's clock, which dates uploads; the operator's may be wrong."""
        answer = self._dynamodb.get_item(TableName=self._table, Key={"upload": {"S": upload}})
        return parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])

    def delete_unchanged(self, read: Decision) -> bool:
        """Remove an item if it still is as it was read; tell whether it was."""
        try:
            self._dynamodb.delete_item(
                TableName=self._table,
                Key={"upload": {"S": read.upload}},
                ConditionExpression="revision = :read AND outcome = :was",
                ExpressionAttributeValues={
                    ":read": {"N": str(read.revision)},
                    ":was": {"S": read.outcome},
                },
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            return False
        return True
