"""The stack at a glance: outcomes today, reviews and failures that wait, dead letters, machinery.

    python -m ops status
    python -m ops status --json | jq .waiting
    python -m ops status --since 7d

Exit code 1 if failures, dead letters, the endpoint or the pipe of the announcements need attention;
a waiting review does not.
Days begin at midnight UTC. Counting reads the index: one megabyte of items a call.
"""

import argparse
import json
from datetime import UTC, datetime
from typing import Any

from cli.arguments import add_json, add_since
from cli.escaping import escaped
from ops.stack.dead_letters import QUEUES
from ops.stack.endpoint import WELL, advice, status_of
from ops.stack.ledger import OUTCOMES, Ledger, moment
from ops.stack.outputs import Stack

PIPE_WELL = {"CREATING", "RUNNING", "STARTING", "UPDATING"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_json(parser, "one object")
    add_since(parser, "count the outcomes since then (default: today)")


def run(arguments: argparse.Namespace) -> int:
    """Print what is and what needs attention."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    found = glance(Stack.of(arguments), arguments.since or midnight)
    print(json.dumps(found) if arguments.json else as_text(found))
    return 1 if found["attention"] else 0


def glance(stack: Stack, since: datetime) -> dict[str, Any]:
    """Return the figures of a stack; `outcomes` are those recorded since a moment."""
    ledger, outputs = Ledger(stack), stack.outputs
    messages = {name: dead_letters(stack, outputs[queue]) for name, queue in QUEUES.items()}
    oldest = next(ledger.of_outcome("review"), None)
    found: dict[str, Any] = {
        "stack": stack.name,
        "region": stack.region,
        "workflow": outputs["WorkflowType"],
        "since": moment(since) + "Z",
        "outcomes": {name: ledger.count(name, since=moment(since)) for name in OUTCOMES},
        "waiting": {
            "reviews": ledger.count("review"),
            "audits": ledger.count_due_audits(),
            "oldest_review": oldest.recorded_at if oldest else None,
            "failures": ledger.count("failed"),
        },
        "dead_letters": messages,
        "endpoint": {"name": outputs["EndpointName"], "status": status_of(stack)},
        "announcements": announcements(stack),
        "upload_address": outputs["UploadAddress"],
    }
    found["attention"] = attention(found, stack)
    return found


def dead_letters(stack: Stack, queue_url: str) -> int:
    """Return about how many messages a queue holds, those in someone's hands included."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    attributes = stack.client("sqs").get_queue_attributes(QueueUrl=queue_url, AttributeNames=names)[
        "Attributes"
    ]
    return sum(int(attributes[name]) for name in names)


def announcements(stack: Stack) -> dict[str, str]:
    """Return the pipe's name, its state, for instance RUNNING, and why it is in it.

    AWS stops a pipe whose calls are all refused, and gives the reason.
    """
    name = stack.outputs["AnnouncementPipe"]
    pipe = stack.client("pipes").describe_pipe(Name=name)
    return {"pipe": name, "state": pipe["CurrentState"], "reason": pipe.get("StateReason") or ""}


def attention(found: dict[str, Any], stack: Stack) -> list[str]:
    """Return a sentence for each thing that somebody should do, causes before what they caused.

    The stack's OperatorPolicy allows it, or the sentence says who may.
    """
    todo = []
    endpoint = found["endpoint"]
    if endpoint["status"] != WELL:
        todo.append(advice(endpoint["name"], endpoint["status"]))
    pipe = found["announcements"]
    if pipe["state"] not in PIPE_WELL:
        reason = f" ({escaped(pipe['reason'][:512])})" if pipe["reason"] else ""
        todo.append(
            f"nothing is announced, the pipe is {pipe['state']}{reason}: fix the cause, then"
            f" aws pipes start-pipe --name {pipe['pipe']}; what is older than 24 hours:"
            f" {stack.command('announce', '--since', 'WHEN')}"
        )
    if count := found["waiting"]["failures"]:
        todo.append(f"{count:,} failed: {stack.command('redrive')}")
    if count := sum(found["dead_letters"].values()):
        todo.append(f"{count:,} dead letters: {stack.command('redrive')}")
    return todo


def as_text(found: dict[str, Any]) -> str:
    """Return the figures as lines to read."""
    waiting, dead, pipe = found["waiting"], found["dead_letters"], found["announcements"]
    oldest = f", the oldest of {waiting['oldest_review']}" if waiting["oldest_review"] else ""
    lines = [
        f"{found['stack']} in {found['region']}, {found['workflow']}",
        f"uploads to    {found['upload_address']}",
        f"endpoint      {found['endpoint']['name']}, {found['endpoint']['status']}",
        f"announcements {pipe['state']}",
        f"since {found['since']}",
        *(f"  {name:<12}{count:>8,}" for name, count in found["outcomes"].items()),
        "waiting",
        f"  reviews     {waiting['reviews']:>8,}{oldest}",
        f"  audits      {waiting['audits']:>8,}",
        f"  failures    {waiting['failures']:>8,}",
        f"dead letters  {dead['uploads']:,} uploads, {dead['announcements']:,} announcements",
        *(f"! {sentence}" for sentence in found["attention"]),
    ]
    return "\n".join(lines)
