"""Patch: moto takes whatever is posted with a presigned form; here its policy decides, as in S3.

Stock moto asks neither for the conditions nor for the expiry, and its answer names no etag, and no
origin whose page may read it. The signature is not verified (see access).

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-HTTPPOSTConstructPolicy.html
"""

import base64
import contextlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from xml.sax.saxutils import escape

from moto.s3.responses import S3Response

Answer = tuple[int, dict[str, Any], Any]

# Fields that a policy need not name; those that begin with x-ignore- are a page's own.
FREE = {"awsaccesskeyid", "policy", "signature", "x-amz-signature", "file"}


class Refusal(Exception):
    """A form that S3 does not take."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code = status, code


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Hold forms to their policies, until the context ends."""
    post = S3Response._bucket_response_post

    def judged(self: S3Response, request: Any, bucket_name: str) -> Answer:
        cors = self._get_cors_headers_other()
        form = {name.lower(): value for name, value in self.form_data.items()}
        if "policy" in form:
            try:
                demand(form | {"bucket": bucket_name}, len(self.body))
            except Refusal as refusal:
                return _refused(refusal, cors)
        status, headers, body = post(self, request, bucket_name)
        if stored := self.backend.head_object(bucket_name, form.get("key", "")):
            headers["ETag"] = stored.etag
        return status, headers | cors, body

    with patch.object(S3Response, "_bucket_response_post", judged):
        yield


def demand(form: Mapping[str, str], size: int) -> None:
    """Raise Refusal unless a form fulfils its policy.

    form: fields by their names in lower case, and the bucket. size: bytes of the file.
    """
    policy = json.loads(base64.b64decode(form["policy"]))
    if datetime.fromisoformat(policy["expiration"]) < datetime.now(UTC):
        raise Refusal(403, "AccessDenied", "Invalid according to Policy: Policy expired.")
    named = {"bucket"}
    for condition in policy["conditions"]:
        if isinstance(condition, dict):
            [(name, value)] = condition.items()
            condition = ["eq", f"${name}", value]
        kind, subject, value = condition
        if kind == "content-length-range":
            _demand_size(size, int(subject), int(value))
            continue
        name = subject.lstrip("$").lower()
        named.add(name)
        given = form.get(name, "")
        if not (given.startswith(value) if kind == "starts-with" else given == value):
            failed = f"Policy Condition failed: {json.dumps(condition)}"
            raise Refusal(403, "AccessDenied", f"Invalid according to Policy: {failed}")
    for name in form:
        if name not in named | FREE and not name.startswith("x-ignore-"):
            raise Refusal(
                403, "AccessDenied", f"Invalid according to Policy: Extra input fields: {name}"
            )


def _demand_size(size: int, least: int, most: int) -> None:
    if size > most:
        raise Refusal(
            400, "EntityTooLarge", f"{size} bytes exceed the policy's maximum of {most} bytes."
        )
    if size < least:
        raise Refusal(
            400, "EntityTooSmall", f"{size} bytes are below the policy's minimum of {least} bytes."
        )


def _refused(refusal: Refusal, cors: dict[str, Any]) -> Answer:
    error = f"<Code>{refusal.code}</Code><Message>{escape(str(refusal))}</Message>"
    headers = cors | {"Content-Type": "application/xml"}
    return refusal.status, headers, f"<Error>{error}</Error>"
