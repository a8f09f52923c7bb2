"""From the ledger to who listens: the pipe's announcements, the audit log, its numbers."""

import json
from collections.abc import Iterable
from typing import Any

from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import PROBE, Run
from ops.stack.announcements import SOURCE, announcement

LISTENS_S, HEARD_S, LOGGED_S = 180, 180, 120  # a new rule may take a minute until it matches
LISTEN_S = 1  # of one ReceiveMessage: asks every server of the queue
TRANSFORMER = "Confidence is a metric by a transformer of the audit log"
UNQUOTED = "Placeholders of the pipe stand unquoted"
# The metrics are made of the log: their rows would blame what is right.
NOT_LOGGED = "the audit log has no announcement of this run"
NUMBERS = ("confidence",)
PLACEHOLDERS = (
    "the quotes around the placeholders of InputTemplate, AnnouncementPipe in template.yaml"
)


def listen(run: Run) -> Row:
    """Make a queue, and a rule on the bus that sends it this run's announcements."""
    sqs, events = run.stack.client("sqs"), run.stack.client("events")
    where = {"Rule": run.name, "EventBusName": run.stack.outputs["DecisionsBus"]}
    url = sqs.create_queue(QueueName=run.name)["QueueUrl"]
    run.remove_later(f"queue {run.name}", lambda: sqs.delete_queue(QueueUrl=url))
    answer = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    queue = answer["Attributes"]["QueueArn"]
    pattern = {"source": [SOURCE, PROBE], "detail": {"s3_key": [{"prefix": run.folder}]}}
    rule = events.put_rule(
        Name=run.name, EventBusName=where["EventBusName"], EventPattern=json.dumps(pattern)
    )
    run.remove_later(
        f"rule {run.name}",
        lambda: events.delete_rule(Name=run.name, EventBusName=where["EventBusName"]),
    )
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
    events.put_targets(**where, Targets=[{"Id": "heard", "Arn": queue}])
    run.remove_later(
        f"target of rule {run.name}", lambda: events.remove_targets(**where, Ids=["heard"])
    )
    run.queue_url = url
    entry = {
        "Source": PROBE,
        "DetailType": "Rule tried",
        "Detail": json.dumps({"s3_key": run.folder}),
        "EventBusName": where["EventBusName"],
    }

    def works() -> bool:
        events.put_events(Entries=[entry])
        return bool(_received(run))

    found = run.until(works, "the rule that listens", LISTENS_S)
    return Row(
        "rule that listens",
        "hears the bus" if found else "hears nothing",
        "hears the bus",
        GOOD if found else DIFFERS,
        where=f"event bus {where['EventBusName']} in the EventBridge console",
    )


def heard(run: Run) -> Row:
    """Wait until the rule has heard an announcement of every item."""
    if not run.items:
        raise NotChecked("nothing was recorded, so nothing is announced")
    if not run.queue_url:
        raise NotChecked("the rule that listens could not be made")

    def complete() -> bool:
        run.heard += [detail for detail in _received(run) if "upload" in detail]
        return not _missing(run, run.heard)

    run.until(complete, "announcements", HEARD_S)
    missing = _missing(run, run.heard)
    seen = f"{len(run.items) - len(missing)} of {len(run.items)} items"
    if not missing:
        return Row("announcements", seen, "one an item", decision=UNQUOTED)
    some = len(missing) < len(run.items)
    return Row(
        "announcements",
        f"{seen}; missing: {', '.join(missing)}",
        "one an item",
        DIFFERS,
        where=f"{run.stack.command('status')}: the pipe's state and its dead letters",
        decision=UNQUOTED,
        change=f"{PLACEHOLDERS}: these keys are not announced, others are" if some else "",
    )


def _received(run: Run) -> list[dict[str, Any]]:
    """Return the details in the queue, and take them out of it."""
    sqs = run.stack.client("sqs")
    answer = sqs.receive_message(
        QueueUrl=run.queue_url, MaxNumberOfMessages=10, WaitTimeSeconds=LISTEN_S
    )
    messages = answer.get("Messages", [])
    for message in messages:
        sqs.delete_message(QueueUrl=run.queue_url, ReceiptHandle=message["ReceiptHandle"])
    return [json.loads(message["Body"])["detail"] for message in messages]


