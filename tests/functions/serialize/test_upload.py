"""Reading an upload: one GetObject, and a type for each way in which it fails."""

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any

import pytest
import yaml
from moto.server import ThreadedMotoServer

from tests.functions.serialize.misbehaving_s3 import Answer, error, misbehaving_s3
from tests.functions.serialize.pictures import file_of, quarters
from tests.support.functions import ROOT, load_function

BUCKET, KEY, ETAG = "uploads", "uploads/a b+c%20ü.jpg", "0" * 32


@pytest.fixture
def load_upload(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], ModuleType]:
    """Return what loads the function's module with S3 at an address."""
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)

    def load(address: str) -> ModuleType:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", address)
        return load_function("serialize", "upload")

    return load


def read(load_upload: Callable[[str], ModuleType], *answers: Answer, key: str = KEY) -> Any:
    """Return the bytes read from a server that answers so, or the error raised."""
    with misbehaving_s3(*answers) as server:
        upload = load_upload(f"http://127.0.0.1:{server.server_port}")
        upload.s3.close()
        upload.s3 = upload.s3_client(read_timeout=0.3)
        upload.READ_DEADLINE_S = 1.0
        try:
            return upload.read_upload(BUCKET, key, ETAG)
        except Exception as raised:
            return raised
        finally:
            upload.s3.close()


# --- Faults -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        pytest.param(error(412, "PreconditionFailed"), "ImageSuperseded", id="changed"),
        pytest.param(error(404, "NoSuchKey"), "ImageRejected", id="gone"),
        pytest.param(error(404, "NoSuchBucket"), "StorageRefused", id="no-such-bucket"),
        pytest.param(error(403, "AccessDenied"), "StorageRefused", id="denied"),
        pytest.param(error(403, "InvalidObjectState"), "StorageRefused", id="archived"),
        pytest.param(error(400, "KMS.DisabledException"), "StorageRefused", id="key-disabled"),
        pytest.param(
            error(400, "KMS.ThrottlingException"), "StorageUnavailable", id="key-throttled"
        ),
        pytest.param(error(500, "InternalError"), "StorageUnavailable", id="500"),
        pytest.param(error(503, "SlowDown"), "StorageUnavailable", id="throttled"),
        pytest.param(Answer(503, b"<html>"), "StorageUnavailable", id="no-XML"),
        pytest.param(Answer(body=b"part", length=900), "StorageUnavailable", id="cut-short"),
        pytest.param(Answer(body=b"late", silence=1), "StorageUnavailable", id="silent"),
        pytest.param(
            Answer(body=bytes(1_000_000), pause=0.25), "StorageUnavailable", id="too-slow"
        ),
        pytest.param(Answer(length=26_214_401), "ImageRejected", id="too-large"),
    ],
)
def test_a_fault_is_typed_by_what_can_be_done_about_it(
    load_upload: Callable[[str], ModuleType], answer: Answer, kind: str
) -> None:
    raised = read(load_upload, answer)

    assert type(raised).__name__ == kind
    if kind.startswith("Storage"):
        assert f"s3://{BUCKET}/{KEY}" in str(raised)


@pytest.mark.parametrize(
    ("answer", "start"),
    [
        (error(412, "PreconditionFailed"), "superseded: "),
        (error(404, "NoSuchKey"), "not_found: "),
        (Answer(length=31_457_280), "too_large: the object has 31,457,280 bytes; the limit is "),
    ],
)
def test_the_message_begins_with_its_reason(
    load_upload: Callable[[str], ModuleType], answer: Answer, start: str
) -> None:
    assert str(read(load_upload, answer)).startswith(start)


def test_an_archived_object_is_said_to_be_restored_and_not_to_be_forbidden(
    load_upload: Callable[[str], ModuleType],
) -> None:
    said = str(read(load_upload, error(403, "InvalidObjectState")))
    assert "archived" in said
    assert "restore it, then run `python -m ops redrive`" in said
    assert "s3:GetObject" not in said


