"""Who the embedded AWS answers: who started it, and no page of another site."""

import http.client
from typing import Any
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.cloud import Cloud

PAGE = "https://photos.example"


def ask(cloud: Cloud, method: str, path: str, body: bytes = b"", **headers: str) -> tuple[int, Any]:
    address = urlsplit(cloud.aws.url)
    connection = http.client.HTTPConnection(address.netloc, timeout=10)
    try:
        connection.request(
            method, path, body, {name.replace("_", "-"): text for name, text in headers.items()}
        )
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers
    finally:
        connection.close()


def signed(cloud: Cloud, service: str = "s3") -> str:
    key = cloud.aws.environment()["AWS_ACCESS_KEY_ID"]
    return f"AWS4-HMAC-SHA256 Credential={key}/20260101/us-east-1/{service}/aws4_request, X=x"


@pytest.fixture(scope="module")
def bucket(cloud: Cloud) -> str:
    cloud.aws.client("s3").create_bucket(Bucket="access")
    return "access"


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"Origin": PAGE}, id="page"),
        pytest.param({"Origin": "null"}, id="sandboxed-page"),
        pytest.param({"Origin": "http://localhost:1"}, id="other-port"),
        pytest.param({"Sec_Fetch_Site": "cross-site"}, id="picture-in-a-page"),
        pytest.param({"Sec_Fetch_Site": "same-site"}, id="same-site"),
        pytest.param({"Host": "evil.example"}, id="rebound-name"),
        pytest.param({"Host": "evil.example", "Origin": "http://evil.example"}, id="rebound-page"),
    ],
)
def test_other_sites_are_refused_even_with_a_key(cloud: Cloud, headers: dict[str, str]) -> None:
    status, answered = ask(cloud, "GET", "/", Authorization=signed(cloud), **headers)
    assert status == 403
    assert [name for name in answered if name.lower().startswith("access-control")] == []


@pytest.mark.parametrize(
    "path", ["/", "/moto-api/data.json", "/access/a.txt", "/?Action=ListRoles"]
)
def test_without_a_key_of_this_run_nothing_is_answered(cloud: Cloud, path: str) -> None:
    assert ask(cloud, "GET", path)[0] == 403
    guessed = "AWS4-HMAC-SHA256 Credential=embedded/20260101/us-east-1/s3/aws4_request, X=x"
    assert ask(cloud, "GET", path, Authorization=guessed)[0] == 403


def test_a_stranger_with_the_sdk_is_refused(cloud: Cloud) -> None:
    stranger = boto3.client(
        "iam",
        endpoint_url=cloud.aws.url,
        region_name="us-east-1",
        aws_access_key_id="embedded",
        aws_secret_access_key="embedded",
    )
    with pytest.raises(ClientError, match="AccessDenied.*paste the export lines"):
        stranger.list_roles()


def test_the_run_s_own_clients_are_answered_without_cors(cloud: Cloud) -> None:
    status, answered = ask(cloud, "GET", "/", Authorization=signed(cloud))
    assert status == 200
    assert [name for name in answered if name.lower().startswith("access-control")] == []


def test_presigned_urls_and_forms_carry_the_key(cloud: Cloud, bucket: str) -> None:
    s3 = cloud.aws.client("s3")
    url = urlsplit(s3.generate_presigned_url("put_object", Params={"Bucket": bucket, "Key": "a"}))
    path = f"{url.path}?{url.query}"
    assert ask(cloud, "PUT", path, b"put", Content_Type="application/octet-stream")[0] == 200
    form = s3.generate_presigned_post(bucket, "b")
    fields = form["fields"] | {"file": "posted"}
    parts = [
        f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{text}\r\n'
        for name, text in fields.items()
    ]
    body, kind = "".join([*parts, "--x--\r\n"]).encode(), "multipart/form-data; boundary=x"
    assert ask(cloud, "POST", f"/{bucket}", body, Content_Type=kind)[0] in (200, 204)
    for key, content in (("a", b"put"), ("b", b"posted")):
        assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content
    unsigned = body.replace(cloud.aws.environment()["AWS_ACCESS_KEY_ID"].encode(), b"embedded")
    assert ask(cloud, "POST", f"/{bucket}", unsigned, Content_Type=kind)[0] == 403


def test_a_page_that_the_bucket_s_own_rules_name_may_upload(cloud: Cloud, bucket: str) -> None:
    s3 = cloud.aws.client("s3")
    rule = {"AllowedMethods": ["PUT"], "AllowedOrigins": [PAGE], "AllowedHeaders": ["*"]}
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": [rule]})
    try:
        preflight = {"Origin": PAGE, "Access_Control_Request_Method": "PUT"}
        status, answered = ask(cloud, "OPTIONS", f"/{bucket}/c", **preflight)
        assert status == 200
        assert answered["Access-Control-Allow-Origin"] == PAGE
        params = {"Bucket": bucket, "Key": "c"}
        url = urlsplit(s3.generate_presigned_url("put_object", Params=params))
        path, octets = f"{url.path}?{url.query}", "application/octet-stream"
        assert ask(cloud, "PUT", path, b"c", Origin=PAGE, Content_Type=octets)[0] == 200
        assert ask(cloud, "GET", path, Origin=PAGE)[0] == 403
        assert ask(cloud, "PUT", path, b"c", Origin="https://x.example")[0] == 403
        assert ask(cloud, "PUT", f"/{bucket}/c", b"c", Origin=PAGE)[0] == 403
    finally:
        s3.delete_bucket_cors(Bucket=bucket)
