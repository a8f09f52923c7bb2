"""Patch: moto's Step Functions is lenient and slow, and its executions leave no log.

Stock moto names an execution without a name ":None", and lets EXPRESS do what AWS refuses. Its
interpreter parses the definition and makes an SDK client at every step, 400 and 200 ms each, with
an identity of its own, starts a thread per execution without bound, logs nothing, and writes the
times of the context object as Python does. A call of DynamoDB that takes longer than its state may
is no States.Timeout but a DynamoDB.AmazonDynamoDBException without a cause. Why an execution was
stopped is forgotten.
"""

import contextlib
import datetime
import functools
import json
import os
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import boto3
from moto.core.config import default_user_config
from moto.core.exceptions import JsonRESTError
from moto.stepfunctions.parser.asl.component.state import state
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_dynamodb as dynamodb_task,
)
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.asl.utils import boto_client
from moto.stepfunctions.parser.backend import execution_worker
from moto.stepfunctions.parser.backend.execution import BaseExecutionWorkerCommunication
from moto.stepfunctions.parser.models import StepFunctionsParserBackend
from moto.stepfunctions.responses import StepFunctionResponse

from local.lambdas.logs import LogSink
from local.moto_patches import metrics
from local.moto_patches.access import AccessKeys

# Executions at once; more wait for their first step, as they would for a throttled StartExecution.
# Each state waits for the threads of the others, and its time-out, 5 s for most, goes on: of 2,000
# uploads, 128 at once on two busy processors, 721 failed with States.Timeout.
RUNNING_AT_ONCE = 32

# The metric of each end of an execution.
ENDS = {
    "SUCCEEDED": "ExecutionsSucceeded",
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
}

# What an EXPRESS state machine refuses.
# https://docs.aws.amazon.com/step-functions/latest/dg/choosing-workflow-type.html
STANDARD_ONLY = {
    "list_executions": "ListExecutions",
    "get_execution_history": "GetExecutionHistory",
    "stop_execution": "StopExecution",
    "describe_execution": "DescribeExecution",
}


@contextlib.contextmanager
def installed(host: str, port: int, keys: AccessKeys, log: LogSink) -> Iterator[None]:
    """Run executions against the server at an address, until the context ends."""
    parse = functools.lru_cache(maxsize=32)(
        AmazonStateLanguageParser.parse
    )  # attempts are counted in the execution's environment, so executions may share a program
    terminated = BaseExecutionWorkerCommunication.terminated
    with (
        ThreadPoolExecutor(RUNNING_AT_ONCE, "execution") as pool,
        contextlib.ExitStack() as patches,
    ):

        def start(worker: Any) -> None:
            pool.submit(worker._execution_logic)

        def ended(communication: Any) -> None:
            terminated(communication)
            execution = communication.execution
            if execution.status in ENDS:
                _measure(execution.state_machine.arn, ENDS[execution.status])
            _log_failure(communication.execution, log)

        for target, name, ours in (
            (StepFunctionsParserBackend, "start_execution", _started(StepFunctionsParserBackend)),
            (execution_worker.ExecutionWorker, "start", start),
            (execution_worker.ExecutionWorker, "stop", _stop),
            (execution_worker, "AmazonStateLanguageParser", SimpleNamespace(parse=parse)),
            (BaseExecutionWorkerCommunication, "terminated", ended),
            *(
                (module, "boto_client_for", _clients(host, port, keys))
                for module in _integrations()
            ),
            (dynamodb_task.StateTaskServiceDynamoDB, "_from_error", _timing_out()),
            (state, "datetime", SimpleNamespace(datetime=_Moment, timezone=datetime.timezone)),
            *(
                (StepFunctionResponse, method, _refusing(method, operation))
                for method, operation in STANDARD_ONLY.items()
            ),
        ):
            patches.enter_context(patch.object(target, name, ours))
        patches.enter_context(patch.dict(os.environ, {"MOTO_PORT": str(port)}))
        patches.enter_context(
            patch.dict(default_user_config, {"stepfunctions": {"execute_state_machine": True}})
        )
        try:
            yield
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class _Moment(datetime.datetime):
    """A time that is written as the context object writes it: 2026-01-31T12:00:00.000Z."""

    def isoformat(self, sep: str = "T", timespec: str = "milliseconds") -> str:
        return super().isoformat(sep, timespec).replace("+00:00", "Z")


