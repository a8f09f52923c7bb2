"""Paths are parsed once, and what they find is of the document that they are applied to."""

import json
import time
import uuid

import pytest
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.utils import json_path

from tests.support.cloud import Cloud

ROLE = "arn:aws:iam::123456789012:role/states"
# Each step evaluates the same paths, and writes where the one before it has read.
STEP = {
    "Type": "Pass",
    "Parameters": {"first.$": "$.list[0]", "all.$": "$.list[*].n", "n.$": "$.n"},
    "ResultPath": "$.made.here",
}
DEFINITION = {
    "StartAt": "One",
    "States": {"One": {**STEP, "Next": "Two"}, "Two": {**STEP, "End": True}},
}


def test_a_path_is_parsed_once(cloud: Cloud) -> None:
    del cloud  # its patches are installed
    for module in (json_path, result_path):
        assert module.parse("$.a.b[0]") is module.parse("$.a.b[0]")


def test_executions_at_once_keep_their_documents_apart(cloud: Cloud) -> None:
    states = cloud.aws.client("stepfunctions")
    machine = states.create_state_machine(
        name=f"paths-{uuid.uuid4().hex[:8]}", definition=json.dumps(DEFINITION), roleArn=ROLE
    )["stateMachineArn"]
    inputs = [{"n": number, "list": [{"n": number}, {"n": -number}]} for number in range(8)]
    started = [
        states.start_execution(stateMachineArn=machine, input=json.dumps(document))["executionArn"]
        for document in inputs
    ]
    for document, execution in zip(inputs, started, strict=True):
        while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.01)
        first, second = document["list"]
        made = {"first": first, "all": [first["n"], second["n"]], "n": document["n"]}
        assert json.loads(found["output"]) == {**document, "made": {"here": made}}


@pytest.mark.parametrize("number", [1, 2])
def test_what_is_absent_is_told_with_its_own_document(cloud: Cloud, number: int) -> None:
    del cloud
    with pytest.raises(json_path.NoSuchJsonPathError, match=f"there.*{number}"):
        json_path.extract_json("$.absent", {"there": number})
