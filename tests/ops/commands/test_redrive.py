"""What failed is started again, once, and no dead letter is lost."""

import contextlib
import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.follow import Followed
from ops.stack.announcements import announcement, details_in
from ops.stack.dead_letters import DeadLetters
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack as OpsStack
from ops.stack.rate_limit import RateLimit
from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty, pointer
from tests.support.workflow import announced, decided, item_of

BROKEN = (400, "application/json", b'{"error": "broken"}')


@pytest.fixture(autouse=True)
def _nothing_else_failed(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Empty the queues and the ledger's failures, which other tests have left."""
    monkeypatch.setattr("ops.stack.dead_letters.LISTEN_S", 0)  # the embedded queues have one server
    name = next((n for n in ("stack", "standard") if n in request.fixturenames), None)
    if name is None:
        return
    stack: Stack = request.getfixturevalue(name)
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(stack, queue)
    table = stack.outputs["DecisionsTable"]
    client = stack.aws.client("dynamodb")
    for item in client.scan(TableName=table)["Items"]:
        if "outcome" in item and item["outcome"]["S"] == "failed":  # forget leaves none
            client.delete_item(TableName=table, Key={"upload": item["upload"]})


def failed(stack: Stack, images: Path) -> dict[str, str]:
    stack.container.tell(BROKEN)
    item = decided(stack, (images / "bicycle.png").read_bytes())
    assert item["outcome"] == "failed"
    return item


def settled(stack: Stack, upload: str) -> dict[str, Any]:
    """Return an upload's item once it is no failure."""
    deadline = time.monotonic() + 30
    while True:
        item = stack.follower.outcome(upload, patience_s=30)
        assert item is not None
        if item["outcome"]["S"] != "failed" or time.monotonic() > deadline:
            return {name: next(iter(value.values())) for name, value in item.items()}
        time.sleep(0.02)


def waiting(stack: Stack, queue: str) -> int:
    attributes = stack.aws.client("sqs").get_queue_attributes(
        QueueUrl=stack.outputs[queue], AttributeNames=["All"]
    )["Attributes"]
    hidden = int(attributes["ApproximateNumberOfMessagesNotVisible"])
    assert hidden == 0, "a letter was not given back"
    return int(attributes["ApproximateNumberOfMessages"])


def at_rest(stack: Stack) -> None:
    """Wait until no execution runs; moto's own list has those of EXPRESS too."""
    backend = stepfunctions_parser_backends[DEFAULT_ACCOUNT_ID]["us-east-1"]
    machine = backend.describe_state_machine(stack.outputs["StateMachineArn"])
    deadline = time.monotonic() + 30
    while any(execution.status == "RUNNING" for execution in machine.executions):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_nothing_failed(ops: Ops, stack: Stack) -> None:
    ran = ops(stack, "redrive")
    assert (ran.code, ran.out) == (0, "nothing failed, no dead letters\n")


def test_a_failed_upload_is_decided_after_a_redrive(ops: Ops, stack: Stack, images: Path) -> None:
    item = failed(stack, images)
    ran = ops(stack, "redrive", "--dry-run")
    assert ran.code == 1
    assert ran.out.split()[4:] == ["failed", "uploads", "EndpointRefused", "waiting", "1"]
    [row] = json.loads(ops(stack, "redrive", "--dry-run", "--json").out)
    assert row == {
        "source": "failed uploads",
        "reason": "EndpointRefused",
        "result": "waiting",
        "number": 1,
    }
    ran = ops(stack, "redrive")
    assert ran.code == 0
    assert ran.out.split()[4:9] == ["failed", "uploads", "EndpointRefused", "started", "1"]
    again = settled(stack, item["upload"])
    assert (again["outcome"], again["revision"], again["event"]) == ("accepted", "2", item["event"])


def test_a_second_redrive_changes_no_decision(ops: Ops, stack: Stack, images: Path) -> None:
    item = failed(stack, images)
    ops(stack, "redrive")
    ops(stack, "redrive")
    again = settled(stack, item["upload"])
    assert ops(stack, "redrive").out == "nothing failed, no dead letters\n"
    at_rest(stack)
    assert settled(stack, item["upload"]) == again
    assert len(announced(stack, item["upload"], 2)) == 2


def test_what_fails_again_is_started_once_a_run(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read an item at a time: the first have failed again before the last is read."""
    for _ in range(3):
        failed(standard, images)
    standard.container.tell(*[BROKEN] * 10)
    pages = Ledger._pages
    one = {"PaginationConfig": {"PageSize": 1}}
    monkeypatch.setattr(Ledger, "_pages", lambda *given, **more: pages(*given, **more, **one))
    monkeypatch.setattr("ops.commands.redrive.BATCH_SIZE", 1)
    ran = ops(standard, "redrive", "--per-second", "2")
    assert "EndpointRefused  started       3" in ran.out
    at_rest(standard)  # before the next test tells the container what to answer


@contextlib.contextmanager
def without_endpoint(stack: Stack) -> Iterator[None]:
    sagemaker, name = stack.aws.client("sagemaker"), stack.outputs["EndpointName"]
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    sagemaker.delete_endpoint(EndpointName=name)
    try:
        yield
    finally:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)


def test_while_the_endpoint_is_silent_no_upload_is_started(
    ops: Ops, standard: Stack, images: Path
) -> None:
    item = failed(standard, images)
    event = json.loads(item["event"])
    event["detail"]["object"]["key"] = "uploads/lost.png"
    dead_letter(standard, "UploadEventsDeadLetterQueue", event, "ThrottlingException")
    lost = decided(standard, (images / "bicycle.png").read_bytes())
    heard = {"detail-type": "Outcome recorded", "detail": announced(standard, lost["upload"], 1)[0]}
    dead_letter(standard, "AnnouncementsDeadLetterQueue", heard, "NO_PERMISSIONS")
    with without_endpoint(standard):
        ran = ops(standard, "redrive", "--json")
    assert ran.code == 1
    assert ran.err.startswith("! no upload is started: no endpoint, so uploads fail: whoever")
    assert ran.err.count("no endpoint") == 1
    results = {row["source"]: row["result"] for row in json.loads(ran.out)}
    assert results == {
        "failed uploads": "waiting",
        "lost upload events": "waiting",
        "lost announcements": "started",
    }
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 1
    assert item_of(standard, Followed("", item["upload"])) == item
    empty(standard, "UploadEventsDeadLetterQueue")
    assert ops(standard, "redrive").code == 0
    assert settled(standard, item["upload"])["outcome"] == "accepted"


@pytest.mark.parametrize("source", ["ledger", "queue"])
def test_what_was_started_before_ctrl_c_is_counted(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch, source: str
) -> None:
    item = failed(standard, images)
    event = json.loads(item["event"])
    if source == "queue":
        for number in range(6):
            event["detail"]["object"]["key"] = f"uploads/lost-{number}.png"
            dead_letter(standard, "UploadEventsDeadLetterQueue", event, "ThrottlingException")
        standard.aws.client("dynamodb").delete_item(
            TableName=standard.outputs["DecisionsTable"], Key={"upload": {"S": item["upload"]}}
        )
    else:
        for _ in range(5):
            failed(standard, images)
    taken, wait = iter(range(100)), RateLimit.wait

    def interrupted(limit: RateLimit) -> None:
        if next(taken) == 3:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.5)  # the others are still to come when the main thread hears of it
        wait(limit)

    monkeypatch.setattr("ops.stack.executions.WORKERS", 2)
    monkeypatch.setattr(RateLimit, "wait", interrupted)
    machine, client = standard.outputs["StateMachineArn"], standard.aws.client("stepfunctions")

    def redriven() -> int:
        executions = client.list_executions(stateMachineArn=machine)["executions"]
        return sum(execution["name"].startswith("redrive-") for execution in executions)

    before = redriven()
    ran = ops(standard, "redrive", "--json", "--per-second", "4")
    started = redriven() - before
    assert ran.code == 130
    assert ran.err == "not all was looked at: run it again\ninterrupted\n"
    assert 3 <= started < 6
    [row] = json.loads(ran.out)
    assert (row["result"], row["number"]) == ("started", started)
    if source == "queue":
        assert waiting(standard, "UploadEventsDeadLetterQueue") == 6 - started
    at_rest(standard)


def test_what_cannot_begin_does_not_say_that_nothing_failed(
    ops: Ops, standard: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Ledger, "of_outcome", interrupted)
    ran = ops(standard, "redrive")
    assert (ran.code, ran.out) == (130, "")


def test_reason_time_and_limit_choose(ops: Ops, standard: Stack, images: Path) -> None:
    for _ in range(3):
        failed(standard, images)
    assert ops(standard, "redrive", "--dry-run", "--reason", "Nothing").code == 0
    assert ops(standard, "redrive", "--dry-run", "--since", "2999-01-01").code == 0
    assert " 2\n" in ops(standard, "redrive", "--dry-run", "--limit", "2").out
    assert " 3\n" in ops(standard, "redrive", "--dry-run", "--since", "1h").out
    with pytest.raises(SystemExit):
        ops(standard, "redrive", "--limit", "0")


@pytest.mark.parametrize("words", [("--reason", "Other"), ("--since", "2999-01-01"), ()])
def test_letters_that_nobody_chose_or_understands_stay(
    ops: Ops, standard: Stack, images: Path, words: tuple[str, ...]
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes())
    dead_letter(
        standard, "UploadEventsDeadLetterQueue", "no event" if not words else item["event"], "X"
    )
    ran = ops(standard, "redrive", *words)
    assert ran.code == (0 if words else 1)
    assert ("not understood" in ran.err) == (not words)
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 1


def test_an_event_that_started_nothing_is_started(ops: Ops, stack: Stack, images: Path) -> None:
    item = failed(stack, images)
    event = json.loads(item["event"])
    stack.aws.client("dynamodb").delete_item(
        TableName=stack.outputs["DecisionsTable"], Key={"upload": {"S": item["upload"]}}
    )
    dead_letter(stack, "UploadEventsDeadLetterQueue", event, "ThrottlingException")
    dead_letter(stack, "UploadEventsDeadLetterQueue", "no event", "ThrottlingException")
    ran = ops(stack, "redrive", "--dry-run")
    assert "lost upload events  ThrottlingException  waiting" in ran.out
    assert waiting(stack, "UploadEventsDeadLetterQueue") == 2
    ran = ops(stack, "redrive")
    assert ran.code == 1  # one is not understood, and kept
    assert settled(stack, item["upload"])["outcome"] == "accepted"
    assert waiting(stack, "UploadEventsDeadLetterQueue") == 1


def test_a_letter_of_a_decided_upload_is_only_deleted(ops: Ops, stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "bicycle.png").read_bytes())
    dead_letter(stack, "UploadEventsDeadLetterQueue", item["event"], "Throttled")
    ran = ops(stack, "redrive")
    assert ran.code == 0
    assert ran.out.split()[-4:] == ["Throttled", "already", "decided", "1"]
    assert waiting(stack, "UploadEventsDeadLetterQueue") == 0
    assert settled(stack, item["upload"]) == item


def test_a_letter_that_cannot_be_started_stays(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = failed(standard, images)
    dead_letter(standard, "UploadEventsDeadLetterQueue", item["event"])
    strange = standard.outputs["StateMachineArn"] + "-gone"
    monkeypatch.setattr("ops.stack.outputs.Stack.state_machine_arn", strange)
    ran = ops(standard, "redrive")
    assert ran.code == 1
    assert ran.out.count("refused") == 2
    assert ran.err.count("StateMachineDoesNotExist") == 1
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 1


def test_more_letters_than_a_call_takes(ops: Ops, standard: Stack, images: Path) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes())
    for _ in range(23):
        dead_letter(standard, "UploadEventsDeadLetterQueue", item["event"], "X")
    assert " 12\n" in ops(standard, "redrive", "--dry-run", "--limit", "12").out
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 23
    assert " 23\n" in ops(standard, "redrive").out
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 0


def test_the_announcement_is_the_one_that_the_pipe_makes(stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes(), 'quote " and ü.jpg')
    [heard] = announced(stack, item["upload"], 1)
    image = stack.follower.outcome(item["upload"])
    assert image is not None
    assert json.loads(announcement(image)) == heard


def test_what_a_rule_could_not_deliver_is_announced_again(
    ops: Ops, stack: Stack, images: Path
) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes())
    [heard] = announced(stack, item["upload"], 1)
    event = {"detail-type": "Outcome recorded", "source": "scones-unlimited", "detail": heard}
    dead_letter(stack, "AnnouncementsDeadLetterQueue", event, "NO_PERMISSIONS")
    ran = ops(stack, "redrive")
    assert (ran.code, ran.out.split()[6]) == (0, "NO_PERMISSIONS")
    assert announced(stack, item["upload"], 2) == [heard, heard]
    assert waiting(stack, "AnnouncementsDeadLetterQueue") == 0


def test_what_the_pipe_could_not_announce_is_read_from_the_stream(
    ops: Ops, stack: Stack, images: Path
) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes())
    [heard] = announced(stack, item["upload"], 1)
    batch = pointer(stack, item["upload"])
    dead_letter(stack, "AnnouncementsDeadLetterQueue", {"DDBStreamBatchInfo": batch})
    assert ops(stack, "redrive").code == 0
    assert announced(stack, item["upload"], 2) == [heard, heard]


def test_a_change_is_announced_after_the_bus_was_out_of_reach(
    ops: Ops, stack: Stack, images: Path
) -> None:
    def refuse(*_: object) -> None:
        raise ConnectionError("the bus is out of reach")

    with pytest.MonkeyPatch.context() as outage:
        outage.setattr("local.moto_patches.pipes.RETRY_WAITS_S", ())
        outage.setattr("local.moto_patches.pipes.send", refuse)
        item = decided(stack, (images / "cat.jpg").read_bytes())
        deadline = time.monotonic() + 10
        while not waiting(stack, "AnnouncementsDeadLetterQueue") and time.monotonic() < deadline:
            time.sleep(0.02)
    ran = ops(stack, "redrive")
    assert (ran.code, ran.out.split()[6:]) == (0, ["ConnectionError", "started", "1"])
    [heard] = announced(stack, item["upload"], 1)
    assert (heard["outcome"], heard["revision"]) == ("review", "1")


class Pages:
    """A stream that answers with some records, with none, then with more, as AWS's may."""

    def __init__(self, pages: list[list[int]], item: dict[str, Any]) -> None:
        self.exceptions = botocore.session.get_session().create_client("dynamodbstreams").exceptions
        self.pages, self.item = pages, item

    def describe_stream(self, **_: str) -> dict[str, Any]:
        return {"StreamDescription": {"Shards": [{"ShardId": "shard"}]}}

    def get_shard_iterator(self, **_: str) -> dict[str, Any]:
        return {"ShardIterator": "0"}

    def get_records(self, **iterator: str) -> dict[str, Any]:
        page = int(iterator["ShardIterator"])
        records = [
            {
                "eventName": "MODIFY",
                "dynamodb": {
                    "SequenceNumber": str(number),
                    "NewImage": self.item | {"revision": {"N": str(number)}},
                },
            }
            for number in self.pages[page]
        ]
        more = page + 1 < len(self.pages)
        return {"Records": records} | ({"NextShardIterator": str(page + 1)} if more else {})


@pytest.mark.parametrize(
    ("pages", "announced_"),
    [
        pytest.param([[1], [], [2, 3]], ["1", "2", "3"], id="an-empty-answer-between"),
        pytest.param([[], [1, 2], [3, 4]], ["1", "2", "3"], id="an-empty-answer-first"),
        pytest.param([[1], []], ["1", "ledger"], id="the-rest-is-forgotten"),
    ],
)
def test_a_stream_is_read_to_the_end_of_what_a_letter_points_at(
    monkeypatch: pytest.MonkeyPatch,
    ops: Ops,
    standard: Stack,
    images: Path,
    pages: list[list[int]],
    announced_: list[str],
) -> None:
    del ops
    upload = decided(standard, (images / "cat.jpg").read_bytes())["upload"]
    item = standard.follower.outcome(upload)
    assert item is not None
    stack = OpsStack("test-standard")
    stack._clients["dynamodbstreams"] = Pages(pages, item)
    monkeypatch.setattr("ops.stack.announcements.EMPTY_READ_S", 0)
    monkeypatch.setattr(
        "ops.stack.ledger.Ledger.items",
        lambda *_, **__: iter([item | {"revision": {"N": "ledger"}}]),
    )
    monkeypatch.setattr("ops.stack.announcements.OUTCOMES", ("review",))
    batch = {
        "streamArn": "arn",
        "shardId": "shard",
        "startSequenceNumber": "1",
        "endSequenceNumber": "3",
        "approximateArrivalOfFirstRecord": "2026-11-24T00:00:00Z",
        "approximateArrivalOfLastRecord": "2026-11-24T00:00:01Z",
    }
    details = details_in(stack, json.dumps({"DDBStreamBatchInfo": batch}))
    assert details is not None
    assert [json.loads(detail)["revision"] for detail in details] == announced_


def test_what_the_stream_forgot_is_read_from_the_ledger(
    ops: Ops, stack: Stack, images: Path
) -> None:
    item = decided(stack, (images / "cat.jpg").read_bytes())
    [heard] = announced(stack, item["upload"], 1)
    batch = pointer(stack, item["upload"]) | {
        "shardId": "shardId-forgotten",
        "approximateArrivalOfFirstRecord": item["recorded_at"],
        "approximateArrivalOfLastRecord": item["recorded_at"],
    }
    dead_letter(stack, "AnnouncementsDeadLetterQueue", {"DDBStreamBatchInfo": batch})
    assert ops(stack, "redrive").code == 0
    assert announced(stack, item["upload"], 2) == [heard, heard]


def test_a_strange_letter_is_kept(ops: Ops, standard: Stack) -> None:
    dead_letter(standard, "AnnouncementsDeadLetterQueue", '["strange"]')
    ran = ops(standard, "redrive")
    assert (ran.code, ran.out.split()[6:8]) == (1, ["not", "understood"])
    assert waiting(standard, "AnnouncementsDeadLetterQueue") == 1


class Rounds:
    """A queue whose letters are visible again before all have been seen: a slow redrive."""

    def __init__(self, rounds: list[list[str]]) -> None:
        self.rounds = iter(rounds)

    def receive_message(self, **_: object) -> dict[str, Any]:
        attributes = {"SentTimestamp": "0"}
        return {
            "Messages": [
                {"MessageId": body, "Body": body, "Attributes": attributes, "ReceiptHandle": body}
                for body in next(self.rounds)
            ]
        }

    def change_message_visibility_batch(self, **_: object) -> None:
        pass


def test_letters_that_come_round_again_do_not_hide_the_others() -> None:
    stack = OpsStack("none")
    stack._clients["sqs"] = Rounds([["a", "b"], ["a"], ["c", "b"], ["a", "c"]])
    with DeadLetters(stack, "queue") as letters:
        bodies = [letter.body for batch in letters.batches() for letter in batch]
    assert bodies == ["a", "b", "c"]


def test_letters_go_back_when_the_work_is_interrupted(ops: Ops, standard: Stack) -> None:
    del ops
    dead_letter(standard, "UploadEventsDeadLetterQueue", "{}")
    queue = standard.outputs["UploadEventsDeadLetterQueue"]

    def interrupted() -> None:
        with DeadLetters(OpsStack("test-standard"), queue) as letters:
            assert len(next(letters.batches())) == 1
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert waiting(standard, "UploadEventsDeadLetterQueue") == 1
