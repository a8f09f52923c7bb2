"""An update of the stack reaches what its parameters are for."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.follow import Follower
from tests.support.cloud import Cloud

NAME = "patch-updates"


def decision(cloud: Cloud, outputs: dict[str, str], image: Path) -> str | None:
    """Upload a picture as the stack's outputs say, and return what became of it."""
    follower = Follower(cloud.aws, outputs)
    uploaded = follower.upload(image.read_bytes(), f"{uuid.uuid4()}.png")
    item = follower.outcome(uploaded.upload, patience_s=30)
    return None if item is None else str(item["outcome"]["S"])


@pytest.fixture
def deployed(cloud: Cloud) -> Iterator[dict[str, str]]:
    yield cloud.aws.deploy(NAME)
    cloud.aws.client("cloudformation").delete_stack(StackName=NAME)


def test_another_prefix_reaches_the_rule_and_the_function_s_role(
    cloud: Cloud, deployed: dict[str, str], images: Path
) -> None:
    assert deployed["UploadPrefix"] == "uploads/"
    outputs = cloud.aws.deploy(NAME, {"UploadPrefix": "incoming/"})
    assert outputs["UploadPrefix"] == "incoming/"
    assert decision(cloud, outputs, images / "bicycle.png") == "accepted"


def test_another_type_is_another_state_machine_which_uploads_start(
    cloud: Cloud, deployed: dict[str, str], images: Path
) -> None:
    outputs = cloud.aws.deploy(NAME, {"WorkflowType": "EXPRESS"})
    assert outputs["StateMachineArn"] != deployed["StateMachineArn"]
    assert outputs["DecisionsTable"] == deployed["DecisionsTable"]
    assert decision(cloud, outputs, images / "bicycle.png") == "accepted"
    outputs = cloud.aws.deploy(NAME, {"WorkflowType": "STANDARD"})
    assert decision(cloud, outputs, images / "bicycle.png") == "accepted"


def test_another_architecture_reaches_the_functions(cloud: Cloud, deployed: dict[str, str]) -> None:
    assert cloud.aws.deploy(NAME, {"Architecture": "arm64"}) == deployed
    functions = [
        function
        for function in cloud.aws.client("lambda").list_functions()["Functions"]
        if function["FunctionName"].startswith(f"{NAME}-")
    ]
    assert [function["Architectures"] for function in functions] == [["arm64"]] * 3


def test_a_deleted_stack_leaves_its_bucket_and_its_table(cloud: Cloud) -> None:
    outputs = cloud.aws.deploy("patch-deleted")
    cloud.aws.client("cloudformation").delete_stack(StackName="patch-deleted")
    buckets = [bucket["Name"] for bucket in cloud.aws.client("s3").list_buckets()["Buckets"]]
    assert outputs["UploadBucket"] in buckets
    assert outputs["DecisionsTable"] in cloud.aws.client("dynamodb").list_tables()["TableNames"]
