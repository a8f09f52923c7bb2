"""What executions refuse, how they are named, and when they time out."""

import json
import threading
import uuid

import pytest
from moto.dynamodb.models import DynamoDBBackend

from tests.support.cloud import Stack, refusal
from tests.support.waiting import until


@pytest.mark.parametrize(
    ("operation", "argument"),
    [
        ("list_executions", "stateMachineArn"),
        ("describe_execution", "executionArn"),
        ("get_execution_history", "executionArn"),
        ("stop_execution", "executionArn"),
    ],
)
def test_express_refuses_what_it_refuses_on_aws(
    express: Stack, operation: str, argument: str
) -> None:
    states = express.aws.client("stepfunctions")
    arn = express.outputs["StateMachineArn"]
    if argument == "executionArn":
        arn = states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
    code, _ = refusal(getattr(states, operation), **{argument: arn})
    assert code == "StateMachineTypeNotSupported"


def test_an_execution_tells_why_it_was_stopped(standard: Stack) -> None:
    states = standard.aws.client("stepfunctions")
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 60, "End": True}}}
    workflow = states.describe_state_machine(stateMachineArn=standard.outputs["StateMachineArn"])
    machine = states.create_state_machine(
        name=f"waiting-{uuid.uuid4()}", roleArn=workflow["roleArn"], definition=json.dumps(wait)
    )["stateMachineArn"]
    execution = states.start_execution(stateMachineArn=machine)["executionArn"]
    states.stop_execution(executionArn=execution, error="Enough", cause="It is late.")
    found = states.describe_execution(executionArn=execution)
    assert (found["error"], found["cause"]) == ("Enough", "It is late.")


def test_nameless_executions_have_names_of_their_own(standard: Stack) -> None:
    states = standard.aws.client("stepfunctions")
    request = {"stateMachineArn": standard.outputs["StateMachineArn"], "input": "{}"}
    arns = {states.start_execution(**request)["executionArn"] for _ in range(2)}
    assert len(arns) == 2


def test_a_write_that_takes_longer_than_its_state_may_is_a_time_out(
    standard: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = standard.aws.client("stepfunctions")
    table, name = standard.outputs["DecisionsTable"], f"slow-{uuid.uuid4()}"
    workflow = states.describe_state_machine(stateMachineArn=standard.outputs["StateMachineArn"])
    write = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:updateItem",
        "Parameters": {"TableName": table, "Key": {"upload": {"S": name}}},
        "TimeoutSeconds": 1,
        "End": True,
    }
    slow = states.create_state_machine(
        name=name,
        roleArn=workflow["roleArn"],
        definition=json.dumps({"StartAt": "Write", "States": {"Write": write}}),
    )["stateMachineArn"]
    update, timed_out, written = DynamoDBBackend.update_item, threading.Event(), threading.Event()

    def late(*args: object, **kwargs: object) -> object:
        timed_out.wait(30)
        try:
            return update(*args, **kwargs)  # type: ignore[arg-type]
        finally:
            written.set()

    monkeypatch.setattr(DynamoDBBackend, "update_item", late)
    arn = states.start_execution(stateMachineArn=slow)["executionArn"]
    until(lambda: states.describe_execution(executionArn=arn)["status"] != "RUNNING")
    timed_out.set()
    assert states.describe_execution(executionArn=arn)["error"] == "States.Timeout"
    assert written.wait(30)  # as on AWS, the write itself is not taken back
    states.delete_state_machine(stateMachineArn=slow)
    standard.aws.client("dynamodb").delete_item(TableName=table, Key={"upload": {"S": name}})
