"""Deploy a SAM template through CloudFormation: package, translate, create or update."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError
from moto.core.models import DEFAULT_ACCOUNT_ID

from local import template as sam
from local.paths import PRETRAINED
from model.endpoint.artifacts import card_key, card_of, packed, version_of
from model.endpoint.place import TEMPLATE, bucket_name, stack_name

ARTIFACTS_BUCKET = "deployment-artifacts"
MODEL_KEY = "models/embedded/model.tar.gz"

Client = Callable[[str], Any]


def deploy(
    client: Client,
    path: Path,
    stack: str,
    parameters: Mapping[str, str],
    region: str,
    capture_percentage: int = 0,
    model: Path = PRETRAINED,
) -> dict[str, str]:
    """Create the stack, or update it, and the endpoint that its template points at.

    capture_percentage: of the endpoint's requests that are captured. Returns the stack's Outputs.
    """
    template = sam.load(path)
    s3 = client("s3")
    s3.create_bucket(Bucket=ARTIFACTS_BUCKET)
    for key, data in sam.package(template, path.parent, ARTIFACTS_BUCKET).items():
        s3.put_object(Bucket=ARTIFACTS_BUCKET, Key=key, Body=data)
    cloudformation = client("cloudformation")
    arguments = {
        "StackName": stack,
        "TemplateBody": json.dumps(sam.translate(template, region)),
        "Parameters": [
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        "Capabilities": ["CAPABILITY_IAM"],
    }
    if exists(cloudformation, stack):
        cloudformation.update_stack(**arguments)
    else:
        cloudformation.create_stack(**arguments)
    outputs = stack_outputs(cloudformation, stack)
    if "EndpointName" in outputs:
        create_endpoint(client, outputs["EndpointName"], capture_percentage, model)
    return outputs


def exists(cloudformation: Any, stack: str) -> bool:
    """Tell whether there is such a stack."""
    try:
        cloudformation.describe_stacks(StackName=stack)
    except ClientError:
        return False
    return True


def stack_outputs(cloudformation: Any, stack: str) -> dict[str, str]:
    """Return a stack's Outputs, by their keys."""
    [described] = cloudformation.describe_stacks(StackName=stack)["Stacks"]
    return {output["OutputKey"]: output["OutputValue"] for output in described["Outputs"]}


def create_endpoint(
    client: Client, name: str, capture_percentage: int = 0, model: Path = PRETRAINED
) -> None:
    """Deploy model/endpoint/template.yaml as `python -m model.create_endpoint` does, unless it is.

    What serves here is not the image that the stack names, but the model server in front of which
    sagemaker_runtime stands. capture_percentage: of requests that are kept in captures_bucket().
    model: the folder whose card is kept there, for ops monitor.
    """
    cloudformation, stack = client("cloudformation"), stack_name(name)
    if exists(cloudformation, stack):
        return
    bucket, region = captures_bucket(client, name), client("s3").meta.region_name
    parameters = {
        "EndpointName": name,
        "BucketName": bucket,
        "Image": f"{DEFAULT_ACCOUNT_ID}.dkr.ecr.{region}.amazonaws.com/{name}:embedded",
        "ModelData": f"s3://{bucket}/{MODEL_KEY}",
        "CapturePercentage": str(capture_percentage),
    }
    cloudformation.create_stack(
        StackName=stack,
        TemplateBody=TEMPLATE.read_text(),
        Parameters=[
            {"ParameterKey": name, "ParameterValue": value} for name, value in parameters.items()
        ],
        Capabilities=["CAPABILITY_IAM"],
    )
    s3 = client("s3")
    s3.put_object(Bucket=bucket, Key=MODEL_KEY, Body=packed(model))  # what create_endpoint reads
    if card := card_of(model):
        s3.put_object(Bucket=bucket, Key=card_key(version_of(card)), Body=json.dumps(card).encode())


def captures_bucket(client: Client, endpoint: str) -> str:
    """Return the bucket of the captures, as `python -m model.create_endpoint` names it."""
    return bucket_name(endpoint, DEFAULT_ACCOUNT_ID, client("s3").meta.region_name)
