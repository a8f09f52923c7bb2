"""Patch: moto's Lambda runs functions in Docker only; here local.lambdas.runtime runs them.

Stock moto besides calls every error "Handled", has no concurrency, no time-outs, no limit on the
request and a wrong one on the answer, and waits for asynchronous invocations.

Patched: LambdaResponse.invoke (the API, also what moto's Step Functions calls) and
LambdaFunction._invoke_lambda (moto's own triggers).
"""

import base64
import contextlib
import json
import shutil
import tempfile
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote

from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.logs.models import logs_backends

from local.lambdas.logs import LogSink
from local.lambdas.runtime import FunctionSpec, LambdaError, LambdaRuntime
from local.lambdas.spec import RequestTooLarge, TooManyRequests
from local.moto_patches import lambda_events, metrics

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
EVENT_LIMIT_BYTES = 1_048_576  # of an asynchronous invocation

_unpacking = threading.Lock()

Response = tuple[int, dict[str, str], bytes]
# The variables that the platform gives a function besides its own: credentials, AWS_ENDPOINT_URL.
Platform = Callable[[LambdaFunction], Mapping[str, str]]


@contextlib.contextmanager
def installed(runtime: LambdaRuntime, *, code: Path, platform: Platform) -> Iterator[None]:
    """Let moto's Lambda run functions in a runtime, until the context ends.

    code: a folder for unpacked deployment packages. platform: see Platform; the function's own
    variables go on top.
    """

    def run(function: LambdaFunction, payload: bytes) -> Any:
        name = {"FunctionName": function.function_name}
        metrics.record(function.region, "AWS/Lambda", "Invocations", name)
        return runtime.invoke(spec_of(function, code, platform), payload)

    def invoke(self: LambdaResponse) -> Response:
        return _invoke(self, run)

    def _invoke_lambda(self: LambdaFunction, event: Any = None) -> tuple[str, bool, str]:
        result = run(self, json.dumps({} if event is None else event).encode())
        errored = result.function_error is not None
        return result.payload.decode(), errored, result.log_tail.decode(errors="replace")

    with (
        patch.object(LambdaResponse, "invoke", invoke),
        patch.object(LambdaFunction, "_invoke_lambda", _invoke_lambda),
    ):
        yield


def cloudwatch_logs(account: str, region: str) -> LogSink:
    """Return what writes log events into moto's CloudWatch Logs, for LambdaRuntime(log=...)."""
    backend = logs_backends[account][region]
    writing = threading.Lock()  # moto's streams are not made for several threads

    def write(group: str, stream: str, events: list[tuple[int, str]]) -> None:
        with writing:
            backend.ensure_log_group(group)
            backend.ensure_log_stream(group, stream)
            documents = [{"timestamp": ms, "message": text} for ms, text in events]
            backend.put_log_events(group, stream, documents)

    return write


def spec_of(function: LambdaFunction, code: Path, platform: Platform) -> FunctionSpec:
    """Return a deployed function as the runtime takes it, its package unpacked under code."""
    own = {name: str(value) for name, value in (function.environment_vars or {}).items()}
    logging_config = getattr(function, "logging_config", {})
    reserved = function.reserved_concurrency
    return FunctionSpec(
        name=function.function_name,
        arn=function.function_arn,
        handler=function.handler or "",
        code=_unpacked(function, code),
        memory_mb=int(function.memory_size),
        timeout_s=int(function.timeout),
        environment={**platform(function), **own},
        log_group=logging_config.get("LogGroup", ""),
        json_logs=logging_config.get("LogFormat") == "JSON",
        log_level=logging_config.get("ApplicationLogLevel", "INFO"),
        # A number from a template's parameter arrives as a float.
        reserved_concurrency=None if reserved is None else int(float(reserved)),
    )


def _unpacked(function: LambdaFunction, code: Path) -> Path:
    """Unpack the deployment package once; its hash names the folder, so an update is another."""
    if not function.code_bytes:
        raise LambdaError(f"{function.function_name} has no deployment package: {function.code}")
    folder = code / function.code_sha_256.translate(str.maketrans("+/", "-_", "="))
    with _unpacking:
        if not folder.exists():
            code.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=code) as partial:
                zipfile.ZipFile(BytesIO(function.code_bytes)).extractall(Path(partial, "package"))
                shutil.move(Path(partial, "package"), folder)
    return folder


def _invoke(request: LambdaResponse, run: Callable[[LambdaFunction, bytes], Any]) -> Response:
    """Answer the Invoke call of the Lambda API."""
    name = unquote(request.path.rsplit("/", 2)[-2])
    function = request.backend.get_function(name, request.querystring.get("Qualifier", [None])[0])
    kind = request.headers.get("X-Amz-Invocation-Type") or "RequestResponse"
    payload = request.body.encode() if isinstance(request.body, str) else request.body
    payload = payload or b"{}"
    try:
        json.loads(payload)
    except ValueError as error:
        return _error(
            400,
            "InvalidRequestContentException",
            f"Could not parse request body into json: {error}",
        )
    if kind == "DryRun":
        return _response(204, b"")
    if kind == "Event":
        if len(payload) > EVENT_LIMIT_BYTES:
            return _too_large(len(payload), kind, EVENT_LIMIT_BYTES)
        lambda_events.accept(function, payload)
        return _response(202, b"")
    try:
        result = run(function, payload)
    except RequestTooLarge as error:
        return _error(413, "RequestEntityTooLargeException", str(error))
    except TooManyRequests as error:
        return _error(429, "TooManyRequestsException", str(error), Reason=error.reason)
    except LambdaError as error:
        return _error(500, "ServiceException", str(error))
    headers = {"x-amz-executed-version": str(function.version)}
    if result.function_error is not None:
        headers["x-amz-function-error"] = result.function_error
    if request.headers.get("X-Amz-Log-Type") == "Tail":
        headers["x-amz-log-result"] = base64.b64encode(result.log_tail).decode()
    return _response(200, result.payload, headers)


def _too_large(size: int, kind: str, limit: int) -> Response:
    return _error(
        413,
        "RequestEntityTooLargeException",
        f"{size} byte payload is too large for the {kind} invocation type (limit {limit} bytes)",
    )


def _error(status: int, code: str, message: str, **details: str) -> Response:
    body = json.dumps({"Type": "User", "message": message, **details}).encode()
    return _response(status, body, {"x-amzn-errortype": code})


def _response(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    # moto takes the status from the headers alone.
    common = {"content-type": "application/json", "status": str(status)}
    return status, {**common, **(headers or {})}, body
