"""Run ops commands as an operator does: words in, exit code and text out."""

from collections.abc import Callable
from typing import NamedTuple

import pytest

from local.follow import Follower
from ops.__main__ import main
from tests.conftest import Cloud, Stack


class Ran(NamedTuple):
    """What a command has said, and its exit code."""

    code: int
    out: str
    err: str


Ops = Callable[..., Ran]


@pytest.fixture
def ops(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Ops:
    """Return a function that runs a command on a stack; None leaves --stack to its default."""
    for name, value in cloud.aws.environment().items():
        monkeypatch.setenv(name, value)

    def run(stack: Stack | None, *words: str) -> Ran:
        capsys.readouterr()
        name = [] if stack is None else ["--stack", f"test-{stack.outputs['WorkflowType'].lower()}"]
        code = main([*words, *name])
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture(scope="session")
def versioned(cloud: Cloud) -> Stack:
    """A stack of its own, test-versioned: a bucket that once kept versions always will."""
    outputs = cloud.aws.deploy("test-versioned")
    cloud.aws.client("s3").put_bucket_versioning(
        Bucket=outputs["UploadBucket"], VersioningConfiguration={"Status": "Enabled"}
    )
    return Stack(cloud.aws, cloud.container, outputs, Follower(cloud.aws, outputs))


def empty(stack: Stack, queue: str) -> None:
    """Take every message out of a queue; PurgeQueue could do it once a minute only."""
    sqs, url = stack.aws.client("sqs"), stack.outputs[queue]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def keys(stack: Stack, prefix: str) -> list[str]:
    """Return the keys under a prefix of the upload bucket."""
    answer = stack.aws.client("s3").list_objects_v2(
        Bucket=stack.outputs["UploadBucket"], Prefix=prefix
    )
    return [each["Key"] for each in answer.get("Contents", [])]
