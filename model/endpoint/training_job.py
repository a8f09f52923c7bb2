"""model/train.py as a SageMaker training job: the AWS PyTorch container in script mode, on spot."""

import argparse
import json
import re
import time
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model.endpoint.hosting import patient, quota_error
from model.endpoint.place import ROOT, EndpointError, Place
from model.endpoint.role import ensure_role, training
from model.endpoint.storage import archive, upload
from model.training.telemetry import METRIC_DEFINITIONS

# Account 763104351884 holds the containers of these regions; elsewhere give --training-image:
# https://docs.aws.amazon.com/sagemaker/latest/dg-ecr-paths/sagemaker-algo-docker-registry-paths.html
CONTAINERS, CONTAINER = "763104351884", "pytorch-training:2.10.0-cpu-py313"
REGIONS = (
    *("us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1"),
    *("eu-central-1", "eu-north-1", "eu-west-1", "eu-west-2", "eu-west-3"),
    *("ap-northeast-1", "ap-northeast-2", "ap-south-1", "ap-southeast-1", "ap-southeast-2"),
)
LONGEST_S = 4 * 3600  # a run takes well under an hour
LONGEST_WAIT_S = 8 * 3600  # with the waiting for spot capacity
POLL_S = 20.0


@dataclass(frozen=True)
class Training:
    """What to train on and where; addresses begin with s3://."""

    data: str
    test: str | None
    instance_type: str
    on_demand: bool
    hyperparameters: dict[str, int]

    @staticmethod
    def of(options: argparse.Namespace) -> "Training":
        """Read it from create_endpoint's command line; raise EndpointError for no address."""
        for flag, address in (("--train", options.train), ("--test", options.test)):
            if address and not re.fullmatch(r"s3://[a-z0-9.-]{3,63}(/.*)?", address):
                raise EndpointError(f"{flag} {address}: an address such as s3://my-bucket/pictures")
        chosen = {"epochs": options.epochs} if options.epochs else {}
        return Training(
            options.train, options.test, options.training_type, options.on_demand, chosen
        )


def image_of(place: Place) -> str:
    """Return the AWS PyTorch training container of the region."""
    if place.region not in REGIONS:
        raise EndpointError(
            f"{place.region} keeps the PyTorch container in another account: give"
            " --training-image, from https://github.com/aws/deep-learning-containers"
        )
    return f"{CONTAINERS}.dkr.ecr.{place.region}.amazonaws.com/{CONTAINER}"


def source() -> bytes:
    """Return sourcedir.tar.gz: the packages cli and model, with requirements.txt at its top."""
    paths = [path for package in ("cli", "model") for path in (ROOT / package).rglob("*.py")]
    files = [(path.relative_to(ROOT).as_posix(), path) for path in paths]
    return archive([*files, ("requirements.txt", ROOT / "model/training/requirements.txt")])


def job_request(
    place: Place, name: str, wanted: Training, image: str, role: str, sources: str
) -> dict[str, Any]:
    """Return the request of CreateTrainingJob."""
    # Script mode reads every value as JSON.
    values: dict[str, object] = {
        **wanted.hyperparameters,
        "sagemaker_program": "model/train.py",
        "sagemaker_submit_directory": sources,
        "sagemaker_region": place.region,
        "sagemaker_job_name": name,
        "sagemaker_container_log_level": 20,
    }
    stopping = {"MaxRuntimeInSeconds": LONGEST_S}
    if not wanted.on_demand:
        stopping["MaxWaitTimeInSeconds"] = LONGEST_WAIT_S
    return {
        "TrainingJobName": name,
        "AlgorithmSpecification": {
            "TrainingImage": image,
            "TrainingInputMode": "File",
            "MetricDefinitions": METRIC_DEFINITIONS,
        },
        "RoleArn": role,
        "HyperParameters": {key: json.dumps(value) for key, value in values.items()},
        "InputDataConfig": [
            channel(name, address)
            for name, address in (("training", wanted.data), ("test", wanted.test))
            if address
        ],
        "OutputDataConfig": {"S3OutputPath": f"s3://{place.bucket}/models"},
        "ResourceConfig": {
            "InstanceType": wanted.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": 30,
        },
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": not wanted.on_demand,
        # What train.py has finished outlives a reclaimed spot instance.
        "CheckpointConfig": {"S3Uri": f"s3://{place.bucket}/training/{name}/checkpoints"},
        "Tags": place.tag_list(),
    }


def channel(name: str, address: str) -> dict[str, Any]:
    """Return an input channel; the slash keeps s3://b/data from matching s3://b/data-old."""
    prefix = {"S3DataType": "S3Prefix", "S3Uri": address.rstrip("/") + "/"}
    where = {"S3DataSource": prefix | {"S3DataDistributionType": "FullyReplicated"}}
    return {"ChannelName": name, "DataSource": where}


def train(place: Place, wanted: Training, image: str) -> str:
    """Run the job to its end; return the s3:// address of its model.tar.gz."""
    addresses = [address for address in (wanted.data, wanted.test) if address]
    role = ensure_role(place, "training", training(place, image, addresses))
    sources = upload(place, "training", "sourcedir.tar.gz", source())
    name = f"{place.name[:40].rstrip('-')}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}"
    request = job_request(place, name, wanted, image, role, sources)
    sagemaker = place.client("sagemaker")
    use = "training job usage" if wanted.on_demand else "spot training job usage"
    try:
        patient(lambda: sagemaker.create_training_job(**request))
    except ClientError as error:
        raise quota_error(place, error, wanted.instance_type, use) from error
    print(f"training job {name}: started; its log group is /aws/sagemaker/TrainingJobs")
    try:
        return wait(place, name)
    except KeyboardInterrupt:
        sagemaker.stop_training_job(TrainingJobName=name)
        print(f"\ntraining job {name}: stopped")
        raise


def wait(place: Place, name: str) -> str:
    """Tell status and figures until the job ends; return the address of its model."""
    started, told = time.monotonic(), ""
    while True:
        found = place.client("sagemaker").describe_training_job(TrainingJobName=name)
        figures = " ".join(
            f"{metric['MetricName']}={metric['Value']:.4f}"
            for metric in found.get("FinalMetricDataList", [])
        )
        text = f"{found['SecondaryStatus']} {figures}".strip()
        if text != told:
            print(f"training job {name}: {text} ({time.monotonic() - started:.0f} s)", flush=True)
            told = text
        status = found["TrainingJobStatus"]
        if status == "Completed":
            return str(found["ModelArtifacts"]["S3ModelArtifacts"])
        if status in ("Failed", "Stopped"):
            raise EndpointError(
                f"the training job {name} is {status}: {found.get('FailureReason', 'no reason')};"
                " see the log group /aws/sagemaker/TrainingJobs"
            )
        time.sleep(POLL_S)
