"""What create_endpoint asks AWS for: training job, quotas, roles, names, refusals."""

import io
import json
import re
import tarfile
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError
from botocore.stub import ANY, Stubber

from model import create_endpoint
from model.endpoint import hosting, training_job
from model.endpoint import place as endpoint
from model.endpoint.place import EndpointError, Place
from model.endpoint.role import serving, training
from model.endpoint.storage import packed_model
from model.endpoint.training_job import Training, image_of, job_request, source
from model.training.telemetry import METRIC_DEFINITIONS, METRICS

REGION, ACCOUNT = "eu-central-1", "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scones:1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/training"
WANTED = Training(
    "s3://pictures/train", "s3://pictures/test", "ml.c5.2xlarge", False, {"epochs": 2}
)


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(hosting, "ROLE_PAUSE_S", 0)
    monkeypatch.setattr(training_job, "POLL_S", 0)
    session = boto3.Session("test", "test", region_name=REGION)
    return Place("scones", ACCOUNT, REGION, "aws", session)


@pytest.fixture
def job(where: Place, monkeypatch: pytest.MonkeyPatch) -> Stubber:
    """SageMaker, stubbed; role and sources are made by what the tests with moto exercise."""
    monkeypatch.setattr(training_job, "ensure_role", lambda *_: ROLE)
    monkeypatch.setattr(training_job, "upload", lambda *_: "s3://own/training/s.tar.gz")
    stubber = Stubber(where.client("sagemaker"))
    stubber.activate()
    return stubber


def status(state: str, secondary: str, **more: Any) -> dict[str, Any]:
    described = training_job_response()
    return described | {"TrainingJobStatus": state, "SecondaryStatus": secondary} | more


def training_job_response() -> dict[str, Any]:
    """What botocore demands of a DescribeTrainingJob answer."""
    return {
        "TrainingJobName": "job",
        "TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/job",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://own/models/job/output/model.tar.gz"},
        "AlgorithmSpecification": {"TrainingInputMode": "File"},
        "ResourceConfig": {"VolumeSizeInGB": 30},
        "StoppingCondition": {},
        "CreationTime": 0,
    }


def started(job: Stubber) -> None:
    arn = {"TrainingJobArn": f"arn:aws:sagemaker:{REGION}:{ACCOUNT}:training-job/job"}
    request = job_request(
        Place("scones", ACCOUNT, REGION, "aws", None), "x", WANTED, IMAGE, ROLE, "s3://a/b"
    )
    job.add_response("create_training_job", arn, dict.fromkeys(request, ANY))


def test_a_training_job_runs_to_its_model(
    where: Place, job: Stubber, capsys: pytest.CaptureFixture[str]
) -> None:
    job.add_client_error(
        "create_training_job", "ValidationException", "Could not assume role arn:..."
    )
    started(job)
    job.add_response("describe_training_job", status("InProgress", "Training"))
    figures = [{"MetricName": "oof:accuracy", "Value": 0.98, "Timestamp": 0}]
    done = status("Completed", "Completed", FinalMetricDataList=figures)
    job.add_response("describe_training_job", done)
    address = training_job.train(where, WANTED, IMAGE)
    assert address == "s3://own/models/job/output/model.tar.gz"
    assert "oof:accuracy=0.9800" in capsys.readouterr().out
    job.assert_no_pending_responses()


def test_a_failed_training_job_tells_aws_s_reason(where: Place, job: Stubber) -> None:
    started(job)
    failed = status("Failed", "Failed", FailureReason="AlgorithmError: no pictures")
    job.add_response("describe_training_job", failed)
    with pytest.raises(EndpointError, match="is Failed: AlgorithmError: no pictures"):
        training_job.train(where, WANTED, IMAGE)


