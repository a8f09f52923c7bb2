"""Patch: moto keeps an endpoint's DataCaptureConfig but captures nothing; this writes captures.

The files are SageMaker's: PREFIX/ENDPOINT/VARIANT/yyyy/mm/dd/hh/NAME.jsonl, one JSON a line, with
the same fields. SageMaker puts several requests into a file, here each has its own. What cannot be
captured does not fail the request.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import logging
import random
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlparse

from moto.s3.models import s3_backends
from moto.sagemaker.models import FakeEndpoint

logger = logging.getLogger(__name__)


def capture(
    account: str,
    endpoint: FakeEndpoint,
    request: tuple[str, bytes],
    answer: tuple[str, bytes],
) -> None:
    """Write a request and its answer, each content type and body, if the endpoint is to."""
    config: dict[str, Any] = endpoint.data_capture_config or {}
    percentage = config.get("InitialSamplingPercentage", 0)
    if not config.get("EnableCapture") or random.random() * 100 >= percentage:
        return
    try:
        _write(account, endpoint, config, request, answer)
    except Exception:
        logger.exception("nothing captured in %s", config["DestinationS3Uri"])


def _write(
    account: str,
    endpoint: FakeEndpoint,
    config: dict[str, Any],
    request: tuple[str, bytes],
    answer: tuple[str, bytes],
) -> None:
    now = datetime.now(UTC)
    record: dict[str, Any] = {
        "captureData": {},
        "eventMetadata": {
            "eventId": str(uuid.uuid4()),
            "inferenceTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }
    modes = {option["CaptureMode"] for option in config["CaptureOptions"]}
    for mode, name, (content_type, body) in (
        ("Input", "endpointInput", request),
        ("Output", "endpointOutput", answer),
    ):
        if modes & {mode, "InputAndOutput"}:
            data, encoding = encoded(content_type, body, config.get("CaptureContentTypeHeader", {}))
            record["captureData"][name] = {
                "observedContentType": content_type,
                "mode": mode.upper(),
                "data": data,
                "encoding": encoding,
            }
    [variant] = endpoint.production_variants
    place = urlparse(config["DestinationS3Uri"])
    folder = [place.path.strip("/"), endpoint.endpoint_name, variant["VariantName"]]
    name = now.strftime("%M-%S-") + f"{now.microsecond // 1000:03}-{uuid.uuid4()}.jsonl"
    key = "/".join([*filter(None, folder), now.strftime("%Y/%m/%d/%H"), name])
    s3_backends[account]["aws"].put_object(place.netloc, key, (json.dumps(record) + "\n").encode())


def encoded(content_type: str, body: bytes, headers: dict[str, list[str]]) -> tuple[str, str]:
    """Return data and encoding: text for the declared types, base64 for all others."""
    bare = content_type.partition(";")[0].strip()
    for encoding, declared in (("JSON", "JsonContentTypes"), ("CSV", "CsvContentTypes")):
        if bare in headers.get(declared, []):
            return body.decode(), encoding
    return base64.b64encode(body).decode(), "BASE64"
