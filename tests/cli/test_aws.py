"""What commands say where AWS should answer and something else does."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cli.aws import new_client, new_session
from cli.errors import CommandError
from model import delete_endpoint
from ops.__main__ import main as ops

PAGE = b"<html><head><title>Sign in to the guest network</title></head><body>hello</body></html>"


class Server(ThreadingHTTPServer):
    """Answers every request with one body."""

    daemon_threads = True
    body = PAGE
    status = 200


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(self.server.status)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body)

    do_GET = do_PUT = do_POST

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Something that is not AWS, at AWS_ENDPOINT_URL."""
    with Server(("127.0.0.1", 0), Handler) as running:
        threading.Thread(target=running.serve_forever, args=(0.01,)).start()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{running.server_port}")
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "any")
        yield running
        running.shutdown()


COMMANDS = pytest.mark.parametrize(
    "command",
    [
        pytest.param(lambda: ops(["status"]), id="ops"),
        pytest.param(lambda: delete_endpoint.main(["--yes"]), id="model"),
    ],
)


@COMMANDS
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(PAGE, id="page"),
        pytest.param(b"\n<!DOCTYPE html><p>Sign in<br>", id="page-that-is-no-XML"),
        pytest.param(b"<p>Sign in<br>", id="part-of-a-page"),
        pytest.param(b"<!doctype html><title>500 Internal Server Error</title><p>", id="error"),
        pytest.param(b"It works!", id="text"),
    ],
)
def test_what_is_not_aws_is_named_in_one_line(
    server: Server,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[], int],
    body: bytes,
) -> None:
    server.body = body
    assert command() == 2
    said = capsys.readouterr().err
    assert "what answers is not AWS: see AWS_ENDPOINT_URL, the proxy" in said
    assert said.count("\n") == 1
    assert "<" not in said


def test_the_page_of_a_server_s_error_is_told_by_its_title(
    server: Server, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status, server.body = (
        500,
        b"<!doctype html>\n<title>500 Internal Error</title>\n<p>It is",
    )
    monkeypatch.setattr("ops.stack.outputs.ATTEMPTS", 1)
    assert ops(["status"]) == 2
    said = capsys.readouterr().err
    assert "Unable to parse response" in said
    assert said.endswith("; it sent the page '500 Internal Error'\n")
    assert said.count("<") == 0


@COMMANDS
def test_an_address_without_a_scheme_is_named_in_one_line(
    server: Server,
    capsys: pytest.CaptureFixture[str],
    command: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"127.0.0.1:{server.server_port}")
    assert command() == 2
    said = capsys.readouterr().err
    assert f"AWS_ENDPOINT_URL: Invalid endpoint: 127.0.0.1:{server.server_port}; write it" in said
    assert said.count("\n") == 1


@pytest.mark.usefixtures("server")
def test_an_object_that_is_a_page_is_read() -> None:
    s3 = new_client(new_session("us-east-1"), "s3")
    assert s3.get_object(Bucket="bucket", Key="page.html")["Body"].read() == PAGE
    with pytest.raises(CommandError, match="ListObjectsV2 was answered by a web page"):
        s3.list_objects_v2(Bucket="bucket")
    with pytest.raises(CommandError, match="ListTables was answered by a web page"):
        new_client(new_session("us-east-1"), "dynamodb").list_tables()


@COMMANDS
@pytest.mark.usefixtures("server")
def test_a_proxy_that_does_not_answer_is_named(
    capsys: pytest.CaptureFixture[str],
    command: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setattr("ops.stack.outputs.ATTEMPTS", 1)
    assert command() == 2
    said = capsys.readouterr().err
    assert "AWS cannot be reached: Failed to connect to proxy" in said
    assert "name in NO_PROXY what no proxy reaches" in said
