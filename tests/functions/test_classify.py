"""Classify image against an HTTP endpoint that says what SageMaker says."""

import base64
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import ModuleType
from typing import Any

import pytest

from tests.support.functions import load_function

PICTURE = b"\x89PNG not looked at by this step"
EVENT = {
    "s3_bucket": "b",
    "s3_key": "uploads/a b+c%20ü.jpg",
    "etag": "0" * 32,
    "content_type": "image/png",
    "image_data": base64.b64encode(PICTURE).decode(),
}
ANSWER = {
    "inferences": [
        {"label": "bicycle", "confidence": 0.2},
        {"label": "motorcycle", "confidence": 0.8},
    ],
    "model": "v1",
}


class Endpoint(ThreadingHTTPServer):
    """Answers every request with what it was told to say, and remembers what it was asked."""

    status = 200
    headers: dict[str, str]
    body = b""
    short_by = 0

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.headers, self.requests = {}, []  # type: ignore[var-annotated]


class Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, self.headers, body))
        self.send_response(self.server.status)
        for name, value in self.server.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(self.server.body)))
        self.end_headers()
        self.wfile.write(self.server.body[: len(self.server.body) - self.server.short_by])
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with Endpoint() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        yield server
        server.shutdown()


@pytest.fixture
def app(endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setenv(
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", f"http://127.0.0.1:{endpoint.server_port}"
    )
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("ENDPOINT_NAME", "an-endpoint")
    return load_function("classify")


def says(endpoint: Endpoint, status: int, body: Any, **headers: str) -> None:
    endpoint.status = status
    endpoint.body = body if isinstance(body, bytes) else json.dumps(body).encode()
    endpoint.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def test_the_picture_is_replaced_by_its_inferences_highest_first(
    app: ModuleType, endpoint: Endpoint
) -> None:
    says(endpoint, 200, ANSWER)
    assert app.lambda_handler(EVENT, None) == {
        "s3_bucket": "b",
        "s3_key": "uploads/a b+c%20ü.jpg",
        "etag": "0" * 32,
        "inferences": [
            {"label": "motorcycle", "confidence": 0.8},
            {"label": "bicycle", "confidence": 0.2},
        ],
        "model": "v1",
    }


def test_the_endpoint_gets_the_picture_as_it_is(app: ModuleType, endpoint: Endpoint) -> None:
    says(endpoint, 200, ANSWER)
    app.lambda_handler(EVENT, None)
    [(path, headers, body)] = endpoint.requests
    assert path == "/endpoints/an-endpoint/invocations"
    assert (headers["Content-Type"], headers["Accept"]) == ("image/png", "application/json")
    assert body == PICTURE


def model_error(status: int) -> dict[str, Any]:
    return {"Message": "the container said so", "OriginalStatusCode": status}


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        pytest.param(503, "ServiceUnavailable", {"Message": "down"}, id="endpoint-down"),
        pytest.param(500, "InternalFailure", {"Message": "oops"}, id="sagemaker-fault"),
        pytest.param(429, "ThrottlingException", {"Message": "slow down"}, id="throttled"),
        pytest.param(400, "ThrottlingException", {"Message": "slow down"}, id="throttled-as-400"),
        pytest.param(424, "ModelError", model_error(500), id="container-fault"),
        pytest.param(424, "ModelError", model_error(429), id="container-busy"),
        pytest.param(429, "ModelNotReadyException", {"Message": "loading"}, id="model-loading"),
        pytest.param(200, "", b"", id="empty-answer"),
        pytest.param(200, "", b'{"inferences": [{"lab', id="half-an-answer"),
        pytest.param(200, "", b"\xff\xfe garbage", id="garbage"),
        pytest.param(200, "", b"<html>502 Bad Gateway</html>", id="a-page"),
    ],
)
def test_what_may_pass_is_endpoint_unavailable(
    app: ModuleType, endpoint: Endpoint, status: int, code: str, body: Any
) -> None:
    says(endpoint, status, body, x_amzn_errortype=code)
    with pytest.raises(app.EndpointUnavailable):
        app.lambda_handler(EVENT, None)


