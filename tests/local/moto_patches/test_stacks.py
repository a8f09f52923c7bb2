"""Stacks by change sets, as `sam deploy` makes and updates them: the seams of CloudFormation."""

import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local import template as sam
from local.deployment import exists, stack_outputs
from local.follow import Follower
from tests.support.cloud import Cloud
from tests.support.project import ROOT

PACKAGES = "stack-seams"


class Changes:
    """Makes change sets of a stack, and executes them."""

    def __init__(self, cloud: Cloud, stack: str) -> None:
        self.aws, self.stack = cloud.aws, stack
        self.cloudformation, self.s3 = map(cloud.aws.client, ("cloudformation", "s3"))
        self.s3.create_bucket(Bucket=PACKAGES)
        self.template = sam.load(ROOT / "template.yaml")
        for key, data in sam.package(self.template, ROOT, PACKAGES).items():
            self.s3.put_object(Bucket=PACKAGES, Key=key, Body=data)

    def make(self, **parameters: str) -> dict[str, Any]:
        """Make a change set with parameters, the others as before, and describe it."""
        text = json.dumps(self.template)
        self.s3.put_object(Bucket=PACKAGES, Key="template", Body=text.encode())
        update = exists(self.cloudformation, self.stack)
        given: list[dict[str, Any]] = [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ]
        given += [
            {"ParameterKey": name, "UsePreviousValue": True}
            for name in self.template["Parameters"]
            if update and name not in parameters
        ]
        made = self.cloudformation.create_change_set(
            StackName=self.stack,
            ChangeSetName=f"change-{uuid.uuid4()}",
            ChangeSetType="UPDATE" if update else "CREATE",
            TemplateURL=f"{self.aws.url}/{PACKAGES}/template",
            Parameters=given,
            Capabilities=["CAPABILITY_IAM"],
        )
        described: dict[str, Any] = self.cloudformation.describe_change_set(
            ChangeSetName=made["Id"], StackName=self.stack
        )
        return described

    def execute(self, **parameters: str) -> dict[str, str]:
        """Execute a change set with parameters, and return the stack's status and parameters."""
        made = self.make(**parameters)
        assert made["Status"] == "CREATE_COMPLETE", made
        self.cloudformation.execute_change_set(
            ChangeSetName=made["ChangeSetId"], StackName=self.stack
        )
        return self.described()

    def described(self) -> dict[str, str]:
        [stack] = self.cloudformation.describe_stacks(StackName=self.stack)["Stacks"]
        told = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
        return {"status": stack["StackStatus"], **told}

    def outputs(self) -> dict[str, str]:
        return stack_outputs(self.cloudformation, self.stack)

    def decided(self, image: Path) -> str | None:
        """Upload a picture as the stack's outputs tell, and return what became of it."""
        follower = Follower(self.aws, self.outputs())
        item = follower.outcome(
            follower.upload(image.read_bytes(), f"{uuid.uuid4()}.png").upload, patience_s=30
        )
        return None if item is None else str(item["outcome"]["S"])

    def break_the_definition(self) -> None:
        properties = self.template["Resources"]["ImageWorkflow"]["Properties"]
        properties["DefinitionUri"] = {"Bucket": PACKAGES, "Key": "absent"}


@pytest.fixture(scope="module")
def deployed(cloud: Cloud) -> Iterator[Changes]:
    changes = Changes(cloud, "stack-seams")
    changes.execute()
    yield changes
    changes.cloudformation.delete_stack(StackName=changes.stack)


@pytest.fixture
def absent(cloud: Cloud) -> Iterator[Changes]:
    changes = Changes(cloud, f"stack-{uuid.uuid4().hex[:8]}")
    yield changes
    changes.cloudformation.delete_stack(StackName=changes.stack)


def test_previous_values_are_those_that_were_given(deployed: Changes) -> None:
    deployed.execute(ConfidenceThreshold="0.5", LogRetentionDays="30")
    after = deployed.execute(EndpointLatencyLimit="1500")
    assert (after["ConfidenceThreshold"], after["LogRetentionDays"]) == ("0.5", "30")
    assert deployed.outputs()["ConfidenceThreshold"] == "0.5"


