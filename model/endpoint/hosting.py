"""SageMaker's side: model, endpoint config, endpoint, scaling; the wait and the first picture."""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from model.endpoint.place import VARIANT, EndpointError, Place, code_of, message_of
from model.endpoint.scaling import remove_scaling

POLL_S = 15.0
# A role made a moment ago is unknown to SageMaker for some seconds (IAM is eventually consistent).
ROLE_TRIES, ROLE_PAUSE_S = 12, 5.0
CHANGING = ("Creating", "Updating", "SystemUpdating", "RollingBack")
SERVERLESS = {"MemorySizeInMB": 2048, "MaxConcurrency": 10}


@dataclass(frozen=True)
class Hosting:
    """How the endpoint serves; instance_type None means serverless."""

    instance_type: str | None
    instances: int  # at least
    max_instances: int
    target: int  # pictures a minute for one instance, before another one is started
    capture_percentage: int  # of requests; 0 captures nothing


def named(place: Place, request: dict[str, Any]) -> str:
    """Return a name that tells what is asked for: the same request, the same name."""
    digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()[:10]
    return f"{place.name[:52].rstrip('-')}-{digest}"


def config_request(place: Place, model: str, hosting: Hosting) -> dict[str, Any]:
    """Return the request of CreateEndpointConfig, its name left out."""
    variant: dict[str, Any] = {"VariantName": VARIANT, "ModelName": model}
    if not hosting.instance_type:  # which knows no data capture and no instances
        return {"ProductionVariants": [variant | {"ServerlessConfig": SERVERLESS}]}
    variant |= {
        "InstanceType": hosting.instance_type,
        "InitialInstanceCount": hosting.instances,
        "InitialVariantWeight": 1.0,
    }
    request: dict[str, Any] = {"ProductionVariants": [variant]}
    if hosting.capture_percentage:
        request["DataCaptureConfig"] = capture_config(place.bucket, hosting.capture_percentage)
    return request


def capture_config(bucket: str, percentage: int) -> dict[str, Any]:
    """Return the DataCaptureConfig that keeps so many of 100 requests and answers in a bucket."""
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": percentage,
        "DestinationS3Uri": f"s3://{bucket}/captures",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        # Answers stay readable text; pictures are written as base64 in any case.
        "CaptureContentTypeHeader": {"JsonContentTypes": ["application/json"]},
    }


def ensure_model(place: Place, image: str, data: str, role: str) -> str:
    """Make the SageMaker model of an image and a model.tar.gz, or find it; return its name."""
    container = {"Image": image, "ModelDataUrl": data}
    request = {"PrimaryContainer": container, "ExecutionRoleArn": role}
    name = named(place, request)
    sagemaker = place.client("sagemaker")
    if not exists(lambda: sagemaker.describe_model(ModelName=name)):
        patient(
            lambda: sagemaker.create_model(ModelName=name, **request, Tags=place.tag_list()),
        )
        print(f"model {name}: created")
    return name


def ensure_config(place: Place, model: str, hosting: Hosting) -> str:
    """Make the endpoint config, or find it; return its name."""
    request = config_request(place, model, hosting)
    name = named(place, request)
    sagemaker = place.client("sagemaker")
    if not exists(lambda: sagemaker.describe_endpoint_config(EndpointConfigName=name)):
        sagemaker.create_endpoint_config(EndpointConfigName=name, **request, Tags=place.tag_list())
        print(f"endpoint config {name}: created")
    return name


def exists(describe: Callable[[], object]) -> bool:
    """Whether a describe call finds something; SageMaker says ValidationException if not."""
    try:
        describe()
    except ClientError as error:
        if code_of(error) in ("ValidationException", "ResourceNotFound"):
            return False
        raise
    return True


def patient(call: Callable[[], Any]) -> Any:
    """Make a call that needs a role which AWS may not know yet."""
    for attempt in range(ROLE_TRIES):
        try:
            return call()
        except ClientError as error:
            young = "role" in message_of(error).lower() and code_of(error) == "ValidationException"
            if not young or attempt == ROLE_TRIES - 1:
                raise
            if not attempt:
                print("waiting until SageMaker knows the new role")
            time.sleep(ROLE_PAUSE_S)
    raise AssertionError("the last attempt returns or raises")


def described(place: Place) -> dict[str, Any] | None:
    """Return what SageMaker says about the endpoint, None if there is none."""
    found: list[dict[str, Any]] = []
    sagemaker = place.client("sagemaker")
    if exists(lambda: found.append(sagemaker.describe_endpoint(EndpointName=place.name))):
        return found[0]
    return None


def instance_type(place: Place, config: str) -> str | None:
    """Return the instance type in an endpoint config, None if it is serverless."""
    found = place.client("sagemaker").describe_endpoint_config(EndpointConfigName=config)
    kind = found["ProductionVariants"][0].get("InstanceType")
    return str(kind) if kind else None


