"""The stack at a glance."""

import argparse
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cli.arguments import duration, point_in_time
from cli.terminal import own_command
from ops.commands.status import as_text
from ops.stack.glance import glance, midnight
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops, empty
from tests.support.workflow import announced, decided


def test_outcomes_are_counted_and_what_waits(ops: Ops, stack: Stack, images: Path) -> None:
    before = json.loads(ops(stack, "status", "--json").out)
    decided(stack, (images / "cat.jpg").read_bytes() + b"\0")
    decided(stack, (images / "bicycle.png").read_bytes() + b"\0")
    after = json.loads(ops(stack, "status", "--json").out)
    assert after["outcomes"]["review"] == before["outcomes"]["review"] + 1
    assert after["outcomes"]["accepted"] == before["outcomes"]["accepted"] + 1
    assert after["waiting"]["reviews"] == before["waiting"]["reviews"] + 1
    assert after["endpoint"]["status"] == "InService"


def test_failures_and_dead_letters_need_attention(ops: Ops, stack: Stack, images: Path) -> None:
    stack.container.tell((400, "application/json", b'{"error": "broken"}'))
    item = decided(stack, (images / "bicycle.png").read_bytes())
    for queue in ("UploadEventsDeadLetterQueue", "AnnouncementsDeadLetterQueue"):
        empty(stack, queue)
    queue = stack.outputs["UploadEventsDeadLetterQueue"]
    stack.aws.client("sqs").send_message(QueueUrl=queue, MessageBody="{}")
    try:
        ran = ops(stack, "status")
    finally:
        empty(stack, "UploadEventsDeadLetterQueue")
        stack.aws.client("dynamodb").delete_item(
            TableName=stack.outputs["DecisionsTable"], Key={"upload": {"S": item["upload"]}}
        )
    assert ran.code == 1
    assert f"failed: {own_command('ops', 'redrive')} --stack test-" in ran.out
    assert "dead letters  1 uploads, 0 announcements" in ran.out
    assert re.search(r"\nalarms        (\d ALARM, )\d OK\n", ran.out)
    assert re.search(
        r"! test-\w+-UploadEventsDeadLetterAlarm-\w+ is in ALARM since 20[\d:T.-]+Z: Events could"
        r" not start an execution. python -m ops redrive starts them.\n",
        ran.out + "\n",
    )


def test_a_stack_of_an_older_template_is_shown_without_alarms(ops: Ops, standard: Stack) -> None:
    del ops, standard
    older = OpsStack("test-standard")
    del older.outputs["Alarms"]
    found = glance(older, midnight())
    assert found["alarms"] == []
    assert "alarms        not named by this stack's outputs: deploy" in as_text(found)


def test_a_missing_endpoint_needs_attention(ops: Ops, standard: Stack) -> None:
    sagemaker, name = standard.aws.client("sagemaker"), standard.outputs["EndpointName"]
    config = sagemaker.describe_endpoint(EndpointName=name)["EndpointConfigName"]
    sagemaker.delete_endpoint(EndpointName=name)
    try:
        ran = ops(standard, "status")
    finally:
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=config)
    assert ran.code == 1
    assert f"{name}, Missing" in ran.out
    create = own_command("model.create_endpoint")
    assert f"no endpoint, so uploads fail: whoever deploys runs {create}" in ran.out


def test_a_pipe_that_was_stopped_needs_attention_and_goes_on_where_it_stopped(
    ops: Ops, standard: Stack, express: Stack, images: Path
) -> None:
    pipes, name = standard.aws.client("pipes"), standard.outputs["AnnouncementPipe"]
    assert "announcements RUNNING" in ops(standard, "status").out
    pipes.stop_pipe(Name=name)
    try:
        item = decided(standard, (images / "cat.jpg").read_bytes())
        for _ in range(3):  # it stays as it is, however often it is looked at
            ran = ops(standard, "status")
        another = decided(express, (images / "cat.jpg").read_bytes())
        assert announced(express, another["upload"], 1)  # by a pipe whose turn comes after
        assert announced(standard, item["upload"], 0) == []
    finally:
        pipes.start_pipe(Name=name)
    assert ran.code == 1
    assert f"the pipe is STOPPED: fix the cause, then aws pipes start-pipe --name {name}" in ran.out
    assert len(announced(standard, item["upload"], 1)) == 1


def test_durations_and_points_in_time() -> None:
    assert (duration("30m"), duration("400d")) == (timedelta(minutes=30), timedelta(days=400))
    assert point_in_time("2026-11-24") == datetime(2026, 11, 24, tzinfo=UTC)
    assert point_in_time("2026-11-24T18:00+02:00") == datetime(2026, 11, 24, 16, tzinfo=UTC)
    assert timedelta(hours=2) - (datetime.now(UTC) - point_in_time("2h")) < timedelta(minutes=1)


@pytest.mark.parametrize("text", ["", "5", "d", "400 days", "-1d"])
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="write 30m, 12h, 400d or 8w"):
        duration(text)