def test_the_same_parameters_are_no_change(deployed: Changes) -> None:
    deployed.execute(ConfidenceThreshold="0.75")
    made = deployed.make(ConfidenceThreshold="0.75")
    assert made["Status"] == "FAILED"
    assert "didn't contain changes" in made["StatusReason"]


def test_another_type_is_another_state_machine_which_uploads_start(
    deployed: Changes, images: Path
) -> None:
    before = deployed.outputs()
    deployed.execute(WorkflowType="EXPRESS", ConfidenceThreshold="0.9")
    after = deployed.outputs()
    assert after["StateMachineArn"] != before["StateMachineArn"]
    assert after["DecisionsTable"] == before["DecisionsTable"]
    assert deployed.decided(images / "bicycle.png") == "accepted"
    deployed.execute(WorkflowType="STANDARD")
    assert deployed.decided(images / "bicycle.png") == "accepted"


def test_another_prefix_reaches_the_rule_and_the_function_s_role(
    deployed: Changes, images: Path
) -> None:
    deployed.execute(UploadPrefix="incoming/", ConfidenceThreshold="0.9")
    assert deployed.outputs()["UploadPrefix"] == "incoming/"
    assert deployed.decided(images / "bicycle.png") == "accepted"


def test_another_architecture_reaches_the_functions(deployed: Changes) -> None:
    deployed.execute(Architecture="arm64")
    functions = [
        each
        for each in deployed.aws.client("lambda").list_functions()["Functions"]
        if each["FunctionName"].startswith(f"{deployed.stack}-")
    ]
    assert [each["Architectures"] for each in functions] == [["arm64"]] * 3
    deployed.execute(Architecture="x86_64")


def test_a_parameter_that_is_ruled_out_makes_no_change_set(deployed: Changes) -> None:
    before = deployed.described()
    with pytest.raises(
        ClientError, match="CreateChangeSet operation: Parameter Confidence.*from 0"
    ):
        deployed.make(ConfidenceThreshold="7")
    assert deployed.described() == before


def test_a_parameter_that_is_ruled_out_makes_no_stack(absent: Changes) -> None:
    with pytest.raises(ClientError, match="a probability, from 0 to 1"):
        absent.make(ConfidenceThreshold="high")
    assert not exists(absent.cloudformation, absent.stack)


def test_an_update_that_fails_is_rolled_back(absent: Changes, images: Path) -> None:
    before = absent.execute(ConfidenceThreshold="0.9")
    good = dict(absent.template["Resources"]["ImageWorkflow"]["Properties"])
    absent.break_the_definition()
    after = absent.execute(ConfidenceThreshold="1", UploadPrefix="incoming/")
    assert after == before | {"status": "UPDATE_ROLLBACK_COMPLETE"}
    assert absent.outputs()["ConfidenceThreshold"] == "0.9"
    assert absent.decided(images / "bicycle.png") == "accepted"
    reasons = [
        event.get("ResourceStatusReason", "")
        for event in absent.cloudformation.describe_stack_events(StackName=absent.stack)[
            "StackEvents"
        ]
    ]
    assert any("no definition at" in reason for reason in reasons)
    absent.template["Resources"]["ImageWorkflow"]["Properties"] = good
    assert absent.execute(ConfidenceThreshold="0.8")["status"] == "UPDATE_COMPLETE"


def kept(changes: Changes) -> list[str]:
    """Return the buckets and tables of a stack that exist."""
    buckets = [each["Name"] for each in changes.s3.list_buckets()["Buckets"]]
    tables = changes.aws.client("dynamodb").list_tables()["TableNames"]
    return [name for name in (*buckets, *tables) if name.startswith(f"{changes.stack}-")]


def test_a_first_deploy_that_fails_leaves_no_bucket_and_no_table(absent: Changes) -> None:
    absent.break_the_definition()
    assert absent.execute()["status"] == "ROLLBACK_COMPLETE"
    assert kept(absent) == []


def test_a_deleted_stack_leaves_its_bucket_and_its_table(absent: Changes) -> None:
    absent.execute()
    absent.cloudformation.delete_stack(StackName=absent.stack)
    assert len(kept(absent)) == 2
