"""A failure on purpose, and the alarm that has to tell of it."""

import json
import secrets
from datetime import UTC, datetime
from typing import Any

from ops.acceptance.alarms import alarm_of
from ops.acceptance.rows import DIFFERS, GOOD, Row
from ops.acceptance.run import DECIDED_S, Run
from ops.stack.executions import created_event
from ops.stack.ledger import name_of

ALARM_S = 600  # a period of 5 minutes has to end, and the metric to arrive


def provoked(run: Run) -> Row:
    """Start an execution that may not read its picture; it fails, and the alarm goes off."""
    bucket = run.stack.outputs["UploadBucket"]
    # The function may read under UploadPrefix alone.
    key, etag = f"{run.name}/denied.jpg", secrets.token_hex(16)
    entry: dict[str, Any] = {
        "Key": key,
        "ETag": f'"{etag}"',
        "Size": 0,
        "LastModified": datetime.now(UTC),
    }
    upload = name_of(bucket, key, etag)
    run.others.append(upload)
    run.stack.client("stepfunctions").start_execution(
        stateMachineArn=run.stack.state_machine_arn,
        name=run.name,
        input=created_event(run.stack, entry, bucket, "acceptance"),
    )
    item = run.until(lambda: run.read(upload), "a failure", DECIDED_S)
    if item is None:
        return Row("failure", "no item", "failed, and told", DIFFERS, run.stack.state_machine_arn)
    outcome, reason = item["outcome"]["S"], item["reason"]["S"]
    alarm = run.until(lambda: alarm_of(run, "FailedExecutionsAlarm") == "ALARM", "alarm", ALARM_S)
    state = alarm_of(run, "FailedExecutionsAlarm")
    good = outcome == "failed" and bool(alarm)
    return Row(
        "failure",
        f"{outcome}: {reason}; its alarm is {state}",
        "failed, and told",
        GOOD if good else DIFFERS,
        where="FailedExecutionsAlarm in the CloudWatch console; it ends by itself",
        decision="The error of a failure is kept whole",
        change="" if good else f"the cause kept: {json.dumps(item['detail']['S'])[:200]}",
    )
