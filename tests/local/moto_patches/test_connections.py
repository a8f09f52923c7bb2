"""Connections are kept, and each request on one gets its own answer."""

import contextlib
import http.client
import io
import socket
import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from moto.moto_server.werkzeug_app import MotoRequestHandler

from local.moto_patches import connections
from tests.support.cloud import Cloud


class Client:
    """One connection to the embedded S3."""

    def __init__(self, cloud: Cloud, bucket: str) -> None:
        self._key = cloud.aws.environment()["AWS_ACCESS_KEY_ID"]
        self._bucket = bucket
        self.connection = http.client.HTTPConnection(cloud.aws.url.partition("//")[2], timeout=10)
        self.connection.connect()
        self.socket = self.connection.sock

    def ask(self, method: str, key: str, body: Any = None, **options: Any) -> tuple[int, bytes]:
        path = f"/{self._bucket}/{key}?X-Amz-Credential={self._key}/"
        self.connection.request(method, path, body, **options)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def is_kept(self) -> bool:
        return self.connection.sock is self.socket


@pytest.fixture
def client(cloud: Cloud) -> Iterator[Client]:
    bucket = f"patch-{uuid.uuid4().hex[:8]}"
    cloud.aws.client("s3").create_bucket(Bucket=bucket)
    made = Client(cloud, bucket)
    yield made
    made.connection.close()


def test_a_connection_is_kept_between_calls(client: Client) -> None:
    for number in range(3):
        body = str(number).encode() * (1 + number * 100_000)
        assert client.ask("PUT", "a", body) == (200, b"")
        assert client.ask("GET", "a") == (200, body)
        assert client.is_kept()


def test_a_client_that_goes_before_its_answer_is_no_error(cloud: Cloud) -> None:
    del cloud  # the patch is installed
    own, client = socket.socketpair()
    client.close()
    handler = object.__new__(MotoRequestHandler)
    handler.rfile, handler.wfile = io.BytesIO(), own.makefile("wb")
    handler.wfile.write(b"an answer that waits in the buffer")
    handler.finish()
    with contextlib.suppress(ConnectionError):
        handler.wfile.close()
    own.close()


def test_a_refusal_before_the_body_is_asked_for_keeps_it_too(client: Client) -> None:
    client.connection.request("POST", "/", b"GET / HTTP/1.1\r\n\r\n" * 1_000)  # without a key
    refused = client.connection.getresponse()
    assert (refused.status, b"no access key" in refused.read()) == (403, True)
    assert client.ask("PUT", "a", b"1") == (200, b"")
    assert client.is_kept()


def test_a_refusal_of_head_which_has_a_body_closes_it(client: Client) -> None:
    client.connection.request("HEAD", "/")
    assert client.connection.getresponse().status == 403
    assert not client.is_kept()
    assert client.ask("PUT", "a", b"1") == (200, b"")
    assert client.ask("HEAD", "a") == (200, b"")
    assert client.ask("GET", "a") == (200, b"1")


@pytest.mark.parametrize("length", [0, 100_000])
def test_a_body_that_is_asked_for_comes(client: Client, length: int) -> None:
    client.connection.putrequest("PUT", f"/{client._bucket}/a?X-Amz-Credential={client._key}/")
    client.connection.putheader("Content-Length", str(length))
    client.connection.putheader("Expect", "100-continue")
    client.connection.endheaders()
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert client.socket.recv(len(interim)) == interim
    client.connection.send(b"1" * length)
    assert client.connection.getresponse().status == 200


@pytest.mark.parametrize("body", ["in chunks", "long"])
def test_what_is_not_read_at_once_is_answered_and_closed(
    client: Client, body: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "LONGEST_BODY", 5)
    sent = iter([b"abc", b"def"]) if body == "in chunks" else b"abcdef"
    assert client.ask("PUT", "a", sent, encode_chunked=body == "in chunks") == (200, b"")
    assert not client.is_kept()
    assert client.ask("GET", "a") == (200, b"abcdef")
