"""The training job that the SageMaker Python SDK starts, against the embedded AWS."""

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.validate import ParamValidator

from model import create_endpoint
from model.endpoint import training_job
from model.endpoint.artifacts import packed
from model.endpoint.place import EndpointError, Place
from model.endpoint.training_job import Training
from model.training.telemetry import METRIC_DEFINITIONS
from tests.support.endpoint import Aws
from tests.support.project import ROOT

pytestmark = [
    pytest.mark.skipif(
        find_spec("sagemaker") is None,
        reason="the SageMaker SDK (1 GB) is not installed: make .venv/.extra-endpoint",
    ),
    pytest.mark.filterwarnings("ignore"),  # of the SDK and of what it imports
]
WANTED = Training("s3://pictures/train", "s3://pictures/test", "ml.c5.2xlarge", False, 2)
IMAGE = "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.10.0-cpu-py313"
ROLE = "arn:aws:iam::123456789012:role/training"


@pytest.fixture
def where(aws: Aws) -> Place:
    """Return the place of an endpoint whose bucket and training role are there."""
    aws.client("s3").create_bucket(Bucket=aws.bucket)
    trust = {
        "Effect": "Allow",
        "Principal": {"Service": "sagemaker.amazonaws.com"},
        "Action": "sts:AssumeRole",
    }
    iam = aws.client("iam")
    if "training" not in {role["RoleName"] for role in iam.list_roles()["Roles"]}:
        policy = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
        iam.create_role(RoleName="training", AssumeRolePolicyDocument=policy)
    return create_endpoint.place(aws.name)


def started(aws: Aws) -> dict[str, Any]:
    """Return the description of the one training job of the endpoint."""
    sagemaker = aws.client("sagemaker")
    [name] = [
        job["TrainingJobName"]
        for job in sagemaker.list_training_jobs()["TrainingJobSummaries"]
        if job["TrainingJobName"].startswith(aws.name)
    ]
    found = sagemaker.describe_training_job(TrainingJobName=name)
    assert isinstance(found, dict)
    return found


def test_what_a_training_job_made_is_served(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(*given: Any) -> str:
        """Put a model where the job says: the embedded AWS trains nothing."""
        address = training_job.train(*given)
        bucket, _, key = address.removeprefix("s3://").partition("/")
        model = packed(ROOT / "model/pretrained")
        aws.client("s3").put_object(Bucket=bucket, Key=key, Body=model)
        return address

    monkeypatch.setattr(create_endpoint, "train", train)
    assert aws.create("--train", "s3://pictures/train", "--epochs", "1") == 0
    job = started(aws)
    assert aws.container()["ModelDataUrl"] == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert job["RoleArn"].partition("role/")[2].startswith(f"endpoint-{aws.name}-TrainingRole")


def test_the_job_trains_on_spot_with_metrics_and_checkpoints(aws: Aws, where: Place) -> None:
    address = training_job.train(where, WANTED, IMAGE, ROLE)
    job = started(aws)
    assert address == job["ModelArtifacts"]["S3ModelArtifacts"]
    assert address.startswith(f"s3://{aws.bucket}/models/")
    assert job["EnableManagedSpotTraining"] is True
    limits = job["StoppingCondition"]
    assert limits["MaxWaitTimeInSeconds"] >= limits["MaxRuntimeInSeconds"]
    channels = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job["InputDataConfig"]
    }
    assert channels["training"] == "s3://pictures/train/"
    assert channels["test"] == "s3://pictures/test/"
    own = f"s3://{aws.bucket}/training/"
    assert all(channels[name].startswith(own) for name in ("code", "sm_drivers"))
    assert job["CheckpointConfig"]["S3Uri"].startswith(own)
    assert job["AlgorithmSpecification"]["TrainingImage"] == IMAGE