def _integrations() -> list[Any]:
    """Return the modules of moto's that make clients: each has the function by its own name."""
    stock = boto_client.boto_client_for
    parser = [module for name, module in sys.modules.items() if name.startswith("moto.stepfunc")]
    return [module for module in parser if getattr(module, "boto_client_for", None) is stock]


def _clients(host: str, port: int, keys: AccessKeys) -> Callable[..., Any]:
    """Return boto_client_for that makes each client once; they may be shared between threads."""

    @functools.cache
    def shared(service: str, region: str, role: str) -> Any:
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=f"http://{host}:{port}",
            # The state machine's own identity, whose permissions are judged.
            aws_access_key_id=keys.of(role),
            aws_secret_access_key="none",
            config=boto3.session.Config(
                retries={"total_max_attempts": 1},
                max_pool_connections=RUNNING_AT_ONCE,
                parameter_validation=False,
                read_timeout=900,  # the longest a function may run
            ),
        )

    def boto_client_for(region: str, service: str, state_credentials: Any) -> Any:
        return shared(service, region, state_credentials.role_arn.rsplit("/", 1)[-1])

    return boto_client_for


def _started(backend: Any) -> Callable[..., Any]:
    """Return start_execution that gives the nameless a name; EXPRESS names need not be unique."""
    stock = backend.start_execution

    def start_execution(
        self: Any, state_machine_arn: str, name: str | None = None, *args: Any, **kwargs: Any
    ) -> Any:
        express = self.describe_state_machine(state_machine_arn).sm_type == "EXPRESS"
        if name is None or express:
            name = f"{name}:{uuid.uuid4()}" if name and express else str(uuid.uuid4())
        _measure(state_machine_arn, "ExecutionsStarted")
        return stock(self, state_machine_arn, name, *args, **kwargs)

    return start_execution


def _timing_out() -> Callable[..., Any]:
    """Return _from_error of a DynamoDB task that leaves a time-out to the class above it."""
    task = dynamodb_task.StateTaskServiceDynamoDB
    stock = task._from_error

    def from_error(self: Any, env: Any, ex: Exception) -> Any:
        above = super(task, self)._from_error
        return above(env=env, ex=ex) if isinstance(ex, TimeoutError) else stock(self, env, ex)

    return from_error


def _measure(arn: str, metric: str) -> None:
    metrics.record(arn.split(":")[3], "AWS/States", metric, {"StateMachineArn": arn})


def _stop(worker: Any, **reason: Any) -> None:
    if worker.env is not None:  # None: it still waits for its first step
        worker.env.set_stop(**reason)


def _refusing(method: str, operation: str) -> Callable[..., Any]:
    stock = getattr(StepFunctionResponse, method)

    def answer(self: StepFunctionResponse) -> Any:
        arn = self._get_param("stateMachineArn") or self._get_param("executionArn") or ""
        name = arn.split(":")[6] if arn.count(":") >= 6 else ""
        for machine in self.stepfunction_backend.state_machines:
            if machine.name == name and machine.sm_type == "EXPRESS":
                raise JsonRESTError(
                    "StateMachineTypeNotSupported",
                    f"This operation is not supported by this type of state machine ({operation})",
                )
        answered = stock(self)
        if method == "stop_execution":  # and why, as DescribeExecution tells
            execution = self.stepfunction_backend.describe_execution(arn)
            execution.error, execution.cause = self._get_param("error"), self._get_param("cause")
        return answered

    return answer


def _log_failure(execution: Any, log: LogSink) -> None:
    """Write what level ERROR of a state machine's log shows: that it failed, and why."""
    configuration = execution.state_machine.loggingConfiguration or {}
    destinations = configuration.get("Destinations") or configuration.get("destinations") or []
    if execution.status not in ("FAILED", "TIMED_OUT") or not destinations:
        return
    destination = destinations[0]
    group = destination.get("CloudWatchLogsLogGroup") or destination["cloudWatchLogsLogGroup"]
    arn = group.get("LogGroupArn") or group["logGroupArn"]
    now_ms = int(time.time() * 1000)
    document = {
        "id": "1",
        "type": "ExecutionFailed" if execution.status == "FAILED" else "ExecutionTimedOut",
        "details": {"error": execution.error, "cause": execution.cause},
        "execution_arn": execution.exec_arn,
        "event_timestamp": str(now_ms),
    }
    log(arn.split(":log-group:")[1].removesuffix(":*"), "states", [(now_ms, json.dumps(document))])
