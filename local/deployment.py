"""Deploy a SAM template through CloudFormation: package, translate, create or update."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from local import template as sam

ARTIFACTS_BUCKET = "deployment-artifacts"

Client = Callable[[str], Any]


def deploy(
    client: Client, path: Path, stack: str, parameters: Mapping[str, str], region: str
) -> dict[str, str]:
    """Create the stack, or update it, and the endpoint that its template points at.

    Returns the stack's Outputs.
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
        create_endpoint(client("sagemaker"), outputs["EndpointName"])
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
    return {each["OutputKey"]: each["OutputValue"] for each in described["Outputs"]}


def create_endpoint(sagemaker: Any, name: str) -> None:
    """Declare an endpoint as `python -m model.create_endpoint` does, unless there is one."""
    if sagemaker.list_endpoints(NameContains=name)["Endpoints"]:
        return
    sagemaker.create_model(
        ModelName=name,
        PrimaryContainer={"Image": "embedded", "ModelDataUrl": "s3://embedded/model.tar.gz"},
        ExecutionRoleArn="arn:aws:iam::123456789012:role/embedded",
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": name,
        "InitialInstanceCount": 1,
        "InstanceType": "ml.c5.large",
    }
    sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
