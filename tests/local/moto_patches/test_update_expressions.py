"""Updates of tables do what they did, in a time that grows with their attributes."""

import uuid
from typing import Any
from unittest.mock import patch

import pytest
from moto.dynamodb.parsing.validators import ActionCountValidator

from tests.support.cloud import Cloud, refusal

Item = dict[str, Any]
BEFORE: Item = {
    "n": {"N": "1"},
    "s": {"S": "old"},
    "things": {"L": [{"N": str(number)} for number in range(5)]},
    "tree": {"M": {"leaf": {"S": "old"}, "twig": {"S": "kept"}}},
    "tags": {"SS": ["a", "b"]},
}
VALUES = {
    ":n": {"N": "2"},
    ":s": {"S": "new"},
    ":l": {"L": [{"S": "end"}]},
    ":set": {"SS": ["b"]},
}


@pytest.fixture(scope="module")
def table(cloud: Cloud) -> str:
    name = f"patch-{uuid.uuid4().hex[:8]}"
    cloud.aws.client("dynamodb").create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    return name


def request(table: str, expression: str, names: dict[str, str] | None = None) -> Item:
    """Return the arguments of UpdateItem of a new item; the values are those that it names."""
    values = {name: value for name, value in VALUES.items() if name in expression.split()}
    used = {"ExpressionAttributeNames": names} if names else {}
    used |= {"ExpressionAttributeValues": values} if values else {}
    key = {"id": {"S": uuid.uuid4().hex}}
    return {"TableName": table, "Key": key, "UpdateExpression": expression, **used}


@pytest.mark.parametrize(
    ("expression", "changed"),
    [
        ("SET s = :s", {"s": {"S": "new"}}),
        ("SET n = n + :n", {"n": {"N": "3"}}),
        ("SET n = n - :n , s = :s", {"n": {"N": "-1"}, "s": {"S": "new"}}),
        ("SET s = if_not_exists(absent, :s )", {"s": {"S": "new"}}),
        ("SET s = if_not_exists(n, :s )", {"s": {"N": "1"}}),
        (
            "SET things = list_append(things, :l )",
            {"things": {"L": [*BEFORE["things"]["L"], *VALUES[":l"]["L"]]}},
        ),
        ("SET tree.leaf = :s", {"tree": {"M": {"leaf": {"S": "new"}, "twig": {"S": "kept"}}}}),
        (
            "SET things[1] = :s REMOVE s",
            {"things": {"L": [{"N": "0"}, {"S": "new"}, *({"N": n} for n in "234")]}, "s": None},
        ),
        ("REMOVE things[0], things[3], things[1]", {"things": {"L": [{"N": "2"}, {"N": "4"}]}}),
        ("ADD n :n DELETE tags :set", {"n": {"N": "3"}, "tags": {"SS": ["a"]}}),
    ],
)
@pytest.mark.parametrize("time", ["first", "remembered"])
def test_an_update_changes_what_it_names(
    cloud: Cloud, table: str, expression: str, changed: Item, time: str
) -> None:
    dynamodb, asked = cloud.aws.client("dynamodb"), request(table, expression)
    dynamodb.put_item(TableName=table, Item=BEFORE | asked["Key"])
    answer = dynamodb.update_item(**asked, ReturnValues="ALL_NEW")["Attributes"]
    wanted = {name: value for name, value in (BEFORE | changed).items() if value is not None}
    assert answer == wanted | asked["Key"], time


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("SET s = :s SET n = :n", id="two-clauses-of-a-kind"),
        pytest.param("SET s = :s , n = :n , s = :s", id="a-path-twice"),
        pytest.param("SET tree = :s , tree.leaf = :s", id="a-path-within-another"),
        pytest.param("SET id = :s", id="the-key"),
        pytest.param("SET s = absent", id="an-absent-value"),
        pytest.param("SET s = list_append(s, :l )", id="no-list"),
        pytest.param("SET n = :absent", id="an-absent-name-of-a-value"),
        pytest.param("SET n = s + :n", id="text-as-a-number"),
        pytest.param("SET name = :s", id="a-reserved-word"),
        pytest.param("SET s = ", id="no-expression"),
    ],
)
def test_an_update_that_aws_refuses_is_refused(cloud: Cloud, table: str, expression: str) -> None:
    dynamodb, asked = cloud.aws.client("dynamodb"), request(table, expression)
    dynamodb.put_item(TableName=table, Item=BEFORE | asked["Key"])
    for _ in range(2):
        assert refusal(dynamodb.update_item, **asked) == ("ValidationException", 400)
    assert dynamodb.get_item(TableName=table, Key=asked["Key"])["Item"] == BEFORE | asked["Key"]


def test_one_expression_has_the_values_and_names_of_each_call(cloud: Cloud, table: str) -> None:
    dynamodb = cloud.aws.client("dynamodb")
    for name in ("one", "two"):
        asked = request(table, "SET #n = :s", {"#n": name})
        asked["ExpressionAttributeValues"] = {":s": {"S": f"of {name}"}}
        answer = dynamodb.update_item(**asked, ReturnValues="ALL_NEW")["Attributes"]
        assert answer == {**asked["Key"], name: {"S": f"of {name}"}}


@pytest.mark.parametrize("number", [1, 20])
def test_the_tree_is_checked_once_however_many_attributes_it_has(
    cloud: Cloud, table: str, number: int
) -> None:
    dynamodb = cloud.aws.client("dynamodb")
    asked = request(table, "SET " + ", ".join(f"a{place} = :s" for place in range(number)))
    asked["ExpressionAttributeValues"] = {":s": VALUES[":s"]}
    dynamodb.put_item(TableName=table, Item=asked["Key"])
    check = ActionCountValidator.verify_action_counts
    with patch.object(ActionCountValidator, "verify_action_counts", autospec=True) as checked:
        checked.side_effect = check
        dynamodb.update_item(**asked)
    assert checked.call_count == 1
