"""The figures of a stack at a glance, its alarms, and what of it needs attention."""

from datetime import UTC, datetime
from typing import Any

from cli.escaping import escaped
from ops.stack.dead_letters import QUEUES
from ops.stack.endpoint import WELL, advice, status_of
from ops.stack.ledger import OUTCOMES, Ledger, moment
from ops.stack.outputs import Stack

NO_ALARMS = "not named by this stack's outputs: deploy the template anew"
PIPE_WELL = {"CREATING", "RUNNING", "STARTING", "UPDATING"}


def midnight() -> datetime:
    """Return when today began, in UTC."""
    return datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


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
        "alarms": alarms(stack),
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


def alarms(stack: Stack) -> list[dict[str, str]]:
    """Return name, state (OK, ALARM or INSUFFICIENT_DATA), since when, and advice of each alarm.

    The names come from the stack's outputs: a prefix would find another stack's alarms as well. A
    stack of a template without that output has none.
    """
    if "Alarms" not in stack.outputs:
        return []
    answer = stack.client("cloudwatch").describe_alarms(
        AlarmNames=stack.outputs["Alarms"].split(","), AlarmTypes=["MetricAlarm"]
    )
    return [
        {
            "name": alarm["AlarmName"],
            "state": alarm["StateValue"],
            "since": moment(alarm["StateUpdatedTimestamp"]) + "Z",
            "advice": alarm["AlarmDescription"],
        }
        for alarm in answer["MetricAlarms"]
    ]


def attention(found: dict[str, Any], stack: Stack) -> list[str]:
    """Return a sentence for each thing that somebody should do, causes before what they caused.

    The stack's OperatorPolicy allows it, or the sentence says who may. Alarms come last, with their
    own words, which are also mailed.
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
    todo += [
        f"{alarm['name']} is in ALARM since {alarm['since']}: {alarm['advice']}"
        for alarm in found["alarms"]
        if alarm["state"] == "ALARM"
    ]
    return todo
