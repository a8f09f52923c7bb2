"""What delivers: the pipe, the policies of the dead-letter queues, and that these are empty."""

import json
from contextlib import suppress
from typing import Any

from cli.errors import code_of
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run
from ops.stack.dead_letters import QUEUES

EVENTS = "events.amazonaws.com"
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def pipe(run: Run) -> Row:
    """The pipe of the announcements runs."""
    name = run.stack.outputs["AnnouncementPipe"]
    found = run.stack.client("pipes").describe_pipe(Name=name)
    running = found["CurrentState"] == "RUNNING"
    reason = f": {found['StateReason']}" if found.get("StateReason") else ""
    return Row(
        "pipe",
        f"{found['CurrentState']}{reason}",
        "RUNNING",
        GOOD if running else DIFFERS,
        where=f"aws pipes start-pipe --name {name}, once its cause is removed",
    )


def queue_policies(run: Run) -> Row:
    """Every rule may send to the dead-letter queue of its targets."""
    problems, count = [], 0
    for rule, queues in _dead_letter_queues(run):
        for queue in queues:
            count += 1
            if not _lets(run, queue, rule):
                problems.append(
                    f"{queue.rsplit(':', 1)[-1]} takes nothing of {rule.rpartition('/')[-1]}"
                )
    if not count:
        problems.append("no rule has a dead-letter queue")
    return Row(
        "policies of queues",
        "; ".join(problems) or f"{count} rules may send",
        "let their rules",
        DIFFERS if problems else GOOD,
        where="Policy of aws sqs get-queue-attributes; without it EventBridge drops what it"
        " cannot deliver",
        change="the AWS::SQS::QueuePolicy of that queue in template.yaml" if problems else "",
    )


def _dead_letter_queues(run: Run) -> list[tuple[str, list[str]]]:
    """Return the ARN of each rule of the stack, and those of its targets' dead-letter queues."""
    events, found = run.stack.client("events"), []
    for name in run.stack.resources.get("AWS::Events::Rule", []):
        where = _place(run, name)
        arn = events.describe_rule(**where)["Arn"]
        rule = {"Rule": where["Name"], "EventBusName": where["EventBusName"]}
        targets = events.list_targets_by_rule(**rule)["Targets"]
        configs = [target["DeadLetterConfig"] for target in targets if "DeadLetterConfig" in target]
        found.append((arn, [config["Arn"] for config in configs]))
    return found


def _place(run: Run, physical: str) -> dict[str, str]:
    """Return name and bus of a rule: CloudFormation calls those of another bus BUS|RULE."""
    bus, _, name = physical.rpartition("|")
    if bus:
        return {"Name": name, "EventBusName": bus}
    events = run.stack.client("events")
    for bus in ("default", run.stack.outputs["DecisionsBus"]):
        try:
            events.describe_rule(Name=name, EventBusName=bus)
        except events.exceptions.ResourceNotFoundException:
            continue
        return {"Name": name, "EventBusName": bus}
    raise NotChecked(f"there is no rule {name}")


def _lets(run: Run, queue: str, rule: str) -> bool:
    """Tell whether the policy of a queue lets EventBridge send to it for a rule."""
    sqs = run.stack.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue.rsplit(":", 1)[-1])["QueueUrl"]
    except sqs.exceptions.ClientError as error:
        if "NonExistentQueue" not in code_of(error) and "QueueDoesNotExist" not in code_of(error):
            raise
        return False
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    for statement in _statements(attributes.get("Attributes", {}).get("Policy", "")):
        actions = {action.lower() for action in _listed(statement.get("Action"))}
        conditions = statement.get("Condition", {})
        sources = [
            source
            for operator in ("ArnEquals", "ArnLike", "StringEquals")
            for source in _listed(conditions.get(operator, {}).get("aws:SourceArn"))
        ]
        principal = statement.get("Principal")
        services = _listed(principal.get("Service")) if isinstance(principal, dict) else ["*"]
        if (
            statement.get("Effect") == "Allow"
            and {EVENTS, "*"} & set(services)
            and actions & {"sqs:sendmessage", "sqs:*"}
            and (not conditions or rule in sources)
        ):
            return True
    return False


def _statements(policy: str) -> list[dict[str, Any]]:
    """Return the statements of a policy in JSON; none of an empty one."""
    with suppress(ValueError):
        found = json.loads(policy).get("Statement", [])
        return found if isinstance(found, list) else [found]
    return []


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def dead_letters(run: Run) -> Row:
    """The dead-letter queues are empty."""
    sqs, counts = run.stack.client("sqs"), {}
    for name, output in QUEUES.items():
        attributes = sqs.get_queue_attributes(
            QueueUrl=run.stack.outputs[output], AttributeNames=list(COUNTS)
        )["Attributes"]
        counts[name] = sum(int(attributes[count]) for count in COUNTS)
    full = any(counts.values())
    return Row(
        "dead letters",
        ", ".join(f"{count} {name}" for name, count in counts.items()),
        "none",
        DIFFERS if full else GOOD,
        where=f"{run.stack.command('redrive', '--dry-run')}: their reasons",
    )