def test_ctrl_c_stops_the_training_job(
    where: Place, job: Stubber, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(training_job, "wait", interrupt)
    started(job)
    job.add_response("stop_training_job", {}, {"TrainingJobName": ANY})
    with pytest.raises(KeyboardInterrupt):
        training_job.train(where, WANTED, IMAGE)
    job.assert_no_pending_responses()


def test_a_training_quota_is_named_with_spot(where: Place, job: Stubber) -> None:
    job.add_client_error("create_training_job", "ResourceLimitExceeded", "limit is 0 Instances")
    with pytest.raises(EndpointError, match="`ml.c5.2xlarge for spot training job usage`"):
        training_job.train(where, WANTED, IMAGE)


@pytest.mark.parametrize(
    ("kind", "quota"),
    [
        ("ml.c5.large", "`ml.c5.large for endpoint usage`"),
        (None, "`Maximum total concurrency across serverless endpoints`"),
    ],
    ids=["real-time", "serverless"],
)
def test_an_endpoint_quota_is_named(where: Place, kind: str | None, quota: str) -> None:
    wanted = hosting.Hosting(kind, 1, 2, 100, 0)
    with Stubber(where.client("sagemaker")) as stubber:
        stubber.add_client_error("describe_endpoint", "ValidationException")
        stubber.add_client_error("create_endpoint", "ResourceLimitExceeded", "limit is 0")
        with pytest.raises(EndpointError, match=re.escape(quota)):
            hosting.ensure_endpoint(where, "config", wanted)


def test_another_refusal_is_passed_on_as_it_is(where: Place) -> None:
    refused = ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "CreateEndpoint")
    assert hosting.quota_error(where, refused, None, "") is refused


def test_the_job_trains_in_script_mode_on_spot(where: Place) -> None:
    request = job_request(where, "job", WANTED, IMAGE, ROLE, "s3://own/source.tar.gz")
    values = {key: json.loads(value) for key, value in request["HyperParameters"].items()}
    assert values["sagemaker_program"] == "model/train.py"
    assert values["sagemaker_submit_directory"] == "s3://own/source.tar.gz"
    assert values["epochs"] == 2
    assert request["EnableManagedSpotTraining"] is True
    limits = request["StoppingCondition"]
    assert limits["MaxWaitTimeInSeconds"] >= limits["MaxRuntimeInSeconds"]
    assert [c["ChannelName"] for c in request["InputDataConfig"]] == ["training", "test"]
    assert request["AlgorithmSpecification"]["MetricDefinitions"] == METRIC_DEFINITIONS


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_s_regex_reads_what_training_says(
    metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.training.telemetry import say

    say("epoch 1", **{metric.replace(":", "__"): 0.25})
    [regex] = [d["Regex"] for d in METRIC_DEFINITIONS if d["Name"] == metric]
    assert re.findall(regex, capsys.readouterr().out) == ["0.2500"]


def test_the_sources_hold_the_program_and_its_requirements() -> None:
    with tarfile.open(fileobj=io.BytesIO(source())) as tar:
        names = tar.getnames()
    wanted = {"model/train.py", "model/training/telemetry.py", "cli/errors.py", "requirements.txt"}
    assert wanted <= set(names)
    assert source() == source()


def test_a_region_without_the_usual_container_asks_for_one() -> None:
    assert image_of(Place("a", ACCOUNT, REGION, "aws", None)).startswith("763104351884.dkr.ecr.eu")
    with pytest.raises(EndpointError, match="--training-image"):
        image_of(Place("a", ACCOUNT, "cn-north-1", "aws-cn", None))


def test_the_roles_allow_no_more_than_their_own(where: Place) -> None:
    for document in (serving(where, IMAGE), training(where, IMAGE, ["s3://pictures/train"])):
        for statement in document["Statement"]:
            assert not any("*" in action for action in statement["Action"])
            if statement["Resource"] == "*":  # where AWS knows no narrower resource
                [action] = statement["Action"]
                assert action in ("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken")
    read = training(where, IMAGE, ["s3://pictures/train"])["Statement"][0]
    assert read["Resource"] == ["arn:aws:s3:::pictures/train/*"]


def test_long_names_fit_and_stay_apart() -> None:
    names = [endpoint.fitted("a" * 60 + end, "-123-eu", 63) for end in "xy"]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 and name.endswith("-123-eu") for name in names)


def test_the_default_name_is_the_template_s() -> None:
    text = "  EndpointName:\n    Type: String\n    Default: abc\n  Other:\n    Default: x\n"
    assert endpoint.parameter("Default", text) == "abc"
    assert endpoint.default_name() == "scones-image-classifier"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "Capital"], "63 lower-case"),
        (["--instance-type", "ml.t2.medium"], "burstable"),
        (["--capture-percentage", "101"], "0 to 100"),
        (["--min-instances", "4"], "not below the first"),
        (["--pictures-per-minute", "0"], "at least 1"),
        (["--image", "python:3"], "private ECR"),
        (["--train", "pictures"], "s3://my-bucket"),
        (["--model", "tests"], "holds no model.onnx"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_before_aws_is_asked(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create_endpoint.main(["--yes", *arguments]) == 2
    assert message in capsys.readouterr().err


def test_the_archive_is_the_same_for_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    assert packed_model(tmp_path) == packed_model(tmp_path)
    assert packed_model(tmp_path)[0] == "without a card"
