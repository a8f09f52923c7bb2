"""A plain runtime loop, for systems on which awslambdaric has no wheel (anything but Linux).

Same Runtime API, same error documents, JSON or text logs; what awslambdaric does beyond that
(bytes as an answer, Decimals, SnapStart hooks, client context) is missing. This file is run by
bootstrap.py in the function's process and imports nothing of this package.
"""

import http.client
import importlib
import json
import logging
import os
import sys
import time
import traceback
from typing import Any, NamedTuple, NoReturn

API = "/2018-06-01/runtime"


class Context(NamedTuple):
    """The handler's second argument.

    https://docs.aws.amazon.com/lambda/latest/dg/python-context.html
    """

    aws_request_id: str
    invoked_function_arn: str
    deadline_ms: int
    function_name: str
    function_version: str
    memory_limit_in_mb: str
    log_group_name: str
    log_stream_name: str
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(self.deadline_ms - int(time.time() * 1000), 0)


class LogFormatter(logging.Formatter):
    """Lambda's JSON records (extra fields at top level), or its text lines."""

    known = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "aws_request_id"}
    request_id = ""

    def format(self, record: logging.LogRecord) -> str:
        now = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        if os.environ.get("AWS_LAMBDA_LOG_FORMAT") != "JSON":
            error = f"\n{self.formatException(record.exc_info)}" if record.exc_info else ""
            return (
                f"[{record.levelname}]\t{now}.{int(record.msecs):03d}Z\t{self.request_id}\t"
                f"{record.getMessage()}{error}"
            )
        document: dict[str, Any] = {
            "timestamp": f"{now}Z",
            "level": record.levelname,
            "message": record.getMessage(),
            "logger": record.name,
            "requestId": self.request_id,
        }
        if record.exc_info and record.exc_info[0] is not None:
            document |= {
                "stackTrace": traceback.format_tb(record.exc_info[2]),
                "errorType": record.exc_info[0].__name__,
                "errorMessage": str(record.exc_info[1]),
            }
        document |= {k: v for k, v in vars(record).items() if k not in self.known}
        return json.dumps(document, ensure_ascii=False, default=str)


def run(handler: str) -> NoReturn:
    """Serve events until the Runtime API ends."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    output = logging.StreamHandler(sys.stdout)
    formatter = LogFormatter()
    output.setFormatter(formatter)
    logging.getLogger().addHandler(output)
    logging.getLogger().setLevel(os.environ.get("AWS_LAMBDA_LOG_LEVEL", "WARNING"))
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        function = load(handler)
    except Exception as error:
        post(api, "init/error", describe(error, ""))
        sys.exit(1)
    while True:
        api.request("GET", f"{API}/invocation/next")
        response = api.getresponse()
        event = response.read()
        context = Context(
            aws_request_id=response.headers["Lambda-Runtime-Aws-Request-Id"],
            invoked_function_arn=response.headers["Lambda-Runtime-Invoked-Function-Arn"],
            deadline_ms=int(response.headers["Lambda-Runtime-Deadline-Ms"]),
            function_name=os.environ["AWS_LAMBDA_FUNCTION_NAME"],
            function_version=os.environ["AWS_LAMBDA_FUNCTION_VERSION"],
            memory_limit_in_mb=os.environ["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"],
            log_group_name=os.environ["AWS_LAMBDA_LOG_GROUP_NAME"],
            log_stream_name=os.environ["AWS_LAMBDA_LOG_STREAM_NAME"],
        )
        formatter.request_id = context.aws_request_id
        os.environ["_X_AMZN_TRACE_ID"] = response.headers["Lambda-Runtime-Trace-Id"]
        path = f"invocation/{context.aws_request_id}"
        try:
            answer = function(json.loads(event), context)
            try:
                body = json.dumps(answer)
            except (TypeError, ValueError) as error:
                raise error_named(
                    "Runtime.MarshalError", f"Unable to marshal response: {error}"
                ) from error
        except Exception as error:
            post(api, f"{path}/error", describe(error, context.aws_request_id))
        else:
            post(api, f"{path}/response", body)


def load(handler: str) -> Any:
    """Return the handler MODULE.FUNCTION; errors carry Lambda's names."""
    module, dot, name = handler.rpartition(".")
    if not dot:
        raise error_named("Runtime.MalformedHandlerName", f"Bad handler '{handler}'")
    try:
        return getattr(importlib.import_module(module.replace("/", ".")), name)
    except ImportError as error:
        raise error_named(
            "Runtime.ImportModuleError", f"Unable to import module '{module}': {error}"
        ) from error
    except SyntaxError as error:
        raise error_named(
            "Runtime.UserCodeSyntaxError", f"Syntax error in module '{module}': {error}"
        ) from error
    except AttributeError as error:
        if hasattr(sys.modules.get(module), "__file__"):
            raise error_named(
                "Runtime.HandlerNotFound", f"Handler '{name}' missing on module '{module}'"
            ) from error
        raise


def error_named(name: str, message: str) -> Exception:
    """Return an exception whose class has a name that Python's syntax does not allow."""
    return type(name, (Exception,), {})(message)  # type: ignore[no-any-return]


def describe(error: Exception, request_id: str) -> str:
    """Return Lambda's error document and write it to the log."""
    document = {
        "errorMessage": str(error),
        "errorType": type(error).__name__,
        "requestId": request_id,
        # Without this file's own frame.
        "stackTrace": traceback.format_list(traceback.extract_tb(error.__traceback__)[1:]),
    }
    print(json.dumps({"level": "ERROR", **document}))
    return json.dumps(document)


def post(api: http.client.HTTPConnection, path: str, body: str) -> None:
    api.request("POST", f"{API}/{path}", body.encode(), {"Content-Type": "application/json"})
    response = api.getresponse()
    answer = response.read()
    if response.status != http.client.ACCEPTED:
        raise SystemExit(f"The Runtime API refused {path}: {response.status} {answer!r}")
