"""What the ledger recorded in a time is announced again."""

import json
from pathlib import Path

import pytest

from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import announced, decided


def test_what_was_recorded_in_a_time_is_announced_as_it_was(
    ops: Ops, stack: Stack, images: Path
) -> None:
    earlier = decided(stack, (images / "cat.jpg").read_bytes())
    items = [decided(stack, data) for data in ((images / "bicycle.png").read_bytes(), b"no image")]
    heard = [announced(stack, item["upload"], 1) for item in items]
    # Bounds are seconds: these items alone are given a time of their own.
    for item in items:
        stack.aws.client("dynamodb").update_item(
            TableName=stack.outputs["DecisionsTable"],
            Key={"upload": {"S": item["upload"]}},
            UpdateExpression="SET recorded_at = :then",
            ExpressionAttributeValues={":then": {"S": "2020-05-05T05:05:05.555Z"}},
        )
        announced(stack, item["upload"], 2)  # a change of the item, so the pipe announces it
    words = ("announce", "--since", "2020-05-05T05:05:05", "--until", "2020-05-05T05:05:06")
    assert ops(stack, *words, "--dry-run").out == "2 to announce\n"
    assert json.loads(ops(stack, *words, "--dry-run", "--json").out) == {"to_announce": 2}
    ran = ops(stack, *words)
    assert (ran.code, ran.out) == (0, "2 announced\n")
    for item, [first] in zip(items, heard, strict=True):
        _, changed, again = announced(stack, item["upload"], 3)
        assert again == changed == first | {"recorded_at": "2020-05-05T05:05:05.555Z"}
    assert len(announced(stack, earlier["upload"], 1)) == 1
    ops(stack, "prune", "--older-than", "400d", "--yes")
    assert ops(stack, *words).out == "0 announced\n"


def test_a_time_has_to_be_given(ops: Ops, standard: Stack) -> None:
    with pytest.raises(SystemExit) as ended:
        ops(standard, "announce")
    assert ended.value.code == 2


def test_bounds_in_the_wrong_order_are_refused(ops: Ops, standard: Stack) -> None:
    ran = ops(standard, "announce", "--since", "2020-05-06", "--until", "2020-05-05")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == (
        "error: --since 2020-05-06T00:00:00Z is later than --until 2020-05-05T00:00:00Z:"
        " exchange them\n"
    )
