"""Events that start the workflow, and starting it with them."""

import json
import uuid
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, wait
from itertools import islice
from threading import Lock
from typing import Any

from cli.errors import aws_errors, explained
from ops.stack.ledger import name_of
from ops.stack.outputs import DENIED, Stack
from ops.stack.rate_limit import RateLimit

NO_HISTORY = "EXPRESS keeps no history of executions"
WORKERS = 8  # threads: StartExecution takes 50 ms or so, and the rate limit decides
BATCH_SIZE = 100  # events held in memory
NEWEST = 25  # executions among which that of an upload is looked for
KEPT = 1_000  # executions whose upload is kept in memory


def created_event(stack: Stack, item: Mapping[str, Any], bucket: str, why: str) -> str:
    """Return the event "Object Created" of an object, as EventBridge would have sent it.

    item: an entry of ListObjectsV2. why: what the event gives as its reason.
    """
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Object Created",
        "source": "aws.s3",
        "account": stack.account,
        "time": item["LastModified"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": stack.region,
        "resources": [f"arn:{stack.partition}:s3:::{bucket}"],
        "detail": {
            "version": "0",
            "bucket": {"name": bucket},
            "object": {
                "key": item["Key"],
                "size": item["Size"],
                "etag": item["ETag"].strip('"'),
            },
            "reason": why,
        },
    }
    return json.dumps(event, ensure_ascii=False)


def address_in(event: str) -> tuple[str, str, str] | None:
    """Return bucket, key and etag of an upload's event; None if it is none."""
    try:
        detail = json.loads(event)["detail"]
        found = detail["bucket"]["name"], detail["object"]["key"], detail["object"]["etag"]
    except (ValueError, KeyError, TypeError):
        return None
    return found if all(isinstance(part, str) and part for part in found) else None


def start_all(stack: Stack, events: Iterable[str], name: str, limit: RateLimit) -> Iterator[str]:
    """Start an execution for each event, several at once; yield "" or why not, in their order.

    name: begins the executions' names, so that the console tells where they come from. On Ctrl-C
    it starts no more, and yields what became of those that it had begun to start, before it ends
    with KeyboardInterrupt.
    """
    client, arn = stack.client("stepfunctions"), stack.state_machine_arn

    def start(event: str) -> str:
        limit.wait()
        try:
            client.start_execution(stateMachineArn=arn, name=f"{name}-{uuid.uuid4()}", input=event)
        except aws_errors() as error:
            return explained(error, DENIED)
        return ""

    remaining = iter(events)
    with ThreadPoolExecutor(WORKERS) as pool:
        while batch := list(islice(remaining, BATCH_SIZE)):
            begun = deque[Future[str]]()
            try:
                for event in batch:
                    begun.append(pool.submit(start, event))
                while begun:
                    wait([begun[0]])
                    yield begun.popleft().result()
            except KeyboardInterrupt:
                begun = deque([future for future in begun if not future.cancel()])
                while begun:
                    yield begun.popleft().result()
                raise
            finally:
                for future in begun:  # whoever asked has been interrupted
                    future.cancel()


class Newest:
    """The newest executions, by the uploads that they are about.

    EventBridge gives executions names that nobody can know, so each is asked once for its event.
    STANDARD only: EXPRESS lists no executions.
    """

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._uploads: dict[str, str] = {}  # by ARN, the oldest first; "" for an event of none
        self._one = Lock()

    def of(self, upload: str) -> str:
        """Return the ARN of an upload's execution, "" if none of the newest is about it."""
        client = self._stack.client("stepfunctions")
        with self._one:
            listed = client.list_executions(
                stateMachineArn=self._stack.state_machine_arn, maxResults=NEWEST
            )["executions"]
            for arn in (execution["executionArn"] for execution in listed):
                if arn not in self._uploads:
                    address = address_in(client.describe_execution(executionArn=arn)["input"])
                    self._uploads[arn] = name_of(*address) if address else ""
                if self._uploads[arn] == upload:
                    return str(arn)
            for old in list(self._uploads)[:-KEPT]:
                del self._uploads[old]
        return ""
