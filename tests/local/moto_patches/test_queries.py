"""Bounds in the wrong order are refused."""

import pytest

from tests.support.cloud import Stack, refusal


@pytest.mark.parametrize("upper", ["1", "2"])
def test_bounds_in_order_are_taken(standard: Stack, upper: str) -> None:
    answer = standard.aws.client("dynamodb").query(**between(standard, "1", upper))
    assert answer["Count"] == 0


def test_bounds_in_the_wrong_order_are_refused(standard: Stack) -> None:
    query = standard.aws.client("dynamodb").query
    assert refusal(query, **between(standard, "2", "1")) == ("ValidationException", 400)


def between(stack: Stack, lower: str, upper: str) -> dict[str, object]:
    return {
        "TableName": stack.outputs["DecisionsTable"],
        "IndexName": "outcome-recorded_at",
        "KeyConditionExpression": "outcome = :outcome AND recorded_at BETWEEN :lower AND :upper",
        "ExpressionAttributeValues": {
            ":outcome": {"S": "accepted"},
            ":lower": {"S": lower},
            ":upper": {"S": upper},
        },
    }
