"""An upload by a presigned URL is answered whatever its content type."""

import urllib.request
import uuid

import pytest

from tests.support.cloud import Cloud

FORM = "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\x89PNG\r\n\x1a\n\xff\xfe" * 5_000, id="a-picture"),
        pytest.param(b"a=1&b=2", id="a-form"),
        pytest.param(b"Action=AssumeRoleWithSAML", id="an-action"),
        pytest.param(b"", id="nothing"),
    ],
)
def test_a_form_s_content_type_uploads_what_is_sent(cloud: Cloud, body: bytes) -> None:
    """It is the type of what urllib and `curl --data` send, where none is named."""
    s3, bucket = cloud.aws.client("s3"), f"patch-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    address = {"Bucket": bucket, "Key": "a b.png"}
    url = s3.generate_presigned_url("put_object", Params=address)
    request = urllib.request.Request(url, data=body, method="PUT")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert (request.get_header("Content-type"), answer.status) == (FORM, 200)
    kept = s3.get_object(**address)
    assert (kept["Body"].read(), kept["ContentType"]) == (body, FORM)


def test_a_form_that_is_no_text_is_answered_too(cloud: Cloud) -> None:
    key = cloud.aws.environment()["AWS_ACCESS_KEY_ID"]
    request = urllib.request.Request(f"{cloud.aws.url}/?X-Amz-Credential={key}/", data=b"\xff")
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.status == 200
