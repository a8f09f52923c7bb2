"""What executions refuse, and how they are named."""

import pytest

from tests.support.cloud import Stack, refusal


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


def test_nameless_executions_have_names_of_their_own(standard: Stack) -> None:
    states = standard.aws.client("stepfunctions")
    request = {"stateMachineArn": standard.outputs["StateMachineArn"], "input": "{}"}
    arns = {states.start_execution(**request)["executionArn"] for _ in range(2)}
    assert len(arns) == 2
