"""events/*.json: the contract by example is what the workflow does, and each document works."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from local.commands.events import BUCKET
from tests.support.cloud import Stack
from tests.support.documents import committed, comparable
from tests.support.project import ROOT, STEPS

EVENTS = ROOT / "events"
NAMES = ("object_created", "serialize", "classify", "filter", "announcement")


@pytest.fixture(scope="module")
def captured(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The documents of a run of their own: a process has one embedded AWS."""
    out = tmp_path_factory.mktemp("events")
    command = [sys.executable, "-m", "local", "events", "--out", str(out)]
    subprocess.run(command, cwd=ROOT, check=True, timeout=120)
    return {path.stem: json.loads(path.read_text()) for path in out.glob("*.json")}


def invoke(stack: Stack, step: str, document: Any) -> Any:
    resource = stack.aws.client("cloudformation").describe_stack_resource(
        StackName="test-standard", LogicalResourceId=f"{step.capitalize()}Function"
    )["StackResourceDetail"]
    answer = stack.aws.client("lambda").invoke(
        FunctionName=resource["PhysicalResourceId"], Payload=json.dumps(document)
    )
    assert "FunctionError" not in answer, answer["Payload"].read()
    return json.loads(answer["Payload"].read())


@pytest.mark.parametrize("name", NAMES)
def test_the_committed_document_is_what_the_workflow_makes(
    captured: dict[str, Any], name: str
) -> None:
    assert comparable(committed(name)) == comparable(captured[name]), "run `make events`"


def test_every_step_and_the_announcement_has_its_document() -> None:
    assert {path.stem for path in EVENTS.glob("*.json")} == set(NAMES)
    assert set(STEPS) < set(NAMES)


def test_the_documents_feed_their_functions_one_after_the_other(
    standard: Stack, images: Path
) -> None:
    bucket = standard.outputs["UploadBucket"]  # the only one that the function may read
    standard.aws.client("s3").put_object(
        Bucket=bucket, Key="uploads/bicycle.png", Body=(images / "bicycle.png").read_bytes()
    )
    serialized = invoke(standard, "serialize", committed("serialize") | {"s3_bucket": bucket})
    assert comparable(serialized | {"s3_bucket": BUCKET}) == comparable(committed("classify"))
    classified = invoke(standard, "classify", committed("classify"))
    assert comparable(classified) == comparable(committed("filter"))
    assert invoke(standard, "filter", committed("filter"))["decision"] == "accepted"
