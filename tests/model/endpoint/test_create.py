"""create_endpoint and delete_endpoint, end to end against moto."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws
from moto.iam.access_control import PermissionResult
from moto.s3.models import FakeBucket
from moto.sagemaker.models import sagemaker_backends

from model import create_endpoint, delete_endpoint
from model.endpoint import hosting, image
from model.endpoint import place as endpoint
from model.endpoint.place import Place

REGION, ACCOUNT = "eu-central-1", "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scones:1"
NAME = endpoint.default_name()
MANIFEST = json.dumps({"mediaType": "application/vnd.docker.distribution.manifest.v2+json"})
HTTP_OK = SimpleNamespace(status_code=200)


class Aws:
    """moto, with what it lacks of SageMaker answered here after botocore has validated it."""

    def __init__(self) -> None:
        self.session = boto3.Session(region_name=REGION)
        self.updates: list[dict[str, Any]] = []
        self.docker: list[list[str]] = []
        self.place = Place(NAME, ACCOUNT, REGION, "aws", self.session)
        events = self.client("sagemaker").meta.events
        events.register("provide-client-params.sagemaker.UpdateEndpoint", self._remember)
        events.register("before-call.sagemaker.UpdateEndpoint", self._update)
        self.answer = b""

    def client(self, service: str) -> Any:
        return self.place.client(service)

    def listen(self, place: Place) -> None:
        events = place.client("sagemaker-runtime").meta.events
        name = "before-call.sagemaker-runtime.InvokeEndpoint"
        events.register(name, self._invoke, unique_id="invoke")

    def _remember(self, params: dict[str, Any], **_: Any) -> None:
        self.updates.append(params)

    def _update(self, **_: Any) -> tuple[Any, dict[str, str]]:
        served = sagemaker_backends[ACCOUNT][REGION].endpoints[NAME]
        served.endpoint_config_name = self.updates[-1]["EndpointConfigName"]
        return HTTP_OK, {"EndpointArn": served.arn}

    def run_docker(self, arguments: list[str], standard_input: str | None) -> None:
        self.docker.append([*arguments, *([standard_input] if standard_input else [])])
        if arguments[0] == "push":
            self.client("ecr").put_image(
                repositoryName=NAME, imageTag=image.tag(), imageManifest=MANIFEST
            )

    def answers(self, *confidences: tuple[str, float]) -> None:
        """Let the endpoint answer this from now on."""
        inferences = [{"label": label, "confidence": value} for label, value in confidences]
        self.answer = json.dumps({"inferences": inferences, "model": "1"}).encode()

    def _invoke(self, params: dict[str, Any], **_: Any) -> tuple[Any, dict[str, Any]]:
        # moto reads every body as text, and a picture is none.
        assert params["headers"]["Content-Type"] == "image/png"
        return HTTP_OK, {"Body": io.BytesIO(self.answer)}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for key in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(key, "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    # moto overlooks the condition of a Deny: TLS or not, it would refuse every object.
    monkeypatch.setattr(FakeBucket, "get_permission", lambda *_: PermissionResult.NEUTRAL)
    monkeypatch.setattr(hosting, "POLL_S", 0)
    monkeypatch.setattr(delete_endpoint, "POLL_S", 0)
    with mock_aws():
        found = Aws()
        places = {NAME: found.place}

        def of(name: str, region: str | None) -> Place:
            if name not in places:
                places[name] = endpoint.place(name, region)
            found.listen(places[name])
            return places[name]

        monkeypatch.setattr(create_endpoint, "place", of)
        monkeypatch.setattr(delete_endpoint, "place", of)
        monkeypatch.setattr(image.ensure_image, "__defaults__", (found.run_docker,))
        found.answers(("bicycle", 0.99), ("other", 0.01))
        yield found


def create(*arguments: str, image: str = IMAGE) -> int:
    return create_endpoint.main(["--yes", "--image", image, *arguments])


def served(aws: Aws) -> dict[str, Any]:
    """Return the endpoint config in service."""
    config = aws.client("sagemaker").describe_endpoint(EndpointName=NAME)["EndpointConfigName"]
    found = aws.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    assert isinstance(found, dict)
    return found


def other_model(folder: Path) -> Path:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"another graph")
    (folder / "card.json").write_text('{"version": "2"}')
    return folder


def test_it_serves_the_shipped_model_and_captures_into_its_bucket(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create() == 0
    out = capsys.readouterr().out
    assert "about $0.102 an hour" in out
    assert "smoke test: bicycle.png is bicycle (0.990)" in out
    assert "parameter_overrides" not in out
    config = served(aws)
    [variant] = config["ProductionVariants"]
    assert variant["InstanceType"] == "ml.c5.large"
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://{aws.place.bucket}/captures"
    model = aws.client("sagemaker").describe_model(ModelName=variant["ModelName"])
    container = model["PrimaryContainer"]
    assert container["Image"] == IMAGE
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    assert aws.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 1_000_000
    scaling = aws.client("application-autoscaling")
    [target] = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    [policy] = scaling.describe_scaling_policies(ServiceNamespace="sagemaker")["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 3000


def test_its_bucket_is_private_encrypted_tls_only_and_forgets_captures(aws: Aws) -> None:
    create()
    s3, bucket = aws.client("s3"), {"Bucket": aws.place.bucket}
    block = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(block.values())
    rules = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [deny] = json.loads(s3.get_bucket_policy(**bucket)["Policy"])["Statement"]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    expiries = {
        rule["ID"]: rule.get("Expiration", {}).get("Days")
        for rule in s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    }
    assert expiries["captures"] == 30


def test_run_again_it_changes_nothing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    create()
    before = served(aws)
    aws.answers(("bicycle", 0.99))
    capsys.readouterr()
    assert create() == 0
    assert "serves this already" in capsys.readouterr().out
    assert served(aws)["EndpointConfigName"] == before["EndpointConfigName"]
    assert not aws.updates


def test_another_model_is_served_by_an_update_and_the_old_one_is_deleted(
    aws: Aws, tmp_path: Path
) -> None:
    create()
    old = served(aws)
    aws.answers(("bicycle", 0.9))
    assert create("--model", str(other_model(tmp_path / "model"))) == 0
    [update] = aws.updates
    assert update["RetainAllVariantProperties"] is True
    assert update["EndpointConfigName"] != old["EndpointConfigName"]
    sagemaker = aws.client("sagemaker")
    assert [
        c["EndpointConfigName"] for c in sagemaker.list_endpoint_configs()["EndpointConfigs"]
    ] == [update["EndpointConfigName"]]
    assert len(sagemaker.list_models()["Models"]) == 1


def test_scaling_is_removed_before_the_instance_type_changes(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    create()
    aws.answers(("bicycle", 0.9))
    assert create("--instance-type", "ml.m5.large") == 0
    out = capsys.readouterr().out
    assert out.index("scaling: removed") < out.index("being updated")
    assert served(aws)["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"


def test_serverless_has_no_instances_no_scaling_and_no_captures(aws: Aws) -> None:
    assert create("--serverless") == 0
    config = served(aws)
    assert config["ProductionVariants"][0]["ServerlessConfig"]["MemorySizeInMB"] == 2048
    assert "InstanceType" not in config["ProductionVariants"][0]
    scaling = aws.client("application-autoscaling")
    assert not scaling.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]


def test_a_serverless_endpoint_is_updated_without_what_instances_have(
    aws: Aws, tmp_path: Path
) -> None:
    create("--serverless")
    assert create("--serverless", "--model", str(other_model(tmp_path / "model"))) == 0
    assert [set(update) for update in aws.updates] == [{"EndpointName", "EndpointConfigName"}]


def test_real_time_cannot_become_serverless(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    create()
    assert create("--serverless") == 2
    assert "is real-time, and SageMaker cannot change" in capsys.readouterr().err
    assert not aws.updates


def test_what_a_training_job_made_is_served(aws: Aws) -> None:
    assert create("--train", "s3://pictures/train", "--epochs", "1") == 0
    sagemaker = aws.client("sagemaker")
    [job] = sagemaker.list_training_jobs()["TrainingJobSummaries"]
    made = sagemaker.describe_training_job(TrainingJobName=job["TrainingJobName"])
    model = served(aws)["ProductionVariants"][0]["ModelName"]
    container = sagemaker.describe_model(ModelName=model)["PrimaryContainer"]
    assert container["ModelDataUrl"] == made["ModelArtifacts"]["S3ModelArtifacts"]
    # The job can read its sources and write its model: the role and the object are there.
    sources = json.loads(made["HyperParameters"]["sagemaker_submit_directory"])
    bucket, _, key = sources.removeprefix("s3://").partition("/")
    assert aws.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 10_000
    assert made["RoleArn"].endswith(aws.place.role("training"))


@pytest.mark.usefixtures("aws")
def test_another_name_prints_the_override_to_deploy_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert create("--name", "mine") == 0
    assert 'add "EndpointName=mine" to parameter_overrides' in capsys.readouterr().out


def test_the_image_is_built_for_sagemaker_once_and_named_by_digest(aws: Aws) -> None:
    create_endpoint.main(["--yes"])
    build, login, push, logout = aws.docker
    assert build[:4] == ["build", "--platform", "linux/amd64", "--provenance=false"]
    assert login[1:4] == ["--username", "AWS", "--password-stdin"] and login[5]
    assert push[1].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{NAME}:")
    assert logout[0] == "logout"
    model = served(aws)["ProductionVariants"][0]["ModelName"]
    found = aws.client("sagemaker").describe_model(ModelName=model)
    assert f"/{NAME}@sha256:" in found["PrimaryContainer"]["Image"]
    aws.answers(("bicycle", 0.99))
    assert create_endpoint.main(["--yes"]) == 0
    assert len(aws.docker) == 4


def test_a_wrong_first_answer_is_an_error_and_keeps_what_was_before(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    create()
    aws.answers(("other", 0.9), ("bicycle", 0.1))
    assert create("--model", str(other_model(tmp_path / "model"))) == 2
    assert f"{NAME} calls bicycle.png other" in capsys.readouterr().err
    assert len(aws.client("sagemaker").list_models()["Models"]) == 2


def test_without_a_yes_nothing_is_made(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert create_endpoint.main(["--image", IMAGE]) == 1
    assert "an hour" in capsys.readouterr().out
    assert not aws.client("s3").list_buckets()["Buckets"]
    assert not aws.client("iam").list_roles()["Roles"]


def test_delete_removes_all_that_create_made_and_can_run_again(aws: Aws) -> None:
    create_endpoint.main(["--yes"])
    for _ in range(2):
        assert delete_endpoint.main(["--yes"]) == 0
        sagemaker = aws.client("sagemaker")
        assert not sagemaker.list_endpoints()["Endpoints"]
        assert not sagemaker.list_endpoint_configs()["EndpointConfigs"]
        assert not sagemaker.list_models()["Models"]
        assert not aws.client("s3").list_buckets()["Buckets"]
        assert not aws.client("iam").list_roles()["Roles"]
        assert not aws.client("ecr").describe_repositories()["repositories"]
        scaling = aws.client("application-autoscaling")
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker")
        assert not targets["ScalableTargets"]


def test_delete_can_keep_the_captures(aws: Aws) -> None:
    create()
    s3, bucket = aws.client("s3"), aws.place.bucket
    s3.put_object(Bucket=bucket, Key="captures/a/b.jsonl", Body=b"{}")
    assert delete_endpoint.main(["--yes", "--keep-captures"]) == 0
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["captures/a/b.jsonl"]


def test_delete_without_a_yes_deletes_nothing(aws: Aws) -> None:
    create()
    assert delete_endpoint.main([]) == 1
    assert served(aws)


def test_delete_leaves_what_others_made(aws: Aws) -> None:
    create()
    foreign = {"ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/other"}
    container = {"Image": IMAGE, "ModelDataUrl": "s3://other/model.tar.gz"}
    sagemaker = aws.client("sagemaker")
    sagemaker.create_model(ModelName=f"{NAME}-2", PrimaryContainer=container, **foreign)
    aws.client("ecr").create_repository(repositoryName=NAME)
    assert delete_endpoint.main(["--yes"]) == 0
    assert [m["ModelName"] for m in sagemaker.list_models()["Models"]] == [f"{NAME}-2"]
    assert aws.client("ecr").describe_repositories()["repositories"]
