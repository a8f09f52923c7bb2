"""Runs: executions of the state machine of backfills, each with its allowance of photos."""

import json
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from cli.errors import CommandError
from ops.backfilling.sources import Source
from ops.stack.outputs import Stack

NAME = re.compile(r"[0-9]{8}-[0-9]{6}")
# What a child says when the allowance is used up; statemachine/backfill.asl.json.
USED_UP = "AllowanceUsedUp"
STOPPED = "Stopped"


@dataclass(frozen=True)
class Children:
    """How many objects of a run have come how far."""

    waiting: int = 0
    running: int = 0
    succeeded: int = 0
    failed: int = 0

    @property
    def done(self) -> int:
        """Those that the run is through with."""
        return self.succeeded + self.failed


@dataclass(frozen=True)
class Run:
    """A run as it is now. given: its input. left: photos it may start still."""

    arn: str
    status: str
    started: datetime
    ended: datetime | None
    error: str
    cause: str
    given: dict[str, Any]
    children: Children
    left: int
    photos: int

    @property
    def name(self) -> str:
        """The name of its execution."""
        return self.arn.rpartition(":")[2]

    @property
    def running(self) -> bool:
        """Whether it goes on."""
        return self.status == "RUNNING"

    @property
    def end(self) -> str:
        """How it is, in a word or two."""
        if self.error == USED_UP:
            return "used up"
        words = {"SUCCEEDED": "complete", "RUNNING": "running", "ABORTED": "stopped"}
        return words.get(self.status, f"failed: {self.error}")

    @property
    def source(self) -> Source:
        """What it goes over."""
        inventory = self.given.get("inventory", {"bucket": "", "key": ""})
        return Source(
            self.given["bucket"],
            self.given["prefix"],
            (inventory["bucket"], inventory["key"]),
            self.given["share"],
        )


class Runs:
    """The backfills of a stack. Step Functions keeps them for 90 days after their end."""

    def __init__(self, stack: Stack) -> None:
        self._states, self._dynamodb = stack.client("stepfunctions"), stack.client("dynamodb")
        self._stack, self._table = stack, stack.outputs["BackfillsTable"]
        self._machine = stack.outputs["BackfillWorkflowArn"]

    def start(self, source: Source, allowance: int, **given: Any) -> str:
        """Start a run that may start so many photos; return its name.

        given: concurrency, tolerated_failure_percentage, and what is to be known of it later. The
        allowance is written first: a run without one starts nothing.
        """
        name = time.strftime("%Y%m%d-%H%M%S", time.gmtime())
        document = {
            "bucket": source.bucket,
            "prefix": source.prefix,
            "keys_until": source.keys_until,
            "sample_below": source.below,
            "share": source.share,
            "started_by": self._stack.client("sts").get_caller_identity()["Arn"],
            **given,
        }
        if source.inventory[0]:
            place = dict(zip(("bucket", "key"), source.inventory, strict=True))
            document["inventory"] = place
        try:
            self._dynamodb.put_item(
                TableName=self._table,
                Item={
                    "run": {"S": self._arn(name)},
                    "allowance": {"N": str(allowance)},
                    "started": {"N": "0"},
                },
                ConditionExpression="attribute_not_exists(run)",
            )
        except self._dynamodb.exceptions.ConditionalCheckFailedException:
            raise CommandError(f"a backfill {name} has just been started: see list") from None
        self._states.start_execution(
            stateMachineArn=self._machine, name=name, input=json.dumps(document)
        )
        return name

    def find(self, name: str | None) -> Run:
        """Return a run by its name, or the newest. Raises CommandError where there is none."""
        if name is None:
            newest = next(self._names(), None)
            if newest is None:
                raise CommandError(f"no backfill of {self._stack.name} has been started")
            name = newest
        if not NAME.fullmatch(name):
            raise CommandError(f"{name!r} is no name of a backfill: see list")
        try:
            return self._described(self._arn(name))
        except self._states.exceptions.ExecutionDoesNotExist:
            raise CommandError(f"there is no backfill {name}: see list") from None

    def newest(self, limit: int) -> Iterator[Run]:
        """Yield runs, the newest first."""
        for name in islice(self._names(), limit):
            yield self._described(self._arn(name))

    def stop(self, run: Run, who: str) -> None:
        """End a run; what it has started goes on to its end."""
        self._states.stop_execution(executionArn=run.arn, error=STOPPED, cause=f"by {who}")

    def caller(self) -> str:
        """Return who asks, as AWS knows them."""
        return str(self._stack.client("sts").get_caller_identity()["Arn"])

    def _names(self) -> Iterator[str]:
        """Yield the names of runs, the newest first, without executions that others started."""
        pages = self._states.get_paginator("list_executions")
        for page in pages.paginate(stateMachineArn=self._machine):
            names = (execution["name"] for execution in page["executions"])
            yield from (name for name in names if NAME.fullmatch(name))

    def _arn(self, name: str) -> str:
        return f"{self._machine.replace(':stateMachine:', ':execution:')}:{name}"

    def _described(self, arn: str) -> Run:
        found = self._states.describe_execution(executionArn=arn)
        item = self._dynamodb.get_item(
            TableName=self._table, Key={"run": {"S": arn}}, ConsistentRead=True
        ).get("Item", {})
        return Run(
            arn=arn,
            status=found["status"],
            started=found["startDate"],
            ended=found.get("stopDate"),
            error=found.get("error") or "",
            cause=found.get("cause") or "",
            given=json.loads(found["input"]),
            children=self._children(arn),
            left=int(item.get("allowance", {"N": "0"})["N"]),
            photos=int(item.get("started", {"N": "0"})["N"]),
        )

    def _children(self, arn: str) -> Children:
        runs = self._states.list_map_runs(executionArn=arn)["mapRuns"]
        if not runs:  # it has not come so far
            return Children()
        counts = self._states.describe_map_run(mapRunArn=runs[0]["mapRunArn"])["itemCounts"]
        return Children(
            waiting=counts["pending"],
            running=counts["running"],
            succeeded=counts["succeeded"],
            failed=counts["failed"] + counts["timedOut"] + counts["aborted"],
        )
