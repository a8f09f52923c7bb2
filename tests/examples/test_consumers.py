"""The consumers act once on a decision, on the newest alone, and take back what was corrected."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.examples.conftest import EXAMPLES, Announce
from tests.support.cloud import Cloud, Stack
from tests.support.processes import interrupted
from tests.support.project import ROOT
from tests.support.waiting import until

Run = Callable[..., subprocess.CompletedProcess[str]]
BICYCLE = ("route", "bicycle")
CORRECTED = [BICYCLE, ("take back", "bicycle"), ("route", "motorcycle")]


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"consumer/{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


routes = load("routes")
parse = load("announcement").parse


@pytest.fixture(scope="module")
def on_lambda(cloud: Cloud) -> dict[str, str]:
    bus = {"DecisionsBus": cloud.stacks["STANDARD"]["DecisionsBus"]}
    return cloud.aws.deploy("consumer-on-lambda", bus, EXAMPLES / "consumer-on-lambda.yaml")


@pytest.fixture(scope="module")
def on_sqs(cloud: Cloud) -> dict[str, str]:
    bus = {"DecisionsBus": cloud.stacks["STANDARD"]["DecisionsBus"]}
    return cloud.aws.deploy("consumer-on-sqs", bus, EXAMPLES / "consumer-on-sqs.yaml")


def done(text: str) -> list[tuple[str, str]]:
    """Return what a consumer has done, by the lines that it wrote."""
    lines = [json.loads(line) for line in re.findall(r'^\{"do": .*\}$', text, re.MULTILINE)]
    return [(line["do"], line["label"]) for line in lines]


def log(cloud: Cloud, upload: str) -> str:
    """Return what the consumer on Lambda has logged of an upload."""
    logs, group = cloud.aws.client("logs"), "/aws/lambda/consumer-on-lambda-consumer"
    lines = [event["message"] for event in logs.filter_log_events(logGroupName=group)["events"]]
    return "\n".join(line.strip() for line in lines if f'"id": "{upload}:' in line)


@pytest.fixture
def table(cloud: Cloud, on_sqs: dict[str, str]) -> Any:
    """The routes table of the consumer on SQS, as boto3 gives it."""
    given = cloud.aws.environment()
    return boto3.resource(
        "dynamodb",
        endpoint_url=cloud.aws.url,
        region_name=given["AWS_DEFAULT_REGION"],
        aws_access_key_id=given["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=given["AWS_SECRET_ACCESS_KEY"],
    ).Table(on_sqs["RoutesTable"])


def announcement(revision: int, outcome: str, label: str, **changes: str) -> dict[str, Any]:
    example = json.loads((ROOT / "events/announcement.json").read_text())["detail"]
    given = {"revision": str(revision), "outcome": outcome, "label": label}
    parsed: dict[str, Any] = parse(example | given | changes)
    return parsed


class Follower:
    """Follows announcements of one upload, and keeps what it was told to do."""

    def __init__(self, table: Any) -> None:
        self.table, self.did = table, list[tuple[str, str]]()
        self.upload = f"bucket/{time.monotonic_ns()}#etag"

    def hear(self, revision: int, outcome: str, label: str, **changes: str) -> bool:
        given = announcement(revision, outcome, label, upload=self.upload, **changes)
        followed: bool = routes.follow(self.table, given, self.act)
        return followed

    def act(self, what: str, label: str, id_: str) -> None:
        assert id_.startswith(f"{self.upload}:")
        self.did.append((what, label))


def test_numbers_are_numbers_and_inferences_a_list() -> None:
    example = json.loads((ROOT / "events/announcement.json").read_text())
    parsed = announcement(10, "accepted", "bicycle", confidence="0.95", threshold="0.9")
    assert parsed["revision"] > announcement(9, "accepted", "bicycle")["revision"]
    assert parsed["confidence"] > parsed["threshold"]
    assert parsed["inferences"][0] == json.loads(example["detail"]["inferences"])[0]
    schema = json.loads((ROOT / "events/schema/announcement.json").read_text())["properties"]
    numbers = {name for name, field in schema.items() if r"\d" in field.get("pattern", "")}
    typed = {name for name, value in parsed.items() if not isinstance(value, str)}
    assert typed == numbers | {"inferences"}


def test_a_decision_is_acted_on_once_and_old_ones_never(table: Any) -> None:
    follower = Follower(table)
    assert follower.hear(2, "accepted", "bicycle")
    assert not follower.hear(2, "accepted", "bicycle")
    assert not follower.hear(1, "accepted", "motorcycle")
    assert follower.did == [BICYCLE]


def test_a_correction_takes_back_and_an_undo_does_the_first_again(table: Any) -> None:
    follower = Follower(table)
    follower.hear(1, "accepted", "bicycle")
    follower.hear(2, "reviewed", "motorcycle", previous_label="bicycle")
    assert follower.did == CORRECTED
    follower.hear(3, "reviewed", "motorcycle", previous_label="bicycle", reviewer="another")
    assert follower.did == CORRECTED  # a second person agrees
    follower.hear(4, "accepted", "bicycle", previous_label="motorcycle")
    assert follower.did == [*CORRECTED, ("take back", "motorcycle"), BICYCLE]


def test_none_of_the_classes_asks_for_another_picture_whoever_says_it(table: Any) -> None:
    first, second = Follower(table), Follower(table)
    first.hear(1, "none", "other")
    second.hear(1, "review", "bicycle")
    assert second.did == []
    second.hear(2, "reviewed", "other", previous_label="bicycle")
    assert first.did == second.did == [("ask for another picture", "other")]
    second.hear(3, "review", "bicycle", previous_label="other")
    assert second.did == [("ask for another picture", "other"), ("take back", "other")]


def test_what_failed_is_acted_on_when_it_comes_again(table: Any) -> None:
    follower = Follower(table)

    def fail(*_: str) -> None:
        raise RuntimeError("no driver answers")

    given = announcement(1, "accepted", "bicycle", upload=follower.upload)
    with pytest.raises(RuntimeError):
        routes.follow(table, given, fail)
    assert follower.hear(1, "accepted", "bicycle")
    assert follower.did == [BICYCLE]


def test_two_announcements_of_an_upload_are_not_acted_on_at_the_same_time(table: Any) -> None:
    follower = Follower(table)

    def interrupted(what: str, label: str, id_: str) -> None:
        with pytest.raises(routes.Busy, match="another announcement is being acted on"):
            follower.hear(2, "reviewed", "motorcycle")
        follower.act(what, label, id_)

    given = announcement(1, "accepted", "bicycle", upload=follower.upload)
    routes.follow(table, given, interrupted)
    follower.hear(2, "reviewed", "motorcycle")
    assert follower.did == CORRECTED


def test_an_upload_that_was_forgotten_and_came_back_begins_anew(table: Any) -> None:
    follower = Follower(table)
    follower.hear(3, "reviewed", "bicycle", uploaded_at="2026-01-31T12:00:00Z")
    assert follower.hear(1, "accepted", "motorcycle", uploaded_at="2026-02-01T12:00:00Z")
    assert follower.did == CORRECTED
    # Its first record was a failure, which no rule passes on.
    assert follower.hear(2, "accepted", "bicycle", uploaded_at="2026-03-01T12:00:00Z")
    assert not follower.hear(1, "accepted", "motorcycle", uploaded_at="2026-02-01T12:00:00Z")
    assert follower.did == [*CORRECTED, ("take back", "motorcycle"), BICYCLE]


@pytest.mark.usefixtures("on_lambda", "on_sqs")
def test_a_person_s_correction_reaches_both_consumers(
    standard: Stack, cloud: Cloud, run_example: Run, images: Path
) -> None:
    [followed] = standard.follower.follow([images / "bicycle.png"])
    upload = followed.upload
    assert until(lambda: done(log(cloud, upload))) == [BICYCLE]
    command = [sys.executable, "-m", "ops", "relabel", upload, "motorcycle"]
    subprocess.run(
        [*command, "--stack", "test-standard", "--reviewer", "ann"],
        cwd=ROOT,
        env=os.environ | cloud.aws.environment(),
        check=True,
        capture_output=True,
    )
    assert until(lambda: len(found := done(log(cloud, upload))) == 3 and found) == CORRECTED
    drained = run_example("consumer/on_sqs.py", "--stack", "consumer-on-sqs", "--drain")
    assert drained.returncode == 0, drained.stderr
    own = [line for line in drained.stdout.splitlines() if f'"id": "{upload}:' in line]
    assert done("\n".join(own)) == CORRECTED


def test_an_announcement_that_cannot_be_read_is_kept_in_the_dead_letter_queue(
    cloud: Cloud, on_lambda: dict[str, str], announce: Announce
) -> None:
    announce(1, "accepted", "bicycle", confidence="high")
    sqs = cloud.aws.client("sqs")
    answer = until(
        lambda: sqs.receive_message(QueueUrl=on_lambda["DeadLetterQueue"]).get("Messages")
    )
    [letter] = answer
    assert json.loads(letter["Body"])["detail"]["confidence"] == "high"


def test_a_message_that_cannot_be_read_stays_in_the_queue(
    cloud: Cloud, on_sqs: dict[str, str], run_example: Run
) -> None:
    sqs = cloud.aws.client("sqs")
    sent = sqs.send_message(QueueUrl=on_sqs["Queue"], MessageBody="no JSON")
    drained = run_example("consumer/on_sqs.py", "--stack", "consumer-on-sqs", "--drain")
    assert drained.returncode == 0, drained.stderr
    assert f"message {sent['MessageId']} is left in the queue" in drained.stderr
    name = "ApproximateNumberOfMessagesNotVisible"
    counted = sqs.get_queue_attributes(QueueUrl=on_sqs["Queue"], AttributeNames=[name])
    left = drained.stderr.count(" is left in the queue")
    assert int(counted["Attributes"][name]) == left


def test_a_consumer_ends_with_ctrl_c(
    cloud: Cloud, on_sqs: dict[str, str], announce: Announce
) -> None:
    del on_sqs
    # The last test of the queue: what it was about to take stays hidden there.
    announce(1, "accepted", "bicycle")
    command = [sys.executable, str(EXAMPLES / "consumer/on_sqs.py"), "--stack", "consumer-on-sqs"]
    ended = interrupted(command, cloud.aws.environment())
    assert "Traceback" not in ended.stderr
    assert ended.returncode == 130
