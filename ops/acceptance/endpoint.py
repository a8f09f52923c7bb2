"""The endpoint: it serves, captures and scales."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlparse

from cli.terminal import own_command
from ops.acceptance.rows import ABSENT, DIFFERS, GOOD, UNCHECKED, NotChecked, Row
from ops.acceptance.run import Run
from ops.stack.endpoint import described

CAPTURED_S = 600  # SageMaker collects requests for some minutes before it writes a file
VARIANT = "AllTraffic"
CREATE = own_command("model.create_endpoint")


def _serverless(found: dict[str, Any]) -> bool:
    variants = found.get("ProductionVariants", [])
    return any("CurrentServerlessConfig" in variant for variant in variants)


def endpoint(run: Run) -> Row:
    """The endpoint is there and serves."""
    status = described(run.stack).get("EndpointStatus", "Missing")
    return Row(
        "endpoint",
        status,
        "InService",
        GOOD if status == "InService" else DIFFERS,
        where=f"{run.stack.outputs['EndpointName']} in the SageMaker console; {CREATE}",
    )


def captures(run: Run) -> Row:
    """The endpoint captures, and a file of this run arrives."""
    found = described(run.stack)
    what, expected = "captures", "a file"
    if _serverless(found):
        return Row(what, "serverless", expected, ABSENT)
    config = found.get("DataCaptureConfig") or {}
    if not config.get("EnableCapture") or config.get("CaptureStatus", "Started") != "Started":
        return Row(
            what,
            "off",
            expected,
            DIFFERS,
            where=f"DataCaptureConfig of aws sagemaker describe-endpoint; {CREATE}"
            " --capture-percentage 100 turns it on",
        )
    if not run.items:
        raise NotChecked("nothing was decided, so nothing is captured")
    place = urlparse(config["DestinationS3Uri"])
    folder = f"{place.path.strip('/')}/{run.stack.outputs['EndpointName']}/{VARIANT}/".lstrip("/")
    name = run.until(lambda: _captured(run, place.netloc, folder), "a capture file", CAPTURED_S)
    if name:
        return Row(what, name.rpartition("/")[-1], expected)
    share = int(config.get("CurrentSamplingPercentage", 100))
    where = f"s3://{place.netloc}/{folder}, and the log of the endpoint"
    seen = f"none, at {share} % of the requests"
    # A few pictures may all be left out of a sample.
    return Row(what, seen, expected, DIFFERS if share == 100 else UNCHECKED, where=where)


def _captured(run: Run, bucket: str, folder: str) -> str:
    """Return the key of a capture file that was written since the run began."""
    hours, hour = [], run.since.replace(minute=0, second=0, microsecond=0)
    while hour <= datetime.now(UTC):
        hours.append(hour)
        hour += timedelta(hours=1)
    pages = run.stack.client("s3").get_paginator("list_objects_v2")
    for hour in hours:
        for page in pages.paginate(Bucket=bucket, Prefix=f"{folder}{hour:%Y/%m/%d/%H}/"):
            for entry in page.get("Contents", []):
                if entry["LastModified"] >= run.since:
                    return str(entry["Key"])
    return ""


def scaling(run: Run) -> Row:
    """The endpoint's instances are a scaling target."""
    what, expected = "scaling target", "registered"
    if _serverless(described(run.stack)):
        return Row(what, "serverless", expected, ABSENT)
    resource = f"endpoint/{run.stack.outputs['EndpointName']}/variant/{VARIANT}"
    found = run.stack.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )["ScalableTargets"]
    seen = [f"{target['MinCapacity']} to {target['MaxCapacity']} instances" for target in found]
    return Row(
        what,
        ", ".join(seen) or "none",
        expected,
        GOOD if found else DIFFERS,
        where=f"{resource}: the stack endpoint-{run.stack.outputs['EndpointName']}",
    )