def _missing(run: Run, details: Iterable[dict[str, Any]]) -> list[str]:
    """Return the names, within this run's folder, of the items that no detail is about."""
    found = {detail.get("upload") for detail in details}
    return [
        item["s3_key"]["S"].removeprefix(run.folder)
        for upload, item in run.items.items()
        if upload not in found
    ]


def placeholders(run: Run) -> Row:
    """Compare what was heard with the items, value by value, empty texts and JSON text too."""
    if not run.heard:
        raise NotChecked("no announcement was heard")
    differences = _differences(run, run.heard)
    return Row(
        "values of the pipe",
        "; ".join(differences) or f"all, of {len(run.heard)} announcements",
        "as in the item",
        DIFFERS if differences else GOOD,
        where="docs/contracts.md, Announcements",
        decision=UNQUOTED,
        change=PLACEHOLDERS if differences else "",
    )


def _differences(run: Run, details: Iterable[dict[str, Any]]) -> list[str]:
    found = []
    for detail in details:
        item = run.items.get(detail.get("upload", ""))
        if item is None:
            found.append(f"upload is {detail.get('upload')!r}, which is no item")
            continue
        expected = json.loads(announcement(item))
        found += [
            f"{name} is {detail.get(name)!r}, not {expected.get(name)!r}"
            for name in sorted({*expected, *detail})
            if detail.get(name) != expected.get(name)
        ]
    return list(dict.fromkeys(found))[:3]


def audit_log(run: Run) -> Row:
    """Wait until the audit log has every announcement, as it was heard."""
    if not run.items:
        raise NotChecked("nothing was recorded, so nothing is announced")
    logs, group = run.stack.client("logs"), run.stack.outputs["AuditLogGroup"]

    def complete() -> bool:
        pages = logs.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=int(run.since.timestamp() * 1000)
        )
        messages = [event["message"] for page in pages for event in page["events"]]
        run.logged = [text for text in messages if _detail(text).get("upload") in run.items]
        return not _missing(run, map(_detail, run.logged))

    run.until(complete, "the audit log", LOGGED_S)
    missing = _missing(run, map(_detail, run.logged))
    problems = [f"missing: {', '.join(missing)}"] if missing else []
    problems += _differences(run, map(_detail, run.logged))
    return Row(
        "audit log",
        "; ".join(problems) or f"{len(run.logged)} announcements",
        "one an item",
        DIFFERS if problems else GOOD,
        where=f"log group {group}; its resource policy: aws logs describe-resource-policies",
    )


def _detail(message: str) -> dict[str, Any]:
    try:
        detail = json.loads(message)["detail"]
    except (ValueError, KeyError, TypeError):
        return {}
    return detail if isinstance(detail, dict) else {}


def numbers(run: Run) -> Row:
    """Let the audit log's transformer read one of the announcements."""
    if not run.logged:
        raise NotChecked(NOT_LOGGED)
    logs, group = run.stack.client("logs"), run.stack.outputs["AuditLogGroup"]
    config = logs.get_transformer(logGroupIdentifier=group).get("transformerConfig") or []
    [done] = logs.test_transformer(transformerConfig=config, logEventMessages=run.logged[:1])[
        "transformedLogs"
    ]
    detail = _detail(done["transformedEventMessage"])
    wrong = [
        f"{name} is {detail.get(name)!r}"
        for name in NUMBERS
        if not isinstance(detail.get(name), int | float)
    ]
    return Row(
        "numbers of the log",
        "; ".join(wrong) or " and ".join(NUMBERS),
        "numbers",
        DIFFERS if wrong else GOOD,
        where=f"`@transformationError` of log group {group} in Logs Insights",
        decision=TRANSFORMER,
        change="AuditLogNumbers in template.yaml" if wrong else "",
    )
