"""A deployed stack, read through its Outputs."""

from pathlib import Path

import pytest

from cli.errors import CommandError
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import decided


@pytest.fixture
def of(ops: Ops) -> type[OpsStack]:
    """Return the class of stacks, once the environment points at the embedded AWS."""
    del ops
    return OpsStack


def test_the_definition_is_the_deployed_one(of: type[OpsStack], stack: Stack) -> None:
    deployed = of(f"test-{stack.outputs['WorkflowType'].lower()}").definition()
    assert deployed["StartAt"] == "Serialize image"
    function = deployed["States"]["Serialize image"]["Parameters"]["FunctionName"]
    assert function.startswith("arn:aws:lambda:")


def test_the_latest_execution_and_its_history(
    of: type[OpsStack], standard: Stack, images: Path
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes())
    client = standard.aws.client("stepfunctions")
    while client.describe_execution(executionArn=item["execution"])["status"] == "RUNNING":
        pass
    found = of("test-standard")
    assert found.execution("latest")["executionArn"] == item["execution"]
    kinds = [event["type"] for event in found.history(item["execution"])]
    assert (kinds[0], kinds[-1]) == ("ExecutionStarted", "ExecutionSucceeded")


def test_an_express_workflow_keeps_no_executions(of: type[OpsStack], express: Stack) -> None:
    assert express.outputs["WorkflowType"] == "EXPRESS"
    with pytest.raises(CommandError, match="EXPRESS, which keeps no history"):
        of("test-express").execution("latest")


def test_an_unknown_execution_is_named(of: type[OpsStack], standard: Stack) -> None:
    arn = standard.outputs["StateMachineArn"].replace(":stateMachine:", ":execution:") + ":none"
    with pytest.raises(CommandError, match=arn):
        of("test-standard").execution(arn)
