"""The endpoint's stack: deployed by change sets, its events followed, deleted."""

import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

from cli.errors import code_of
from model.endpoint.place import TEMPLATE, EndpointError, Place

POLL_S = 5.0
# A stack that was never executed, or whose creation has left nothing behind.
ABSENT = ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE")
UNCHANGED = re.compile(r"didn't contain changes|No updates are to be performed")
QUOTA = re.compile(r"ResourceLimitExceeded|account-level service limit", re.IGNORECASE)


def parameters(place: Place) -> dict[str, str]:
    """Return the parameters of the stack as it is deployed, {} if there is none.

    Raises EndpointError if the stack cannot be updated.
    """
    found = _described(place, place.stack)
    if found is None or found["StackStatus"] in ABSENT:
        return {}
    status = found["StackStatus"]
    if status.endswith("_IN_PROGRESS"):
        raise EndpointError(
            f"the stack {place.stack} is {status}: run this again when that is over"
        )
    if status.endswith("_FAILED") or status == "ROLLBACK_COMPLETE":
        raise EndpointError(
            f"the stack {place.stack} is {status} and cannot be updated:"
            f" {place.deletion('--keep-captures')}, then again"
        )
    return {item["ParameterKey"]: item["ParameterValue"] for item in found.get("Parameters", [])}


def deploy(place: Place, values: Mapping[str, str]) -> None:
    """Create the stack, or update it, to these parameters.

    Events are printed as they come. Raises EndpointError with the first reason if it fails.
    """
    from botocore.exceptions import WaiterError

    cloudformation = place.client("cloudformation")
    exists = bool(parameters(place))
    change = {"StackName": place.stack, "ChangeSetName": f"create-endpoint-{uuid.uuid4()}"}
    stack = cloudformation.create_change_set(
        **change,
        ChangeSetType="UPDATE" if exists else "CREATE",
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in values.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
        # On everything in the stack, so that a bill or a tag search leads back here.
        Tags=[{"Key": "endpoint", "Value": place.name}],
        # The bucket that delete_endpoint --keep-captures has left.
        ImportExistingResources=True,
        **({} if exists else {"OnStackFailure": "DELETE"}),
    )["StackId"]
    try:
        cloudformation.get_waiter("change_set_create_complete").wait(
            **change, WaiterConfig={"Delay": max(1, int(POLL_S))}
        )
    except WaiterError as error:
        reason = cloudformation.describe_change_set(**change).get("StatusReason", str(error))
        cloudformation.delete_change_set(**change)
        if not UNCHANGED.search(reason):
            raise EndpointError(f"CloudFormation refuses the change: {reason}") from error
        print(f"stack {place.stack}: is up to date")
    else:
        seen = {event["EventId"] for event in _events(place, stack)}
        cloudformation.execute_change_set(**change)
        status, reason = _followed(place, stack, seen)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
            if QUOTA.search(reason):
                serverless = values.get("Serving") == "SERVERLESS"
                kind = "" if serverless else values.get("InstanceType", "")
                reason += f". {quota(place, kind, 'endpoint usage')}"
            raise EndpointError(
                f"the stack {place.stack} is {status}: {reason}; the server logs to the log"
                f" group /aws/sagemaker/Endpoints/{place.name}"
            )


def outputs(place: Place) -> dict[str, str]:
    """Return the Outputs of the stack, by their keys."""
    found = _described(place, place.stack) or {}
    return {item["OutputKey"]: item["OutputValue"] for item in found.get("Outputs", [])}


def delete(place: Place) -> None:
    """Delete the stack and wait until it is gone; a stack that is gone already is passed over."""
    found = _described(place, place.stack)
    if found is None:
        print(f"stack {place.stack}: does not exist")
        return
    seen = {event["EventId"] for event in _events(place, found["StackId"])}
    place.client("cloudformation").delete_stack(StackName=place.stack)
    status, reason = _followed(place, found["StackId"], seen)
    if status != "DELETE_COMPLETE":
        raise EndpointError(f"the stack {place.stack} is {status}: {reason}")


def _described(place: Place, stack: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError

    try:
        [found] = place.client("cloudformation").describe_stacks(StackName=stack)["Stacks"]
    except ClientError as error:
        if code_of(error) == "ValidationError":  # there is no such stack
            return None
        raise
    return dict(found)


def _events(place: Place, stack: str) -> list[dict[str, Any]]:
    """Return the newest events of a stack, oldest first."""
    answer = place.client("cloudformation").describe_stack_events(StackName=stack)
    return list(reversed(answer["StackEvents"]))


def _followed(place: Place, stack: str, seen: set[str]) -> tuple[str, str]:
    """Print a stack's new events until it comes to rest; return its status and what failed first.

    stack: its ARN, which outlives it. seen: the events that are not new.
    """
    failed: list[str] = []
    while True:
        # The status first: what has led to it is then among the events.
        status = (_described(place, stack) or {})["StackStatus"]
        for event in _events(place, stack):
            if event["EventId"] in seen:
                continue
            seen.add(event["EventId"])
            reason = event.get("ResourceStatusReason", "")
            said = f"{event['LogicalResourceId']}: {event['ResourceStatus']} {reason}".rstrip()
            print(f"{event['Timestamp']:%H:%M:%S} {said}", flush=True)
            if "cancelled" not in reason and re.search(
                "FAILED|ROLLBACK_IN", event["ResourceStatus"]
            ):
                failed.append(said)
        if not status.endswith("_IN_PROGRESS"):
            return status, failed[0] if failed else "no event gives a reason"
        time.sleep(POLL_S)


def quota(place: Place, instance_type: str, use: str) -> str:
    """Return which quota to ask for, and where.

    instance_type: "" for serverless. use: for instance training job usage.
    """
    name = f"{instance_type} for {use}"
    if not instance_type:
        name = "Maximum total concurrency across serverless endpoints"
    return (
        f"Ask for a higher quota `{name}` in {place.region}:"
        f" https://{place.region}.console.aws.amazon.com/servicequotas/home/services/sagemaker/"
        "quotas (often granted within a day), or choose another instance type"
    )
