"""Real handlers in real processes: what the embedded Lambda answers, logs, and leaves behind."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from local.lambdas.runtime import (
    FunctionSpec,
    Invocation,
    LambdaError,
    LambdaRuntime,
    RequestTooLarge,
    TooManyRequests,
)
from tests.support.lambdas import HANDLERS, wait_until
from tests.support.processes import take_interrupts

ARN = "arn:aws:lambda:eu-central-1:123456789012:function:"
RESPONSE_LIMIT = 6_291_556

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="memory is watched where /proc exists"
)


class Logs:
    def __init__(self) -> None:
        self.events: list[tuple[str, str, str]] = []

    def __call__(self, group: str, stream: str, events: list[tuple[int, str]]) -> None:
        self.events += [(group, stream, text) for _, text in events]

    def of(self, group: str) -> list[str]:
        return [text for name, _, text in self.events if name == group]


@pytest.fixture(scope="module")
def logs() -> Logs:
    return Logs()


@pytest.fixture(
    scope="module",
    params=[
        pytest.param(
            False,
            id="awslambdaric",
            marks=pytest.mark.skipif(
                find_spec("awslambdaric") is None, reason="awslambdaric has wheels for Linux only"
            ),
        ),
        pytest.param(True, id="plain-loop"),
    ],
)
def runtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, logs: Logs
) -> Iterator[LambdaRuntime]:
    workdir = tmp_path_factory.mktemp("lambda")
    with LambdaRuntime(workdir=workdir, log=logs, plain_loop=request.param) as runtime:
        yield runtime
    assert list(workdir.iterdir()) == []


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Callable[..., LambdaRuntime]]:
    with contextlib.ExitStack() as stack:

        def start(**options: Any) -> LambdaRuntime:
            runtime = LambdaRuntime(workdir=tmp_path / "lambda", log=Logs(), **options)
            return stack.enter_context(runtime)

        yield start


def function(handler: str, **settings: Any) -> FunctionSpec:
    name = settings.pop("name", handler.replace(".", "-"))
    return FunctionSpec(name, ARN + name, handler, HANDLERS, **settings)


def run(runtime: LambdaRuntime, spec: FunctionSpec, event: object = None) -> Any:
    result = runtime.invoke(spec, json.dumps(event).encode())
    assert result.function_error is None, result.payload
    return json.loads(result.payload)


def error_of(result: Invocation) -> dict[str, Any]:
    assert result.function_error == "Unhandled"
    document: dict[str, Any] = json.loads(result.payload)
    return document


def is_alive(pid: int) -> bool:
    """Return whether a thread of a process runs; a zombie, left to a careless process 1, does not.

    The first thread may be a zombie while another still holds the process's connections.
    """
    try:
        os.kill(pid, 0)
        threads = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except ProcessLookupError:
        return False
    except FileNotFoundError:  # a thread ended between the two looks
        return True
    if not threads:
        return not Path("/proc").exists()
    return any(stat.rpartition(")")[2].split()[0] != "Z" for stat in threads)


def wait_for_end(pids: list[int]) -> None:
    wait_until(lambda: not any(is_alive(pid) for pid in pids))


# --- Answers -------------------------------------------------------------------------------------


def test_an_event_reaches_the_handler_and_its_answer_returns(runtime: LambdaRuntime) -> None:
    event = {"s3_key": "a b+c%20ü.jpg", "n": [1, 0.5, None]}
    assert run(runtime, function("app.echo"), event) == event


def test_an_exception_carries_its_class_name_and_spares_the_environment(
    runtime: LambdaRuntime,
) -> None:
    spec = function("app.fail")
    result = runtime.invoke(spec, b"{}")
    error = error_of(result)
    assert error["errorType"] == "PictureIsBlank"
    assert error["errorMessage"] == "all white"
    assert error["requestId"] == result.request_id
    assert "PictureIsBlank" in error["stackTrace"][-1]
    before = runtime.processes()
    runtime.invoke(spec, b"{}")
    assert runtime.processes() == before


def test_an_answer_that_is_no_json_is_a_marshal_error(runtime: LambdaRuntime) -> None:
    error = error_of(runtime.invoke(function("app.not_json"), b"{}"))
    assert error["errorType"] == "Runtime.MarshalError"


def test_a_timeout_is_reported_as_lambda_does_and_ends_the_process_and_its_children(
    runtime: LambdaRuntime, tmp_path: Path
) -> None:
    event = {"pids": str(tmp_path / "pids")}
    result = runtime.invoke(function("app.hang", timeout_s=1), json.dumps(event).encode())
    assert error_of(result) == {
        "errorType": "Sandbox.Timedout",
        "errorMessage": f"RequestId: {result.request_id} Error: Task timed out after 1.00 seconds",
    }
    wait_for_end(json.loads((tmp_path / "pids").read_text()))


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        pytest.param({"status": 3}, "Runtime exited with error: exit status 3", id="status"),
        pytest.param({"status": 0}, "Runtime exited without providing a reason", id="quiet"),
        pytest.param(
            {"signal": "SIGKILL"}, "Runtime exited with error: signal: killed", id="killed"
        ),
        pytest.param(
            {"signal": "SIGSEGV"},
            "Runtime exited with error: signal: segmentation fault",
            id="crashed",
        ),
    ],
)
def test_a_process_that_ends_is_an_exit_error(
    runtime: LambdaRuntime, event: dict[str, Any], reason: str
) -> None:
    result = runtime.invoke(function("app.end"), json.dumps(event).encode())
    error = error_of(result)
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"] == f"RequestId: {result.request_id} Error: {reason}"


@needs_proc
def test_exceeding_the_memory_size_is_a_kill(runtime: LambdaRuntime) -> None:
    spec = function("app.grow", memory_mb=128, timeout_s=20)
    assert run(runtime, spec, {"megabytes": 16}) == 16 << 20
    error = error_of(runtime.invoke(spec, b'{"megabytes": 200}'))
    assert error["errorType"] == "Runtime.ExitError"
    assert error["errorMessage"].endswith("Runtime exited with error: signal: killed")


@pytest.mark.parametrize(
    ("handler", "error_type", "message"),
    [
        pytest.param(
            "without_dependency.handler",
            "Runtime.ImportModuleError",
            "Unable to import module 'without_dependency': No module named 'PIL'",
            id="import",
        ),
        pytest.param("nowhere.handler", "Runtime.ImportModuleError", "nowhere", id="module"),
        pytest.param(
            "app.missing", "Runtime.HandlerNotFound", "'missing' missing on module 'app'", id="name"
        ),
        pytest.param("app", "Runtime.MalformedHandlerName", "Bad handler 'app'", id="malformed"),
        pytest.param("bad_start.handler", "ValueError", "no settings", id="exception"),
        pytest.param("early_end.handler", "Runtime.ExitError", "exit status 9", id="exit"),
    ],
)
def test_a_failed_start_has_lambdas_names(
    runtime: LambdaRuntime, handler: str, error_type: str, message: str
) -> None:
    error = error_of(runtime.invoke(function(handler), b"{}"))
    assert error["errorType"] == error_type
    assert message in error["errorMessage"]


# --- Limits --------------------------------------------------------------------------------------


def test_an_answer_may_have_6291556_bytes_and_not_one_more(runtime: LambdaRuntime) -> None:
    spec = function("app.of_length", timeout_s=20)
    assert len(run(runtime, spec, {"length": RESPONSE_LIMIT})) == RESPONSE_LIMIT - 2
    event = {"length": RESPONSE_LIMIT + 1}
    assert error_of(runtime.invoke(spec, json.dumps(event).encode())) == {
        "errorType": "Function.ResponseSizeTooLarge",
        "errorMessage": "Response payload size exceeded maximum allowed payload size "
        "(6291556 bytes).",
    }
    assert run(runtime, spec, {"length": 3}) == "x"


def test_an_event_may_have_6291456_bytes_and_not_one_more(runtime: LambdaRuntime) -> None:
    spec = function("app.echo", timeout_s=20)
    longest = json.dumps("x" * 6_291_454).encode()
    assert runtime.invoke(spec, longest).payload == longest
    with pytest.raises(RequestTooLarge, match=r"6291457 byte .* \(limit 6291456 bytes"):
        runtime.invoke(spec, longest + b" ")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"memory_mb": 64}, "memory 64 MB is not within 128 to 10,240", id="memory"),
        pytest.param({"timeout_s": 901}, "timeout 901 s is not within 1 to 900", id="timeout"),
    ],
)
def test_settings_that_lambda_refuses_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        function("app.echo", **settings)


# --- Concurrency and reuse -----------------------------------------------------------------------


def test_two_executions_at_once_run_in_two_processes_and_are_reused_newest_first(
    fresh: Callable[..., LambdaRuntime], tmp_path: Path
) -> None:
    runtime = fresh()
    spec = function("app.meet", timeout_s=20)
    event = {"folder": str(tmp_path / "together"), "expected": 2}
    (tmp_path / "together").mkdir()
    with ThreadPoolExecutor(2) as pool:
        pids = set(pool.map(lambda _: run(runtime, spec, event), range(2)))
    assert len(pids) == 2
    assert set(runtime.processes()) == pids
    newest = run(runtime, spec, event)
    assert {run(runtime, spec, event) for _ in range(5)} == {newest}
    assert set(runtime.processes()) == pids


@contextlib.contextmanager
def busy(runtime: LambdaRuntime, spec: FunctionSpec, tmp_path: Path) -> Iterator[list[Invocation]]:
    """Keep one execution of app.hang running; the list holds its result afterwards."""
    results: list[Invocation] = []
    pids = tmp_path / "busy"
    event = json.dumps({"pids": str(pids)}).encode()
    thread = threading.Thread(target=lambda: results.append(runtime.invoke(spec, event)))
    thread.start()
    wait_until(pids.exists)
    try:
        yield results
    finally:
        runtime.kill_one(spec.name)
        thread.join()


def test_beyond_the_accounts_concurrency_invocations_are_throttled(
    fresh: Callable[..., LambdaRuntime], tmp_path: Path
) -> None:
    runtime = fresh(account_concurrency=1)
    with busy(runtime, function("app.hang", timeout_s=30), tmp_path):
        with pytest.raises(TooManyRequests, match="1 unreserved") as refusal:
            runtime.invoke(function("app.echo"), b"{}")
        assert refusal.value.reason == "ConcurrentInvocationLimitExceeded"
    assert run(runtime, function("app.echo"), 1) == 1


def test_beyond_its_reserved_concurrency_only_the_function_itself_is_throttled(
    fresh: Callable[..., LambdaRuntime], tmp_path: Path
) -> None:
    runtime = fresh()
    spec = function("app.hang", timeout_s=30, reserved_concurrency=1)
    with busy(runtime, spec, tmp_path):
        with pytest.raises(TooManyRequests, match="app-hang has 1 reserved") as refusal:
            runtime.invoke(spec, b"{}")
        assert refusal.value.reason == "ReservedFunctionConcurrentInvocationLimitExceeded"
        assert run(runtime, function("app.echo"), 1) == 1


def test_what_one_function_reserves_the_others_lack(fresh: Callable[..., LambdaRuntime]) -> None:
    runtime = fresh(account_concurrency=10)
    assert run(runtime, function("app.pid", reserved_concurrency=10), 1)
    with pytest.raises(TooManyRequests, match="0 unreserved"):
        runtime.invoke(function("app.echo"), b"{}")


def test_a_changed_function_runs_in_a_new_process_and_the_old_one_ends(
    fresh: Callable[..., LambdaRuntime],
) -> None:
    runtime = fresh()
    old = run(runtime, function("app.pid"))
    new = run(runtime, function("app.pid", environment={"THRESHOLD": "0.9"}))
    assert new != old
    assert runtime.processes() == [new]
    assert not is_alive(old)


def test_an_environment_that_died_idle_is_replaced_unseen(
    fresh: Callable[..., LambdaRuntime],
) -> None:
    runtime = fresh()
    spec = function("app.pid")
    dead = run(runtime, spec)
    os.kill(dead, signal.SIGKILL)
    wait_until(lambda: not is_alive(dead))
    assert run(runtime, spec) != dead


def test_idle_environments_end_after_a_while(fresh: Callable[..., LambdaRuntime]) -> None:
    runtime = fresh(idle_s=0.05)
    run(runtime, function("app.echo"))
    wait_until(lambda: runtime.processes() == [])


def test_a_killed_execution_is_an_exit_error(
    fresh: Callable[..., LambdaRuntime], tmp_path: Path
) -> None:
    runtime = fresh()
    spec = function("app.hang", timeout_s=30)
    with busy(runtime, spec, tmp_path) as results:
        assert runtime.kill_one("app-hang")
        wait_until(lambda: results)
    assert error_of(results[0])["errorType"] == "Runtime.ExitError"
    assert not runtime.kill_one("app-hang")


# --- Surroundings and logs -----------------------------------------------------------------------


def test_a_function_sees_lambdas_variables_and_its_own_and_nothing_of_this_machine(
    runtime: LambdaRuntime, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "private")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    own = {"AWS_ACCESS_KEY_ID": "AKIA1", "THRESHOLD": "0.93", "AWS_ENDPOINT_URL": "http://here"}
    seen = run(runtime, function("app.surroundings", environment=own, memory_mb=256))
    variables = seen["variables"]
    # The rest that AWS sets is there as well: the list is complete on purpose.
    assert set(variables) - {"LC_CTYPE"} == set(own) | {
        "AWS_DEFAULT_REGION",
        "AWS_EXECUTION_ENV",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_INITIALIZATION_TYPE",
        "AWS_LAMBDA_LOG_FORMAT",
        "AWS_LAMBDA_LOG_GROUP_NAME",
        "AWS_LAMBDA_LOG_STREAM_NAME",
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_REGION",
        "HOME",
        "LAMBDA_RUNTIME_DIR",
        "LAMBDA_TASK_ROOT",
        "LANG",
        "PATH",
        "TMPDIR",
        "TZ",
        "_HANDLER",
        "_X_AMZN_TRACE_ID",
    }
    assert variables["AWS_REGION"] == "eu-central-1"
    assert variables["HOME"] != os.environ.get("HOME")
    assert seen["path"][0] == seen["folder"] == variables["LAMBDA_TASK_ROOT"] == str(HANDLERS)
    assert not [path for path in seen["path"] if "site-packages" in path]
    assert str(Path(__file__).parents[3]) not in seen["path"]
    assert seen["arn"] == ARN + "app-surroundings"
    assert seen["memory"] == "256"
    assert 0 < seen["remaining_ms"] <= 3000


def test_json_logs_stand_between_the_platforms_lines(runtime: LambdaRuntime, logs: Logs) -> None:
    logs.events.clear()
    group = "/scones/json"
    spec = function("app.log", json_logs=True, log_group=group)
    result = runtime.invoke(spec, b"{}")
    start, begin, printed, logged, report = logs.of(group)
    assert printed == "printed"
    record = json.loads(logged)
    assert record["message"] == "logged"
    assert record["level"] == "INFO"
    assert record["upload"] == "bucket/key"
    assert record["requestId"] == result.request_id
    assert json.loads(start)["type"] == "platform.initStart"
    assert json.loads(begin)["record"] == {"requestId": result.request_id, "version": "$LATEST"}
    closing = json.loads(report)
    assert closing["type"] == "platform.report"
    assert closing["record"]["status"] == "success"
    assert closing["record"]["metrics"]["billedDurationMs"] == result.billed_ms
    assert closing["record"]["metrics"]["initDurationMs"] > 0
    assert result.log_tail.decode().splitlines() == [begin, printed, logged, report]
    streams = {stream for name, stream, _ in logs.events if name == group}
    assert len(streams) == 1
    assert re.fullmatch(r"\d{4}/\d\d/\d\d/app-log\[\$LATEST\][0-9a-f]{32}", streams.pop())


def test_text_logs_have_start_end_and_report(runtime: LambdaRuntime, logs: Logs) -> None:
    logs.events.clear()
    spec = function("app.end", name="text", timeout_s=1)
    result = runtime.invoke(spec, b'{"status": 3}')
    start, begin, end, report = logs.of("/aws/lambda/text")
    assert start.startswith("INIT_START")
    assert begin == f"START RequestId: {result.request_id} Version: $LATEST"
    assert end == f"END RequestId: {result.request_id}"
    assert report.startswith(f"REPORT RequestId: {result.request_id}\tDuration: ")
    assert report.endswith("Status: error\tError Type: Runtime.ExitError")


def test_executions_at_once_do_not_mix_their_logs(fresh: Callable[..., LambdaRuntime]) -> None:
    runtime = fresh()
    spec = function("app.log", timeout_s=20)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda _: runtime.invoke(spec, b"{}"), range(100)))
    for result in results:
        lines = result.log_tail.decode().splitlines()
        assert [line.split()[0] for line in lines] == ["START", "printed", "END", "REPORT"]
        assert all(result.request_id in line for line in lines if line != "printed")


def test_a_failing_log_sink_costs_no_answer(tmp_path: Path) -> None:
    def refuse(*_: object) -> None:
        raise OSError("disk full")

    with LambdaRuntime(workdir=tmp_path, log=refuse) as runtime:
        assert run(runtime, function("app.echo"), 1) == 1


# --- Ends ----------------------------------------------------------------------------------------


def test_after_close_no_process_is_left_and_running_executions_are_answered(
    fresh: Callable[..., LambdaRuntime], tmp_path: Path
) -> None:
    runtime = fresh()
    run(runtime, function("app.echo"), 1)
    with busy(runtime, function("app.hang", timeout_s=30), tmp_path) as results:
        pids = [*runtime.processes(), *json.loads((tmp_path / "busy").read_text())]
        runtime.close()
        wait_until(lambda: results)
    assert error_of(results[0])["errorType"] == "Runtime.ExitError"
    wait_for_end(pids)
    with pytest.raises(LambdaError, match="has been stopped"):
        runtime.invoke(function("app.echo"), b"{}")


PARENT = """
import sys, threading
from pathlib import Path
from local.lambdas.runtime import FunctionSpec, LambdaRuntime

handlers, folder = map(Path, sys.argv[1:])
runtime = LambdaRuntime(workdir=folder, log=lambda *_: None)
spec = FunctionSpec("hang", "arn:aws:lambda:eu-central-1:1:function:hang", "app.hang", handlers,
                    timeout_s=60)
runtime.invoke(spec, b'{"pids": "%s"}' % bytes(folder / "pids"))
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_when_the_embedded_aws_is_killed_its_functions_end(
    tmp_path: Path, how: signal.Signals
) -> None:
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, HANDLERS, tmp_path],
        cwd=Path(__file__).parents[3],
        stderr=subprocess.DEVNULL,
        preexec_fn=take_interrupts,
    )
    wait_until((tmp_path / "pids").exists)
    parent.send_signal(how)
    parent.wait()
    wait_for_end(json.loads((tmp_path / "pids").read_text()))
