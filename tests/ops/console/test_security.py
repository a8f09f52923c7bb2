"""What other sites, other programs and slow clients can do to the console: nothing."""

import contextlib
import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

from ops.console.app import HEADERS, MAX_BODY, MAX_UPLOAD, application
from ops.console.server import ConsoleServer
from tests.support.cloud import Stack
from tests.support.ops import keys

OPEN = ("home", "shell", "file")  # the pages without what they show
SLOW = 100  # clients; the server takes 256

Answer = tuple[int, dict[str, str], bytes]
Send = Callable[..., Answer]


def rules(server: ConsoleServer) -> list[tuple[str, str, str]]:
    """Return endpoint, method and path of everything that can be asked."""
    found = []
    for rule in application(server.console).url_map.iter_rules():
        [method] = rule.methods - {"HEAD", "OPTIONS"} if rule.methods else []
        names = {"name": "console.css" if rule.endpoint == "file" else "today", "way": "label"}
        path = rule.rule
        for argument in rule.arguments:
            before, _, rest = path.partition("<")
            path = before + names[argument] + rest.partition(">")[2]
        found.append((rule.endpoint, method, path))
    return found


@pytest.fixture
def send(server: ConsoleServer) -> Send:
    """Return a function that sends a request as it is written, and returns what is answered."""

    def send(method: str, path: str, body: bytes = b"", **headers: str | None) -> Answer:
        port = server.server_address[1]
        given: dict[str, str | None] = {
            "Host": f"127.0.0.1:{port}",
            "X-Console-Token": server.token,
            "Content-Length": str(len(body)),
            "Connection": "close",
        } | {name.replace("_", "-"): value for name, value in headers.items()}
        lines = [f"{name}: {value}" for name, value in given.items() if value is not None]
        request = "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(request + body)
            answer = http.client.HTTPResponse(connection, method=method)
            answer.begin()
            return answer.status, dict(answer.getheaders()), answer.read()

    return send


@pytest.mark.parametrize(
    "headers",
    [
        pytest.param({"X_Console_Token": None}, id="no-token"),
        pytest.param({"X_Console_Token": "guess"}, id="wrong-token"),
        pytest.param({"Host": "evil.example:80"}, id="rebound"),
        pytest.param({"Host": None}, id="no-host"),
        pytest.param({"Origin": "https://evil.example"}, id="other-origin"),
        pytest.param({"Origin": "null"}, id="origin-of-a-file"),
    ],
)
def test_nothing_is_told_or_changed_for_another_site(
    server: ConsoleServer, send: Send, standard: Stack, headers: dict[str, str | None]
) -> None:
    before = keys(standard, "uploads/console/")
    asked = rules(server)
    assert {"pages.today", "review.queue", "review.change", "trying.upload"} <= {
        endpoint for endpoint, _, _ in asked
    }
    for endpoint, method, path in asked:
        status, told, _ = send(method, path, b"{}" if method == "POST" else b"", **headers)
        token_alone = "X_Console_Token" in headers
        assert status == (200 if token_alone and endpoint in OPEN else 403), path
        assert {name: told.get(name) for name in HEADERS} == HEADERS
        assert not [name for name in told if name.lower().startswith("access-control-")]
    assert keys(standard, "uploads/console/") == before


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/..%5capp.py",
        "/static//etc/passwd",
        "/static/console.css/../../app.py",
        "/static/console.css%00",
        "//etc/passwd",
        "/../../../../etc/passwd",
        "/pages/../../app.py",
        "/pages/%2e%2e/%2e%2e/app.py",
    ],
)
def test_no_path_leads_to_a_file(send: Send, path: str) -> None:
    status, _, body = send("GET", path)
    assert (status, json.loads(body)) == (404, {"error": "there is no such page"})


@pytest.mark.parametrize("token", [{}, {"X_Console_Token": None}], ids=["token", "no-token"])
def test_a_page_that_does_not_exist_says_so(send: Send, token: dict[str, None]) -> None:
    status, headers, body = send("GET", "/nonsense", Accept="text/html,*/*;q=0.8", **token)
    assert (status, headers["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert {name: headers.get(name) for name in HEADERS} == HEADERS
    assert b"<h1>No such page</h1>" in body
    assert send("GET", "/api/nonsense", **token)[0] == 404


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "FOO"])
def test_other_methods_are_refused_everywhere(
    server: ConsoleServer, send: Send, method: str
) -> None:
    for _, _, path in rules(server):
        assert send(method, path)[0] == 405, path


def test_what_is_read_cannot_be_posted_to_and_what_changes_cannot_be_read(
    server: ConsoleServer, send: Send
) -> None:
    for _, method, path in rules(server):
        other = {"GET": "POST", "POST": "GET"}[method]
        assert send(other, path)[0] == 405, path


@pytest.mark.parametrize("way", ["label", "audit", "relabel", "undo"])
def test_a_body_that_is_too_long_is_refused(send: Send, way: str) -> None:
    status, _, body = send("POST", f"/api/{way}", bytes(MAX_BODY + 1))
    assert status == 413
    assert json.loads(body) == {"error": f"a request has a length of at most {MAX_BODY:,} bytes"}


@pytest.mark.parametrize("length", [MAX_UPLOAD + 1, 10 * MAX_UPLOAD, 10**30])
def test_a_length_beyond_all_limits_is_refused_before_the_body_comes(
    send: Send, length: int
) -> None:
    status, headers, _ = send("POST", "/api/try", Content_Length=str(length))
    assert status == 413
    assert {name: headers.get(name) for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param("GET / HTT", id="request-line"),
        pytest.param("GET /pages/today HTTP/1.1\r\nHost: 127", id="headers"),
        pytest.param(
            "POST /api/label HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 500\r\n\r\n{", id="body"
        ),
    ],
)
def test_slow_clients_keep_nobody_waiting(
    server: ConsoleServer, send: Send, beginning: str
) -> None:
    with contextlib.ExitStack() as closing:
        for _ in range(SLOW):
            address: Any = server.server_address
            slow = closing.enter_context(socket.create_connection(address, timeout=20))
            slow.sendall(beginning.encode())
        for _ in range(3):
            assert send("GET", "/api/counts")[0] == 200
