"""Patch: moto answers InvokeEndpoint with a canned text; here the model server answers.

As on AWS: an unknown endpoint is a ValidationError, what the container says becomes a ModelError
with its status and words, and a container that cannot be reached is a ServiceUnavailable.
"""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

import urllib3
from moto.sagemaker.models import sagemaker_backends
from moto.sagemakerruntime.responses import SageMakerRuntimeResponse

from local.moto_patches import metrics
from local.moto_patches.data_capture import capture

# A real-time endpoint's limits: https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-quotas
REQUEST_LIMIT_BYTES = 26_214_400
TIMEOUT_S = 60
VARIANT = "AllTraffic"

Response = tuple[int, dict[str, str], bytes]
# Called with endpoint name, headers and body; what the container answers: status, type, body.
Container = Callable[[str, dict[str, str], bytes], tuple[int, str, bytes]]


def http_container(url: str) -> Container:
    """Return the container that listens on a URL."""
    pool = urllib3.PoolManager(maxsize=32, retries=False)

    def ask(_endpoint: str, headers: dict[str, str], body: bytes) -> tuple[int, str, bytes]:
        answer = pool.request(
            "POST", f"{url}/invocations", body=body, headers=headers, timeout=TIMEOUT_S
        )
        return answer.status, answer.headers.get("Content-Type", ""), answer.data

    return ask


@contextlib.contextmanager
def installed(container: Container) -> Iterator[None]:
    """Let InvokeEndpoint ask a container, until the context ends."""

    def invoke_endpoint(self: SageMakerRuntimeResponse) -> Response:
        name = self.path.split("/")[2]
        endpoints = sagemaker_backends[self.current_account][self.region].endpoints
        endpoint = next(
            (known for known in endpoints.values() if known.endpoint_name == name), None
        )
        if endpoint is None:
            return _error(
                400,
                "ValidationError",
                f"Endpoint {name} of account {self.current_account} not found.",
            )
        place = {"EndpointName": name, "VariantName": VARIANT}
        metrics.record(self.region, "AWS/SageMaker", "Invocations", place)
        body = self.raw_body or b""
        if len(body) > REQUEST_LIMIT_BYTES:
            return _error(
                413, "ValidationError", f"Body of {len(body)} bytes exceeds {REQUEST_LIMIT_BYTES}"
            )
        headers = {
            header: self.headers[header]
            for header in ("Content-Type", "Accept")
            if header in self.headers
        }
        try:
            status, content_type, answer = container(name, headers, body)
        except (urllib3.exceptions.HTTPError, OSError) as error:
            return _error(503, "ServiceUnavailable", f"The endpoint cannot be reached: {error}")
        if status >= 400:
            return _error(
                424,
                "ModelError",
                f"Received client error ({status}) from primary with message "
                f'"{answer[:500].decode(errors="replace")}".',
                OriginalStatusCode=status,
                OriginalMessage=answer[:500].decode(errors="replace"),
            )
        sent = self.headers.get("Content-Type", "")
        capture(self.current_account, endpoint, (sent, body), (content_type, answer))
        return (
            200,
            {"Content-Type": content_type, "x-Amzn-Invoked-Production-Variant": VARIANT},
            answer,
        )

    with (
        patch.object(SageMakerRuntimeResponse, "invoke_endpoint", invoke_endpoint),
        patch.object(SageMakerRuntimeResponse, "use_raw_body", True),
    ):
        yield


def _error(status: int, code: str, message: str, **details: Any) -> Response:
    body = json.dumps({"Message": message, "message": message, **details}).encode()
    headers = {"Content-Type": "application/json", "x-amzn-errortype": code, "status": str(status)}
    return status, headers, body