@pytest.mark.parametrize(
    ("status", "code", "body"),
    [
        pytest.param(
            400, "ValidationError", {"Message": "Endpoint an-endpoint not found"}, id="unknown"
        ),
        pytest.param(403, "AccessDeniedException", {"Message": "not allowed"}, id="denied"),
        pytest.param(424, "ModelError", model_error(415), id="container-refuses-type"),
        pytest.param(424, "ModelError", model_error(400), id="container-refuses-picture"),
        pytest.param(200, "", b" " * 65_537, id="answer-beyond-the-limit"),
    ],
)
def test_what_never_passes_is_endpoint_refused(
    app: ModuleType, endpoint: Endpoint, status: int, code: str, body: Any
) -> None:
    says(endpoint, status, body, x_amzn_errortype=code)
    with pytest.raises(app.EndpointRefused, match="an-endpoint"):
        app.lambda_handler(EVENT, None)


def agreed(label: Any = "bicycle", confidence: Any = 0.9, model: Any = "v1") -> dict[str, Any]:
    """Return an answer of the agreed shape, with one value replaced."""
    other = {"label": "other", "confidence": 0.1}
    return {"inferences": [other, {"label": label, "confidence": confidence}], "model": model}


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"inferences": [], "model": "v1"}, id="no-inferences"),
        pytest.param({"inferences": [{"label": "x"}], "model": "1"}, id="no-confidence"),
        pytest.param({"inferences": [{"confidence": 0.9}], "model": "1"}, id="no-label"),
        pytest.param({"inferences": [{"label": "x", "confidence": 0.9}]}, id="no-model"),
        pytest.param({"inferences": {"label": "x", "confidence": 0.9}, "model": "1"}, id="a-dict"),
        pytest.param(agreed(confidence=1.2), id="confidence-above-one"),
        pytest.param(agreed(confidence=10**400), id="confidence-beyond-every-float"),
        pytest.param(agreed(confidence=float("nan")), id="confidence-not-a-number"),
        pytest.param(agreed(confidence=float("inf")), id="confidence-infinite"),
        pytest.param(agreed(confidence=True), id="confidence-a-boolean"),
        pytest.param(agreed(confidence="0.9"), id="confidence-as-text"),
        pytest.param(agreed(label=None), id="label-null"),
        pytest.param(agreed(label={"a": 1}), id="label-an-object"),
        pytest.param(agreed(label=3), id="label-a-number"),
        pytest.param(agreed(label=""), id="label-empty"),
        pytest.param(agreed(label=" \t"), id="label-of-spaces"),
        pytest.param(agreed(label="\ud83d"), id="label-half-a-character"),
        pytest.param(agreed(model=None), id="model-null"),
        pytest.param(agreed(model=""), id="model-empty"),
        pytest.param(b"[0.9, 0.1]", id="numbers"),
        pytest.param(b"[[0.9, 0.1]]", id="numbers-in-a-list"),
        pytest.param(b"0.9,0.1\n", id="CSV"),
        pytest.param(b"0.9", id="one-number"),
        pytest.param(b"null", id="null"),
        pytest.param([{"label": "bicycle", "score": 0.9}], id="other-names"),
        pytest.param(b"[" * 50_000, id="nested-without-end"),
    ],
)
def test_a_whole_answer_of_another_shape_is_refused_at_once(
    app: ModuleType, endpoint: Endpoint, body: Any
) -> None:
    says(endpoint, 200, body)
    with pytest.raises(app.EndpointRefused, match="not the agreed JSON"):
        app.lambda_handler(EVENT, None)


def test_a_body_cut_short_is_endpoint_unavailable(app: ModuleType, endpoint: Endpoint) -> None:
    says(endpoint, 200, ANSWER)
    endpoint.short_by = 10
    with pytest.raises(app.EndpointUnavailable):
        app.lambda_handler(EVENT, None)


def test_no_listener_is_endpoint_unavailable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("ENDPOINT_NAME", "an-endpoint")
    app = load_function("classify")
    with pytest.raises(app.EndpointUnavailable, match="Could not connect"):
        app.lambda_handler(EVENT, None)


def test_the_endpoint_is_asked_once_per_call(app: ModuleType, endpoint: Endpoint) -> None:
    says(endpoint, 503, {"Message": "down"}, x_amzn_errortype="ServiceUnavailable")
    with pytest.raises(app.EndpointUnavailable):
        app.lambda_handler(EVENT, None)
    assert len(endpoint.requests) == 1


def test_a_picture_that_is_no_base64_breaks_the_contract(app: ModuleType) -> None:
    with pytest.raises(ValueError, match="base64|padding|alphabet"):
        app.lambda_handler(EVENT | {"image_data": "no base64!"}, None)
