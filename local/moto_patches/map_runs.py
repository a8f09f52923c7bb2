"""Patch: moto's Distributed Map knows no EXPRESS children and no failure threshold.

Stock moto refuses a definition with EXPRESS children or the input type MANIFEST, which map_items
reads. It tolerates every failure, calls itself once more for each item that a worker takes, does
not stop with its execution, gives its children the name of their parent, and asks no permission.
"""

import contextlib
import json
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.exceptions import ResourceNotFound
from moto.stepfunctions.parser.api import (
    ExecutionFailedEventDetails,
    HistoryEventType,
    MapRunStartedEventDetails,
    MapRunStatus,
    StateMachineType,
)
from moto.stepfunctions.parser.asl.component.common.error_name.failure_event import (
    FailureEvent,
    FailureEventException,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name import (
    StatesErrorName,
)
from moto.stepfunctions.parser.asl.component.common.error_name.states_error_name_type import (
    StatesErrorNameType,
)
from moto.stepfunctions.parser.asl.component.common.timeouts.timeout import TimeoutSeconds
from moto.stepfunctions.parser.asl.component.program.program import Program
from moto.stepfunctions.parser.asl.component.state.exec.state_map.iteration import (
    distributed_iteration_component as distributed,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment
from moto.stepfunctions.parser.asl.eval.event.event_detail import EventDetails
from moto.stepfunctions.parser.asl.eval.event.event_manager import EventHistoryContext
from moto.stepfunctions.parser.asl.eval.program_state import (
    ProgramError,
    ProgramStopped,
    ProgramTimedOut,
)
from moto.stepfunctions.parser.asl.eval.states import ItemData, MapData
from moto.stepfunctions.parser.asl.parse import preprocessor
from moto.stepfunctions.parser.asl.parse.asl_parser import AmazonStateLanguageParser
from moto.stepfunctions.parser.models import StepFunctionsParserBackend

from local.moto_patches.permissions import demand

Json = dict[str, Any]

EXPRESS_LIMIT_S = 300
MOST_CHILDREN = 10_000  # what AWS runs at once where MaxConcurrency is 0
THREADS = 256  # children that run at once here; more wait
STOPPED_POLL_S = 0.2

Result = tuple[str, Json]  # status of a child, and its entry in the results


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let Distributed Maps run EXPRESS children, until the context ends."""
    component = distributed.DistributedIterationComponent
    with (
        patch.object(AmazonStateLanguageParser, "parse", staticmethod(_parsing())),
        patch.object(component, "_eval_body", _run),
        patch.object(StepFunctionsParserBackend, "describe_map_run", _describe),
        patch.object(StepFunctionsParserBackend, "list_map_runs", _list_runs),
        # It warns at each deployment that tolerated failures have no effect: here they have.
        patch.object(preprocessor.LOG, "warning"),
    ):
        yield


def _parsing() -> Callable[[str], Any]:
    """Return parse() that takes what the grammar lacks, in the terms that it has."""
    stock = AmazonStateLanguageParser.parse

    def parse(definition: str) -> Any:
        return stock(json.dumps(_understood(json.loads(definition))))

    return parse


def _understood(value: Any) -> Any:
    """Return a definition in which children are STANDARD and an inventory is a plain object.

    All children of a Distributed Map run as EXPRESS here, so any others are refused.
    """
    if isinstance(value, list):
        return [_understood(part) for part in value]
    if not isinstance(value, dict):
        return value
    value = {name: _understood(part) for name, part in value.items()}
    if value.get("Mode") == "DISTRIBUTED":
        if value.get("ExecutionType") != "EXPRESS":
            raise ValueError("the embedded AWS runs EXPRESS children of a Distributed Map only")
        value["ExecutionType"] = "STANDARD"
    if value.get("ReaderConfig") == {"InputType": "MANIFEST"}:
        del value["ReaderConfig"]
    return value


def _run(component: Any, env: Environment) -> None:
    """Run a child for each item, at most MaxConcurrency at once; put their results on the stack."""
    given = env.stack.pop()
    record = given.map_run_record
    machine = env.states.context_object.context_object_data["StateMachine"]["Id"]
    demand(env.aws_execution_details.role_arn, "states:StartExecution", machine)
    env.event_manager.add_event(
        context=env.event_history_context,
        event_type=HistoryEventType.MapRunStarted,
        event_details=EventDetails(  # type: ignore[typeddict-item]
            mapRunStartedEventDetails=MapRunStartedEventDetails(mapRunArn=record.map_run_arn)
        ),
    )
    if given.item_reader:
        given.item_reader.eval(env=env)
    else:
        env.stack.append(given.input_items)
    items: list[Any] = env.stack.pop()
    children = _Children(component, env, given, items)
    children.run()
    if not env.is_running():
        record.set_stop(status=MapRunStatus.ABORTED)
        return
    if children.threshold_passed():
        record.set_stop(status=MapRunStatus.FAILED)
        env.event_manager.add_event(
            context=env.event_history_context, event_type=HistoryEventType.MapRunFailed
        )
        raise _threshold_failure(env)
    env.event_manager.add_event(
        context=env.event_history_context, event_type=HistoryEventType.MapRunSucceeded
    )
    record.set_stop(status=MapRunStatus.SUCCEEDED)
    env.stack.append(children.results)


class _Children:
    """The child executions of one map run."""

    def __init__(self, component: Any, env: Environment, given: Any, items: list[Any]) -> None:
        self.results: list[Result] = []
        self._parent, self._given, self._items = env, given, items
        self._counts = (given.map_run_record.item_counter, given.map_run_record.execution_counter)
        program = component._get_iteration_program()
        limit = TimeoutSeconds(EXPRESS_LIMIT_S)
        self._program = Program(program.query_language, program.start_at, program.states, limit)
        self._running: set[Environment] = set()
        self._lock = threading.Lock()
        for counter in self._counts:
            counter.total.offset(len(items))
            counter.pending.offset(len(items))

    def run(self) -> None:
        """Return when each item has had its child, or the run is over before."""
        record = self._given.map_run_record
        done = threading.Event()
        stopper = threading.Thread(target=self._stop_with_parent, args=(done,), daemon=True)
        stopper.start()
        workers = min(record.max_concurrency or MOST_CHILDREN, THREADS)
        left = iter(enumerate(self._items))

        def work() -> None:
            while self._going_on():
                with self._lock:
                    index, item = next(left, (-1, None))
                if index < 0:
                    return
                self._child(index, item)

        try:
            with ThreadPoolExecutor(workers, "map-child") as pool:
                for future in [pool.submit(work) for _ in range(workers)]:
                    future.result()
        finally:
            done.set()

    def threshold_passed(self) -> bool:
        """Tell whether more has failed than is tolerated."""
        failed = self._counts[0].failed.get() + self._counts[0].timed_out.get()
        record = self._given.map_run_record
        share: bool = failed * 100 > record.tolerated_failure_percentage * len(self._items)
        return share and failed > record.tolerated_failure_count

    def _going_on(self) -> bool:
        return self._parent.is_running() and not self.threshold_passed()

    def _stop_with_parent(self, done: threading.Event) -> None:
        while not done.wait(STOPPED_POLL_S):
            if not self._going_on():
                with self._lock:
                    running = list(self._running)
                for child in running:
                    child.set_stop(stop_date=datetime.now(UTC), cause=None, error=None)

    def _child(self, index: int, item: Any) -> None:
        name = str(uuid.uuid4())
        selected = self._selected(index, item)
        env = self._environment(name, selected)
        env.states.reset(input_value=selected)
        self._count(pending=-1, running=1)
        with self._lock:
            self._running.add(env)
        try:
            self._program.eval(env)
        finally:
            with self._lock:
                self._running.discard(env)
        end, entry = env.program_state(), {"Name": name, "Input": json.dumps(selected)}
        status = "SUCCEEDED"
        if isinstance(end, ProgramError):
            status, entry = "FAILED", entry | {"Error": str((end.error or {}).get("error"))}
        elif isinstance(end, ProgramTimedOut):
            status = "TIMED_OUT"
        elif isinstance(end, ProgramStopped):
            status = "ABORTED"
        else:
            entry["Output"] = json.dumps(env.states.get_input())
        self._count(running=-1, **{status.lower(): 1})
        with self._lock:
            self.results.append((status, entry | {"Status": status}))

    def _count(self, **changes: int) -> None:
        for counter in self._counts:
            for name, change in changes.items():
                getattr(counter, name).offset(change)

    def _selected(self, index: int, item: Any) -> Any:
        """Return what ItemSelector makes of an item."""
        if self._given.item_selector is None:
            return item
        frame = self._parent.open_inner_frame()
        try:
            data = MapData(Item=ItemData(Index=index, Value=item))
            frame.states.context_object.context_object_data["Map"] = data
            frame.states.reset(input_value=self._parent.states.get_input())
            frame.stack.append(frame.states.get_input())
            self._given.item_selector.eval(frame)
            return frame.stack[-1]
        finally:
            self._parent.delete_frame(frame)

    def _environment(self, name: str, selected: Any) -> Environment:
        """Return that of a child, an execution of its own."""
        data = self._parent.states.context_object.context_object_data
        run = self._given.map_run_record.map_state_machine_arn
        execution = {
            "Id": f"{run.replace(':stateMachine:', ':express:')}:{name}:{uuid.uuid4()}",
            "Input": selected,
            "Name": name,
            "RoleArn": data["Execution"]["RoleArn"],
            "StartTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        return Environment(
            aws_execution_details=self._parent.aws_execution_details,
            execution_type=StateMachineType.EXPRESS,
            context={"Execution": execution, "StateMachine": data["StateMachine"]},  # type: ignore[typeddict-item]
            event_history_context=EventHistoryContext.of_program_start(),
            cloud_watch_logging_session=None,
            activity_store=self._parent.activity_store,
        )


def _threshold_failure(env: Environment) -> FailureEventException:
    kind = StatesErrorNameType.StatesExceedToleratedFailureThreshold
    return FailureEventException(
        FailureEvent(
            env=env,
            error_name=StatesErrorName(typ=kind),
            event_type=HistoryEventType.ExecutionFailed,
            event_details=EventDetails(  # type: ignore[typeddict-item]
                executionFailedEventDetails=ExecutionFailedEventDetails(
                    error=kind.to_name(),
                    cause="The specified tolerated failure threshold was exceeded",
                )
            ),
        )
    )


def _describe(backend: StepFunctionsParserBackend, map_run_arn: str) -> Any:
    """Return DescribeMapRun."""
    for execution in backend._get_executions():
        for record in _records(execution):
            if record.map_run_arn == map_run_arn:
                return record.describe()
    raise ResourceNotFound(map_run_arn)


def _list_runs(backend: StepFunctionsParserBackend, execution_arn: str) -> Any:
    """Return ListMapRuns."""
    execution = backend.describe_execution(execution_arn=execution_arn)
    return {"mapRuns": [record.list_item() for record in _records(execution)]}


def _records(execution: Any) -> list[Any]:
    """Return an execution's map runs; stock moto stumbles where it waits for its first step."""
    env = execution.exec_worker.env if execution.exec_worker else None
    return env.map_run_record_pool_manager.get_all() if env else []
