"""Which record of an upload replaces which: the condition and the update of the Record states."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.cloud import Stack
from tests.support.project import state_machine

STATES = state_machine()["States"]
TABLE = "records"

# outcome, reason
ACCEPTED, REVIEW = ("accepted", ""), ("review", "")
CORRUPT = ("rejected", "corrupt")
NOT_FOUND, SUPERSEDED = ("rejected", "not_found"), ("superseded", "superseded")
REFUSED, UNAVAILABLE = ("failed", "EndpointRefused"), ("failed", "EndpointUnavailable")
NONE, REVIEWED, CONFIRMED = ("none", ""), ("reviewed", ""), ("confirmed", "")
FAILURES = (REFUSED, UNAVAILABLE)
EVERY = (ACCEPTED, NONE, REVIEW, CORRUPT, NOT_FOUND, SUPERSEDED, *FAILURES)

REPLACED_BY_ANOTHER_EXECUTION = {
    ACCEPTED: (),
    NONE: (),
    REVIEW: (),
    REVIEWED: (),
    CONFIRMED: (),
    CORRUPT: (),
    NOT_FOUND: tuple(new for new in EVERY if new not in (NOT_FOUND, *FAILURES)),
    SUPERSEDED: tuple(new for new in EVERY if new not in (SUPERSEDED, *FAILURES)),
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


def record(
    dynamodb: Any,
    upload: str,
    outcome: tuple[str, str],
    execution: str = "first",
    uploaded_at: str = "2026-11-26T10:00:00Z",
) -> bool:
    """Write as the Record state of an outcome does; return whether the condition held."""
    parameters = STATES["Record failure" if outcome in FAILURES else "Record decision"][
        "Parameters"
    ]
    changing = {
        ":outcome": outcome[0],
        ":reason": outcome[1],
        ":execution": execution,
        ":uploaded_at": uploaded_at,
    }
    values = {}
    for name, value in parameters["ExpressionAttributeValues"].items():
        [(kind, given)] = value.items()
        if kind.endswith(".$"):  # a path into the execution
            given = changing.get(name, "0")
        values[name] = {kind.removesuffix(".$"): given}
    try:
        dynamodb.update_item(
            TableName=TABLE,
            Key={"upload": {"S": upload}},
            ConditionExpression=parameters["ConditionExpression"],
            UpdateExpression=parameters["UpdateExpression"],
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


def item_of(dynamodb: Any, upload: str) -> Any:
    return dynamodb.get_item(TableName=TABLE, Key={"upload": {"S": upload}})["Item"]


def test_failures_of_duplicates_change_nothing_where_the_object_was_overwritten(
    dynamodb: Any,
) -> None:
    written = [
        record(dynamodb, "upload", outcome, f"duplicate-{number}")
        for number, outcome in enumerate([SUPERSEDED, UNAVAILABLE, SUPERSEDED, REFUSED] * 2)
    ]
    assert written == [True, *[False] * 7]
    item = item_of(dynamodb, "upload")
    assert (item["outcome"]["S"], item["revision"]["N"]) == ("superseded", "1")


@pytest.mark.parametrize("absence", [NOT_FOUND, SUPERSEDED], ids="-".join)
def test_what_comes_again_later_and_fails_is_a_failure(
    dynamodb: Any, absence: tuple[str, str]
) -> None:
    assert record(dynamodb, "upload", absence)
    assert record(dynamodb, "upload", REFUSED, "second", uploaded_at="2026-11-26T10:00:01Z")


@pytest.mark.parametrize("outcome", EVERY, ids="-".join)
def test_what_was_forgotten_is_recorded_again_only_for_a_later_upload(
    dynamodb: Any, outcome: tuple[str, str]
) -> None:
    dynamodb.put_item(
        TableName=TABLE,
        Item={
            "upload": {"S": "upload"},
            "forgotten_at": {"S": "2026-11-26T10:00:00Z"},
            "expires_at": {"N": "1780000000"},
        },
    )
    for uploaded_at in ("2026-11-26T09:59:59Z", "2026-11-26T10:00:00Z"):
        assert not record(dynamodb, "upload", outcome, uploaded_at=uploaded_at)
    assert record(dynamodb, "upload", outcome, uploaded_at="2026-11-26T10:00:01Z")
    # Or DynamoDB would delete the new record when the old one is due.
    assert not {"forgotten_at", "expires_at"} & item_of(dynamodb, "upload").keys()