def ensure_endpoint(place: Place, config: str, hosting: Hosting) -> None:
    """Create the endpoint, or update it without downtime; wait until it serves the config."""
    sagemaker, before = place.client("sagemaker"), described(place)
    if before and before["EndpointStatus"] in CHANGING:
        print(f"endpoint {place.name}: {before['EndpointStatus']}, waiting for that first")
        before = wait(place)
    if before and before["EndpointStatus"] == "Failed":
        raise EndpointError(
            f"the endpoint {place.name} has failed: {before.get('FailureReason', 'no reason')};"
            f" python -m model.delete_endpoint --name {place.name} --keep-captures, then again"
        )
    try:
        if not before:
            sagemaker.create_endpoint(
                EndpointName=place.name, EndpointConfigName=config, Tags=place.tag_list()
            )
            print(f"endpoint {place.name}: being created, which takes 3 to 8 minutes")
        elif before["EndpointConfigName"] == config:
            print(f"endpoint {place.name}: serves this already")
            return
        else:
            update(place, before["EndpointConfigName"], config, hosting)
    except ClientError as error:
        raise quota_error(place, error, hosting.instance_type, "endpoint usage") from error
    after = wait(place)
    if after["EndpointStatus"] != "InService" or after["EndpointConfigName"] != config:
        raise EndpointError(
            f"the endpoint {place.name} is {after['EndpointStatus']} and does not serve {config}:"
            f" {after.get('FailureReason', 'no reason is given')}; the server's own words are in"
            f" the log group /aws/sagemaker/Endpoints/{place.name}"
        )


def update(place: Place, old: str, new: str, hosting: Hosting) -> None:
    """Start the change to another config; the old instances serve until the new ones do."""
    was = instance_type(place, old)
    if bool(was) != bool(hosting.instance_type):
        raise EndpointError(
            f"{place.name} is {'real-time' if was else 'serverless'}, and SageMaker cannot change"
            f" that: python -m model.delete_endpoint --name {place.name} --keep-captures, then"
            " again, or take another --name"
        )
    if was != hosting.instance_type:
        remove_scaling(place)  # SageMaker refuses another type while a policy scales the old one
    request: dict[str, Any] = {"EndpointName": place.name, "EndpointConfigName": new}
    if was:  # the number of instances that scaling has reached stays; what is captured may change
        request["RetainAllVariantProperties"] = True
        changing = [{"VariantPropertyType": "DataCaptureConfig"}]
        request["ExcludeRetainedVariantProperties"] = changing
    place.client("sagemaker").update_endpoint(**request)
    print(f"endpoint {place.name}: being updated; the old model serves until the new one does")


def wait(place: Place) -> dict[str, Any]:
    """Tell the status until it settles; return what SageMaker says about the endpoint."""
    started = time.monotonic()
    while True:
        found = described(place)
        if found is None:
            raise EndpointError(f"the endpoint {place.name} was deleted meanwhile")
        status = found["EndpointStatus"]
        print(f"endpoint {place.name}: {status} ({time.monotonic() - started:.0f} s)", flush=True)
        if status not in (*CHANGING, "Deleting"):
            return found
        time.sleep(POLL_S)


def delete_made(place: Place, keep_config: str = "", keep_model: str = "") -> None:
    """Delete the configs and models that these commands made for the endpoint, but those kept."""
    sagemaker = place.client("sagemaker")
    made = place.name[:52].rstrip("-")  # as in `named`
    for kind, listing, keep in (
        ("endpoint config", "EndpointConfig", keep_config),
        ("model", "Model", keep_model),
    ):
        verb = "endpoint_config" if listing == "EndpointConfig" else "model"
        pages = sagemaker.get_paginator(f"list_{verb}s").paginate(NameContains=made)
        found = [item for page in pages for item in page[f"{listing}s"]]
        for item in found:
            name = item[f"{listing}Name"]
            tags = sagemaker.list_tags(ResourceArn=item[f"{listing}Arn"])["Tags"]
            # Another endpoint's name may contain this one: the tags tell whose it is.
            if name != keep and all(tag in tags for tag in place.tag_list()):
                getattr(sagemaker, f"delete_{verb}")(**{f"{listing}Name": name})
                print(f"{kind} {name}: deleted")


def quota_error(
    place: Place, error: ClientError, kind: str | None, use: str
) -> ClientError | EndpointError:
    """Return what to raise for a refused call: which quota to ask for, if it is one."""
    if code_of(error) != "ResourceLimitExceeded":
        return error
    quota = f"{kind} for {use}" if kind else "Maximum total concurrency across serverless endpoints"
    return EndpointError(
        f"AWS refuses: {message_of(error)}\nAsk for a higher quota `{quota}` in {place.region}:"
        f" https://{place.region}.console.aws.amazon.com/servicequotas/home/services/sagemaker/"
        "quotas (often granted within a day), or choose another --instance-type"
    )