@pytest.mark.parametrize(
    ("key", "body", "kind"),
    [
        pytest.param("uploads/sub/", b"", "FolderMarker", id="folder"),
        pytest.param("uploads/sub/", b"picture", "bytes", id="a-slash-at-its-end"),
        pytest.param("uploads/sub", b"", "bytes", id="empty"),
    ],
)
def test_an_empty_object_whose_key_ends_in_a_slash_is_a_folder(
    load_upload: Callable[[str], ModuleType], key: str, body: bytes, kind: str
) -> None:
    assert type(read(load_upload, Answer(body=body), key=key)).__name__ == kind


def test_a_throttle_that_passes_is_not_noticed(
    load_upload: Callable[[str], ModuleType],
) -> None:
    assert read(load_upload, error(503, "SlowDown"), Answer(body=b"picture")) == b"picture"


def test_the_largest_upload_is_read_whole(load_upload: Callable[[str], ModuleType]) -> None:
    whole = bytes(26_214_400)
    assert read(load_upload, Answer(body=whole)) == whole


def test_nobody_listening_is_unavailable(load_upload: Callable[[str], ModuleType]) -> None:
    with misbehaving_s3() as server:
        port = server.server_port
    upload = load_upload(f"http://127.0.0.1:{port}")
    with pytest.raises(Exception, match=f"s3://{BUCKET}/") as raised:
        upload.read_upload(BUCKET, KEY, ETAG)
    upload.s3.close()
    assert type(raised.value) is upload.StorageUnavailable


def test_the_request_names_the_etag_and_is_sent_once(
    load_upload: Callable[[str], ModuleType],
) -> None:
    with misbehaving_s3(Answer(body=b"picture")) as server:
        upload = load_upload(f"http://127.0.0.1:{server.server_port}")
        upload.read_upload(BUCKET, KEY, ETAG)
        upload.s3.close()
    assert [request["If-Match"] for request in server.requests] == [ETAG]


# --- The whole handler, on moto's S3 ------------------------------------------------------------


@pytest.fixture(scope="module")
def moto_s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


def test_an_upload_becomes_the_document_that_classify_reads(
    moto_s3: str, load_upload: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = load_upload(moto_s3)
    app = load_function("serialize")
    monkeypatch.setattr(app, "read_upload", upload.read_upload)
    upload.s3.create_bucket(Bucket=BUCKET)
    photo = file_of(quarters(2000, 1500), "JPEG")
    upload.s3.put_object(Bucket=BUCKET, Key=KEY, Body=photo)
    address = {"s3_bucket": BUCKET, "s3_key": KEY, "etag": hashlib.md5(photo).hexdigest()}

    document = app.lambda_handler(address, None)

    assert document.items() >= address.items()
    assert set(document) - set(address) == {"content_type", "image_data"}
    assert len(json.dumps(document)) <= 65_536

    upload.s3.put_object(Bucket=BUCKET, Key=KEY, Body=b"a newer upload")
    with pytest.raises(upload.ImageSuperseded, match="^superseded: "):
        app.lambda_handler(address, None)
    upload.s3.delete_object(Bucket=BUCKET, Key=KEY)
    with pytest.raises(Exception, match="^not_found: ") as gone:
        app.lambda_handler(address, None)
    assert type(gone.value).__name__ == "ImageRejected"
    upload.s3.close()


# --- Settings -----------------------------------------------------------------------------------


def test_importing_needs_no_network_and_no_environment() -> None:
    program = (
        "import socket, sys\n"
        "def refuse(*_): raise SystemExit('asked the network')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "sys.path.insert(0, 'functions/serialize'); import app\n"
    )
    bare = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT") if name in os.environ}
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, env=bare, check=True, timeout=60)


def test_all_tries_and_the_slowest_body_end_within_the_functions_timeout() -> None:
    upload = load_function("serialize", "upload")

    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's tags as plain values."""

    Loader.add_multi_constructor("!", lambda *_: None)
    template = yaml.load((ROOT / "template.yaml").read_text(), Loader)
    timeout = template["Resources"]["SerializeFunction"]["Properties"]["Timeout"]

    tries = 2 * (upload.CONNECT_TIMEOUT_S + upload.READ_TIMEOUT_S)
    assert tries + upload.READ_TIMEOUT_S < timeout
    assert timeout > upload.READ_DEADLINE_S + upload.READ_TIMEOUT_S
    assert upload.s3.meta.config.retries["total_max_attempts"] == 2
    upload.s3.close()
