"""Classify image: one call of the SageMaker endpoint.

EndpointUnavailable    trying again may help: time-outs, throttles, 5xx, an answer cut short
EndpointRefused        it never will: no such endpoint, no permission, a picture it does not take,
                       an answer of another shape
"""

import base64
import json
import os
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

# A class list of hundreds fits; an answer beyond it would strain the 256 KiB of a state.
MAX_ANSWER_BYTES = 65_536

# SageMaker's and the SDK's words for "not now". A ModelError is judged by the container's status.
PASSING_ERRORS = frozenset(
    {
        "InternalDependencyException",
        "InternalFailure",
        "InternalStreamFailure",
        "ModelNotReadyException",
        "RequestTimeout",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

# Made once per execution environment. botocore's own session spares boto3's resource layer,
# a sixth of this function's cold start. One try of 1 + 10 s at most, under the function's 15 s:
# the state machine does the retrying.
sagemaker_runtime = botocore.session.get_session().create_client(
    "sagemaker-runtime",
    region_name=os.environ.get("AWS_REGION", "us-east-1"),
    config=Config(connect_timeout=1, read_timeout=10, retries={"total_max_attempts": 1}),
)


class EndpointUnavailable(Exception):
    """The endpoint did not answer properly this time."""


class EndpointRefused(Exception):
    """The endpoint will not answer this request, however often it is asked."""


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Replace the picture in the document that Serialize image gives by its inferences.

    event: s3_bucket, s3_key, etag, content_type and image_data (base64).
    Returns the address with inferences ([{"label", "confidence"}], highest first) and model.
    """
    picture = base64.b64decode(event["image_data"], validate=True)
    answer = invoke(os.environ["ENDPOINT_NAME"], event["content_type"], picture)
    address = {name: event[name] for name in ("s3_bucket", "s3_key", "etag")}
    return address | inferences_of(answer)


def invoke(endpoint: str, content_type: str, picture: bytes) -> bytes:
    """Send the picture to the endpoint and return its JSON answer, at most 64 KiB.

    Raises EndpointUnavailable or EndpointRefused, naming the endpoint and what it said.
    """
    try:
        response = sagemaker_runtime.invoke_endpoint(
            EndpointName=endpoint,
            ContentType=content_type,
            Accept="application/json",
            Body=picture,
        )
        answer: bytes = response["Body"].read(MAX_ANSWER_BYTES + 1)
    except ClientError as error:
        raise typed(endpoint, error) from error
    except BotoCoreError as error:  # no connection, or one that broke or timed out
        raise EndpointUnavailable(f"endpoint {endpoint}: {error}") from error
    if len(answer) > MAX_ANSWER_BYTES:
        raise EndpointRefused(
            f"endpoint {endpoint}: the answer exceeds the limit of {MAX_ANSWER_BYTES:,} bytes"
        )
    return answer


def typed(endpoint: str, error: ClientError) -> EndpointUnavailable | EndpointRefused:
    """Return the error of this module that a ClientError of InvokeEndpoint stands for."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    if code == "ModelError":  # the container answered: its status tells, SageMaker's is 424
        status = int(error.response.get("OriginalStatusCode", 500))
    passing = code in PASSING_ERRORS or status >= 500 or status == 429
    kind = EndpointUnavailable if passing else EndpointRefused
    return kind(f"endpoint {endpoint}: {code} ({status}): {error.response['Error']['Message']}")


def inferences_of(answer: bytes) -> dict[str, Any]:
    """Return {"inferences": highest confidence first, "model": version} of an endpoint's answer.

    Raises EndpointUnavailable for what is no JSON, for instance an answer that was cut short, and
    EndpointRefused for a whole answer of another shape: a list of numbers, CSV, a label that is no
    text. The same model would give it again.
    """
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError) as error:
        # After a whole value comes more, as in CSV, or it is nested without end: neither is what
        # remains of an answer that was cut short.
        whole = isinstance(error, RecursionError) or "Extra data" in str(error)
        raise (EndpointRefused if whole else EndpointUnavailable)(
            f"the endpoint's answer is not the agreed JSON ({error!r}): {answer[:200]!r}"
        ) from error
    try:
        inferences: list[dict[str, Any]] = [
            {"label": text(entry["label"]), "confidence": probability(entry["confidence"])}
            for entry in document["inferences"]
        ]
        if not inferences:
            raise ValueError("no inferences")
        model = text(document["model"])
    except (ValueError, KeyError, TypeError) as error:
        raise EndpointRefused(
            f"the endpoint's answer is not the agreed JSON ({error!r}): {answer[:200]!r}"
        ) from error
    inferences.sort(key=lambda inference: inference["confidence"], reverse=True)
    return {"inferences": inferences, "model": model}


def text(value: object) -> str:
    """Return the value if it is text with something to read in it, else raise ValueError."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{value!r} is no name of a label or a model")
    value.encode()  # half a surrogate pair, which JSON can write and no service stores
    return value


def probability(value: object) -> float:
    """Return the value if it is a number of 0..1, else raise ValueError."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"confidence {value!r} is no number")
    if not 0 <= value <= 1:  # nor NaN
        raise ValueError(f"confidence {value!r} is outside 0..1")
    return float(value)
