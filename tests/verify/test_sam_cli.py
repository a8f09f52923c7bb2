"""The README's deployment with the real SAM CLI: what it builds, packages and deploys runs."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from local.deployment import exists, stack_outputs
from local.follow import Followed, Follower
from tests.support.cloud import Cloud
from tests.verify.tools import SAM, offline_environment

# Each command of a test may take 300 s.
pytestmark = pytest.mark.timeout(900)

STACK = "scones-unlimited"  # samconfig.toml


class SamCli:
    """The commands of README, "Deploy", in a folder with the application and nothing else."""

    def __init__(self, program: Path, folder: Path, cloud: Cloud) -> None:
        self.program, self.folder, self.aws = program, folder, cloud.aws
        self.cloudformation: Any = cloud.aws.client("cloudformation")

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.program, *arguments],
            cwd=self.folder,
            env=offline_environment() | self.aws.environment(),
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def succeed(self, *arguments: str) -> str:
        done = self.run(*arguments)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
        return done.stdout + done.stderr

    def deploy(self, *arguments: str) -> dict[str, str]:
        self.succeed("deploy", "--no-confirm-changeset", *arguments)
        return stack_outputs(self.cloudformation, STACK)

    def describe(self) -> list[Any]:
        stacks = self.cloudformation.describe_stacks()["Stacks"]
        return [stack for stack in stacks if stack["StackName"] == STACK]

    def decide(self, outputs: dict[str, str], image: Path) -> Followed:
        return Follower(self.aws, outputs).decide(image)


@pytest.fixture(scope="module")
def sam(cloud: Cloud, application: Path) -> Iterator[SamCli]:
    """The CLI where the application has been built; its stack is gone at the end."""
    cli = SamCli(SAM.require(), application, cloud)
    yield cli
    if exists(cli.cloudformation, STACK):
        cli.cloudformation.delete_stack(StackName=STACK)


def test_sam_validates_what_it_deploys(sam: SamCli) -> None:
    assert "is a valid SAM Template" in sam.succeed("validate", "--lint")


def test_sam_builds_for_arm64(sam: SamCli) -> None:
    out = sam.folder / "arm64"
    sam.succeed("build", "--parameter-overrides", "Architecture=arm64", "--build-dir", str(out))
    libraries = list((out / "SerializeFunction").rglob("*.so*"))
    assert libraries
    # The machine of an ELF file, at 18: https://refspecs.linuxfoundation.org/elf/elf.pdf
    machines = {path.read_bytes()[18:20] for path in libraries}
    assert machines == {b"\xb7\x00"}, "EM_AARCH64 is 183"


def test_sam_packages_what_another_account_can_deploy(sam: SamCli) -> None:
    sam.aws.client("s3").create_bucket(Bucket="packages")
    packaged = sam.folder / "packaged.yaml"
    sam.succeed("package", "--s3-bucket", "packages", "--output-template-file", str(packaged))
    places = re.findall(r"CodeUri: s3://packages/(\S+)", packaged.read_text())
    kept = sam.aws.client("s3").list_objects_v2(Bucket="packages")["Contents"]
    assert len(set(places)) == 3
    assert set(places) < {entry["Key"] for entry in kept}, "and the state machine beside them"


def test_what_sam_deploys_decides_and_follows_its_parameters(sam: SamCli, images: Path) -> None:
    unsure = images / "kick-scooter.png"
    first = sam.deploy()
    assert sam.decide(first, images / "large-motorcycle.jpg").label == "motorcycle"
    assert sam.decide(first, unsure).decision == "review"

    second = sam.deploy("--parameter-overrides", "ConfidenceThreshold=0.5")
    assert second["DecisionsTable"] == first["DecisionsTable"]
    assert Follower(sam.aws, second).decide(unsure, "again.png").decision == "accepted"

    third = sam.deploy("--parameter-overrides", "WorkflowType=EXPRESS")
    assert (third["WorkflowType"], third["ConfidenceThreshold"]) == ("EXPRESS", "0.5")
    assert third["StateMachineArn"] != second["StateMachineArn"]
    assert Follower(sam.aws, third).decide(unsure, "once-more.png").decision == "accepted"


def test_sam_deploys_express_from_the_production_environment(sam: SamCli, images: Path) -> None:
    sam.succeed("deploy", "--config-env", "production", "--no-confirm-changeset")
    outputs = stack_outputs(sam.cloudformation, f"{STACK}-production")
    assert outputs["WorkflowType"] == "EXPRESS"
    assert sam.decide(outputs, images / "large-motorcycle.jpg").label == "motorcycle"
    sam.succeed("delete", "--config-env", "production", "--no-prompts")
    assert not exists(sam.cloudformation, f"{STACK}-production")


def test_a_parameter_out_of_bounds_is_refused_with_its_description(sam: SamCli) -> None:
    before = sam.describe()
    done = sam.run(
        "deploy", "--no-confirm-changeset", "--parameter-overrides", "ConfidenceThreshold=7"
    )
    assert done.returncode
    assert "a probability, from 0 to 1" in done.stdout + done.stderr
    assert sam.describe() == before
