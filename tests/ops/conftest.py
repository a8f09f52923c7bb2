"""Run ops commands as an operator does: words in, exit code and text out."""

import pytest

from local.follow import Follower
from ops.__main__ import main
from tests.support.cloud import Cloud, Stack
from tests.support.ops import Ops, Ran


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


@pytest.fixture(scope="session")
def audited(cloud: Cloud) -> Stack:
    """A stack of its own, test-audited: every decision is audited, and some are none."""
    parameters = {"AuditShare": "100", "NoneThreshold": "0.9"}
    outputs = cloud.aws.deploy("test-audited", parameters)
    return Stack(cloud.aws, cloud.container, outputs, Follower(cloud.aws, outputs))
