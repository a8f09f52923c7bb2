"""The endpoint of a stack: does it answer, and what to do where it does not."""

from typing import Any

from cli.terminal import own_command
from ops.stack.outputs import Stack

MISSING, WELL = "Missing", "InService"
# An endpoint that is updated, maintained or rolled back goes on answering.
# https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_DescribeEndpoint.html
SILENT = {MISSING, "Creating", "Deleting", "Failed", "OutOfService"}


def described(stack: Stack) -> dict[str, Any]:
    """Return what DescribeEndpoint tells of the stack's endpoint; nothing where there is none."""
    client = stack.client("sagemaker")
    try:
        found: dict[str, Any] = client.describe_endpoint(EndpointName=stack.outputs["EndpointName"])
    except client.exceptions.ClientError as error:
        if "Could not find" not in str(error):
            raise
        return {}
    return found


def status_of(stack: Stack) -> str:
    """Return the endpoint's status, for instance InService; Missing where there is none."""
    return str(described(stack).get("EndpointStatus", MISSING))


def advice(name: str, status: str) -> str:
    """Return a sentence about an endpoint that is not InService: who does what."""
    if status == MISSING:
        create = own_command("model.create_endpoint")
        return f"no endpoint, so uploads fail: whoever deploys runs {create}"
    return (
        f"the endpoint is {status}: aws sagemaker describe-endpoint --endpoint-name {name} says why"
    )
