"""model/train.py as a SageMaker training job: the SageMaker Python SDK runs it, on spot."""

import argparse
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

from cli.errors import code_of
from model.endpoint.place import ROOT, EndpointError, Place
from model.endpoint.stack import quota
from model.training.telemetry import METRIC_DEFINITIONS

PYTORCH, PYTHON = "2.10.0", "py313"  # the newest training container that the SDK knows
# The shipped model's training took 83 minutes on two cores (card.json: training_seconds).
LONGEST_S = 4 * 3600
LONGEST_WAIT_S = 8 * 3600  # with the waiting for spot capacity
POLL_S = 20
# The SDK tells its maker of every call unless it is told not to.
SILENT = {
    "SchemaVersion": "1.0",
    "SageMaker": {"PythonSDK": {"Modules": {"TelemetryOptOut": True}}},
}
# The SDK wants a role that may do what any job may need; this one may do what this job needs.
SKIP_ROLE_VALIDATION = {"SAGEMAKER_VALIDATE_ROLE": "false"}


@dataclass(frozen=True)
class Training:
    """What to train on and where; data and test are s3:// addresses of folders per class."""

    data: str
    test: str | None
    instance_type: str
    on_demand: bool
    epochs: int | None

    @staticmethod
    def of(options: argparse.Namespace) -> "Training":
        """Read it from create_endpoint's command line; raise EndpointError for no address."""
        for flag, address in (("--train", options.train), ("--test", options.test)):
            if address and not re.fullmatch(r"s3://[a-z0-9.-]{3,63}/.*[^/].*", address):
                raise EndpointError(f"{flag} {address}: an address such as s3://my-bucket/pictures")
        return Training(
            options.train, options.test, options.training_type, options.on_demand, options.epochs
        )

    def channels(self) -> dict[str, str]:
        """Return the address of each channel; the slash keeps s3://b/data from s3://b/data-old."""
        given = {"training": self.data, "test": self.test}
        return {name: address.rstrip("/") + "/" for name, address in given.items() if address}


def image_of(place: Place, instance_type: str) -> str:
    """Return the AWS PyTorch training container of the region."""
    from sagemaker.core.image_uris import retrieve

    return str(
        retrieve(
            "pytorch",
            region=place.region,
            version=PYTORCH,
            py_version=PYTHON,
            instance_type=instance_type,
            image_scope="training",
        )
    )


def copy_sources(folder: Path) -> None:
    """Copy what the job runs into a folder: cli and model, with requirements.txt at its top."""
    for package in ("cli", "model"):
        for path in (ROOT / package).rglob("*.py"):
            copied = folder / path.relative_to(ROOT)
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copied)
    shutil.copyfile(ROOT / "model/training/requirements.txt", folder / "requirements.txt")


def trainer_of(place: Place, wanted: Training, image: str, role: str, sources: Path) -> Any:
    """Return the SDK's ModelTrainer of a job; nothing is started.

    role: its ARN. sources: what `copy_sources` has filled.
    """
    from sagemaker.core.helper.session_helper import Session
    from sagemaker.core.training.configs import (
        CheckpointConfig,
        Compute,
        InputData,
        MetricDefinition,
        OutputDataConfig,
        SourceCode,
        StoppingCondition,
        Tag,
    )
    from sagemaker.train import ModelTrainer

    job = place.name[:40].rstrip("-")
    session = Session(
        place.session,
        default_bucket=place.bucket,
        default_bucket_prefix="training",
        sagemaker_config=SILENT,
    )
    stopping: dict[str, int] = {"max_runtime_in_seconds": LONGEST_S}
    if not wanted.on_demand:
        stopping["max_wait_time_in_seconds"] = LONGEST_WAIT_S
    trainer = ModelTrainer(
        sagemaker_session=session,
        role=role,
        base_job_name=job,
        training_image=image,
        source_code=SourceCode(
            source_dir=str(sources),
            requirements="requirements.txt",
            # As a module: an entry script would not find the package that it is part of.
            command="python -m model.train",
            args=["--epochs", wanted.epochs] if wanted.epochs else None,
        ),
        compute=Compute(
            instance_type=wanted.instance_type,
            instance_count=1,
            volume_size_in_gb=30,
            enable_managed_spot_training=not wanted.on_demand,
        ),
        stopping_condition=StoppingCondition(**stopping),
        input_data_config=[
            InputData(channel_name=name, data_source=address)
            for name, address in wanted.channels().items()
        ],
        output_data_config=OutputDataConfig(s3_output_path=f"s3://{place.bucket}/models"),
        # What train.py has finished outlives a reclaimed spot instance.
        checkpoint_config=CheckpointConfig(s3_uri=f"s3://{place.bucket}/training/checkpoints"),
        tags=[Tag(key="endpoint", value=place.name)],
    )
    return trainer.with_metric_definitions(
        [MetricDefinition(name=item["Name"], regex=item["Regex"]) for item in METRIC_DEFINITIONS]
    )


def train(place: Place, wanted: Training, image: str, role: str) -> str:
    """Run the job to its end, its log on this terminal; return its model's s3:// address."""
    from botocore.exceptions import ClientError
    from sagemaker.core.utils.exceptions import FailedStatusError

    with tempfile.TemporaryDirectory() as folder, patch.dict(os.environ, SKIP_ROLE_VALIDATION):
        copy_sources(Path(folder))
        trainer = trainer_of(place, wanted, image, role, Path(folder))
        try:
            trainer.train(wait=False, logs=False)
        except ClientError as error:
            if code_of(error) != "ResourceLimitExceeded":
                raise
            use = "training job usage" if wanted.on_demand else "spot training job usage"
            raise EndpointError(
                f"AWS refuses: {error}. {quota(place, wanted.instance_type, use)}"
            ) from error
    job = trainer._latest_training_job  # the SDK has no other way to what train() has started
    print(f"training job {job.training_job_name}: started", flush=True)
    try:
        job.wait(poll=POLL_S, logs=True)
    except KeyboardInterrupt:
        job.stop()
        print(f"\ntraining job {job.training_job_name}: stopped")
        raise
    except FailedStatusError as error:
        raise EndpointError(
            f"the training job {job.training_job_name} is Failed: {job.failure_reason};"
            " see the log group /aws/sagemaker/TrainingJobs"
        ) from error
    if job.training_job_status != "Completed":
        raise EndpointError(
            f"the training job {job.training_job_name} is {job.training_job_status}"
        )
    figures = job.final_metric_data_list or []
    print(" ".join(f"{figure.metric_name}={figure.value:.4f}" for figure in figures))
    return str(job.model_artifacts.s3_model_artifacts)
