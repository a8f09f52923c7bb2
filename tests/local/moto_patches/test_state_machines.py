"""The state machines that stacks make."""

from tests.support.cloud import Cloud, Stack


def test_a_deployed_one_has_its_substitutions(stack: Stack) -> None:
    described = stack.aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=stack.outputs["StateMachineArn"]
    )
    assert described["type"] == stack.outputs["WorkflowType"]
    assert "${" not in described["definition"]
    assert stack.outputs["DecisionsTable"] in described["definition"]


def test_another_type_is_another_state_machine(cloud: Cloud) -> None:
    before = cloud.aws.deploy("patch-type", {"WorkflowType": "STANDARD"})["StateMachineArn"]
    after = cloud.aws.deploy("patch-type", {"WorkflowType": "EXPRESS"})["StateMachineArn"]
    states = cloud.aws.client("stepfunctions")
    assert states.describe_state_machine(stateMachineArn=after)["type"] == "EXPRESS"
    arns = [machine["stateMachineArn"] for machine in states.list_state_machines()["stateMachines"]]
    assert after in arns
    assert (before in arns) == (before == after)
