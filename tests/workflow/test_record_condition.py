"""Which record of an upload replaces which: the condition and the update of the Record states."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import Stack
from tests.support.project import state_machine

RECORD = state_machine()["States"]["Record decision"]["Parameters"]
TABLE = "records"

# outcome, reason
ACCEPTED, REVIEW = ("accepted", ""), ("review", "")
CORRUPT = ("rejected", "corrupt")
NOT_FOUND, SUPERSEDED = ("rejected", "not_found"), ("superseded", "superseded")
REFUSED, UNAVAILABLE = ("failed", "EndpointRefused"), ("failed", "EndpointUnavailable")
REVIEWED = ("reviewed", "")
EVERY = (ACCEPTED, REVIEW, CORRUPT, NOT_FOUND, SUPERSEDED, REFUSED, UNAVAILABLE)

REPLACED_BY_ANOTHER_EXECUTION = {
    ACCEPTED: (),
    REVIEW: (),
    REVIEWED: (),
    CORRUPT: (),
    NOT_FOUND: tuple(new for new in EVERY if new != NOT_FOUND),
    SUPERSEDED: tuple(new for new in EVERY if new != SUPERSEDED),
    REFUSED: EVERY,
    UNAVAILABLE: EVERY,
}
# Step Functions repeats a call whose answer was lost, and may run an EXPRESS execution twice.
REPLACED_BY_THE_SAME_EXECUTION = {
    REFUSED: tuple(new for new in EVERY if new[0] != "failed"),
    UNAVAILABLE: tuple(new for new in EVERY if new[0] != "failed"),
}


@pytest.fixture
def dynamodb(standard: Stack) -> Iterator[Any]:
    """Yield a client and make a table of records alone: no pipe announces what is tried here."""
    client = standard.aws.client("dynamodb")
    client.create_table(
        TableName=TABLE,
        AttributeDefinitions=[{"AttributeName": "upload", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "upload", "KeyType": "HASH"}],
        BillingMode="PAY_PER_REQUEST",
    )
    yield client
    client.delete_table(TableName=TABLE)


def record(dynamodb: Any, upload: str, outcome: tuple[str, str], execution: str) -> bool:
    """Write as Record decision does; return whether the condition held."""
    changing = {":outcome": outcome[0], ":reason": outcome[1], ":execution": execution}
    values = {}
    for name, value in RECORD["ExpressionAttributeValues"].items():
        [(kind, given)] = value.items()
        if kind.endswith(".$"):  # a path into the execution
            given = changing.get(name, "0")
        values[name] = {kind.removesuffix(".$"): given}
    try:
        dynamodb.update_item(
            TableName=TABLE,
            Key={"upload": {"S": upload}},
            ConditionExpression=RECORD["ConditionExpression"],
            UpdateExpression=RECORD["UpdateExpression"],
            ExpressionAttributeValues=values,
        )
    except dynamodb.exceptions.ConditionalCheckFailedException:
        return False
    return True


@pytest.mark.parametrize(
    "kept", REPLACED_BY_ANOTHER_EXECUTION, ids=lambda outcome: "-".join(outcome)
)
@pytest.mark.parametrize("same", [False, True], ids=["another-execution", "the-same-execution"])
def test_a_record_is_replaced_by_these_alone(
    dynamodb: Any, kept: tuple[str, str], same: bool
) -> None:
    replacing = REPLACED_BY_THE_SAME_EXECUTION if same else REPLACED_BY_ANOTHER_EXECUTION
    found = []
    for new in EVERY:
        upload = "-".join(new)
        assert record(dynamodb, upload, kept, "first")
        if record(dynamodb, upload, new, "first" if same else "second"):
            found.append(new)
            item = dynamodb.get_item(TableName=TABLE, Key={"upload": {"S": upload}})["Item"]
            assert (item["outcome"]["S"], item["revision"]["N"]) == (new[0], "2")
    assert tuple(found) == replacing.get(kept, ())
