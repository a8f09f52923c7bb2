"""What the embedded Lambda is asked to run, what it answers, and how it refuses.

LambdaError                 refused: the function did not run
├── TooManyRequests         concurrency is used up (HTTP 429, TooManyRequestsException)
└── RequestTooLarge         the event exceeds 6 MB (HTTP 413, RequestEntityTooLargeException)
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

# Lambda's quotas for synchronous invocations, in bytes; answers may be 100 bytes longer.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
REQUEST_LIMIT_BYTES = 6_291_456
RESPONSE_LIMIT_BYTES = 6_291_556
MEMORY_MB = range(128, 10_241)
TIMEOUT_S = range(1, 901)


class LambdaError(Exception):
    """An invocation that Lambda refuses."""


class TooManyRequests(LambdaError):
    """As many executions run at once as the account, or the function's reservation, allows."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"Rate Exceeded: {detail}")
        self.reason = reason


class RequestTooLarge(LambdaError):
    """The event is longer than an invocation may carry."""


@dataclass(frozen=True)
class FunctionSpec:
    """A function as it is deployed; two specs that differ never share an execution environment.

    code: the unpacked deployment package. memory_mb: 128 to 10,240. timeout_s: 1 to 900.
    environment: credentials, AWS_ENDPOINT_URL* and the function's own variables, all of them:
    nothing is taken from this machine's environment but PATH.
    log_group: default /aws/lambda/NAME. log_level: of the application, only with JSON logs.
    reserved_concurrency: executions at once; None shares what the account has unreserved.
    """

    name: str
    arn: str
    handler: str
    code: Path
    memory_mb: int = 128
    timeout_s: int = 3
    environment: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    json_logs: bool = False
    log_level: str = "INFO"
    reserved_concurrency: int | None = None

    def __post_init__(self) -> None:
        if self.memory_mb not in MEMORY_MB:
            raise ValueError(f"{self.name}: memory {self.memory_mb} MB is not within 128 to 10,240")
        if self.timeout_s not in TIMEOUT_S:
            raise ValueError(f"{self.name}: timeout {self.timeout_s} s is not within 1 to 900")
        if not self.code.is_dir():
            raise ValueError(f"{self.name}: the code folder {self.code} does not exist")
        if not self.log_group:
            object.__setattr__(self, "log_group", f"/aws/lambda/{self.name}")


@dataclass(frozen=True)
class Invocation:
    """What became of an invocation.

    payload: the function's JSON, or an error document with errorType and errorMessage.
    function_error: "Unhandled" if payload is an error, else None.
    log_tail: the last 4 KiB of what this invocation logged.
    duration_ms: of the handler; billed_ms adds a cold start and is rounded up.
    """

    request_id: str
    payload: bytes
    function_error: str | None
    log_tail: bytes
    duration_ms: float
    billed_ms: int