def test_the_request_reads_the_metrics_that_training_prints(
    where: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The embedded AWS describes metrics of its own, whatever a job was asked for."""
    monkeypatch.setenv(*next(iter(training_job.SKIP_ROLE_VALIDATION.items())))
    training_job.copy_sources(tmp_path)
    trainer = training_job.trainer_of(where, WANTED, IMAGE, ROLE, tmp_path)
    request = trainer._create_training_job_args(boto3=True)
    assert request["AlgorithmSpecification"]["MetricDefinitions"] == METRIC_DEFINITIONS
    shape = where.client("sagemaker").meta.service_model.operation_model("CreateTrainingJob")
    assert not ParamValidator().validate(request, shape.input_shape).has_errors()


def test_the_job_s_sources_are_the_packages_and_their_requirements(
    aws: Aws, where: Place, tmp_path: Path
) -> None:
    training_job.train(where, WANTED, IMAGE, ROLE)
    s3 = aws.client("s3")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=aws.bucket, Prefix="training/")
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    code = [key for key in keys if "/code/" in key]
    names = {key.partition("/code/")[2] for key in code}
    sources = {"cli/errors.py", "model/train.py", "model/training/telemetry.py"}
    assert sources | {"requirements.txt"} <= names
    [script] = [key for key in keys if key.endswith("sm_train.sh")]
    text = s3.get_object(Bucket=aws.bucket, Key=script)["Body"].read().decode()
    assert "\npython -m model.train --epochs 2\n" in text
    assert "install_requirements.py requirements.txt" in text
    for key in code:
        path = tmp_path / key.partition("/code/")[2]
        path.parent.mkdir(parents=True, exist_ok=True)
        s3.download_file(aws.bucket, key, str(path))
    # The modules that training imports are all there: their own names resolve in the copy alone.
    program = "import model.training.telemetry as t; print(t.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith(str(tmp_path))


def test_ctrl_c_stops_the_training_job(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker.core.resources import TrainingJob

    stopped: list[str] = []

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(TrainingJob, "wait", interrupt)
    # moto has no StopTrainingJob.
    monkeypatch.setattr(TrainingJob, "stop", lambda job: stopped.append(job.training_job_name))
    with pytest.raises(KeyboardInterrupt):
        training_job.train(where, WANTED, IMAGE, ROLE)
    assert len(stopped) == 1


def test_a_failed_training_job_tells_aws_s_reason(
    where: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sagemaker.core.resources import TrainingJob

    refresh = TrainingJob.refresh

    def failed(self: Any) -> Any:
        refresh(self)
        self.training_job_status = "Failed"
        self.failure_reason = "AlgorithmError: no pictures"
        return self

    monkeypatch.setattr(TrainingJob, "refresh", failed)
    with pytest.raises(EndpointError, match="is Failed: AlgorithmError: no pictures"):
        training_job.train(where, WANTED, IMAGE, ROLE)


def test_a_training_quota_is_named_with_spot(where: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from sagemaker.core.resources import TrainingJob

    def refused(*_: object, **__: object) -> None:
        said = {"Code": "ResourceLimitExceeded", "Message": "limit is 0 Instances"}
        raise ClientError({"Error": said}, "CreateTrainingJob")

    monkeypatch.setattr(TrainingJob, "create", refused)
    with pytest.raises(EndpointError, match="`ml.c5.2xlarge for spot training job usage`"):
        training_job.train(where, WANTED, IMAGE, ROLE)


@pytest.mark.parametrize(
    ("region", "account"), [("eu-central-1", "763104351884"), ("cn-north-1", "727897471807")]
)
def test_the_container_is_that_of_the_region(region: str, account: str) -> None:
    place = Place("a", "123456789012", region, boto3.Session(region_name=region))
    image = training_job.image_of(place, "ml.c5.2xlarge")
    assert image.startswith(f"{account}.dkr.ecr.{region}.amazonaws.com")
    assert image.endswith("/pytorch-training:2.10.0-cpu-py313")
