"""Patch: moto's EventBridge drops what it cannot deliver.

Stock moto: disabled rules deliver; retry policy and dead-letter queue are ignored. What targets
there are: event_targets.
"""

import contextlib
import copy
import json
import logging
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.events.models import Rule
from moto.sqs.models import sqs_backends

from local.lambdas.logs import LogSink
from local.moto_patches import event_targets, permissions

Json = Any  # an event, a target: moto types them narrower than AWS does
logger = logging.getLogger(__name__)

# EventBridge backs off for hours; here a target that cannot be reached is tried a few times.
RETRY_WAITS_S = (0.1, 0.5, 2.0)
DELIVERIES_AT_ONCE = 16


@contextlib.contextmanager
def installed(log: LogSink) -> Iterator[None]:
    """Let rules deliver again, and to dead-letter queues, until the context ends."""
    with ThreadPoolExecutor(DELIVERIES_AT_ONCE, "delivery") as pool:

        def send_to_targets(rule: Rule, event: Json, transform_input: bool = True) -> None:
            del transform_input
            if rule.state != "ENABLED" or not rule.event_pattern.matches_event(event):
                return
            for target in rule.targets:
                pool.submit(_deliver, rule, target, _with_iso_time(event), log)

        try:
            with patch.object(Rule, "send_to_targets", send_to_targets):
                yield
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _with_iso_time(event: Json) -> Json:
    event = copy.deepcopy(event)
    if not isinstance(event.get("time"), str):
        moment = datetime.fromtimestamp(float(event.get("time") or time.time()), UTC)
        event["time"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return event


def _deliver(rule: Rule, target: Json, event: Json, log: LogSink) -> None:
    """Deliver an event to a target, again if it fails, at last to the dead-letter queue."""
    attempts = 1 + min(
        len(RETRY_WAITS_S), target.get("RetryPolicy", {}).get("MaximumRetryAttempts", 185)
    )
    for attempt in range(attempts):
        try:
            event_targets.send(rule, target, event, log)
            return
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
        if attempt < attempts - 1:
            time.sleep(RETRY_WAITS_S[attempt])
    logger.warning("rule %s could not deliver to %s: %s", rule.name, target["Arn"], reason)
    try:
        _send_to_dead_letters(rule, target, event, reason)
    except Exception:
        logger.exception("rule %s lost an event: its dead-letter queue did not take it", rule.name)


def _send_to_dead_letters(rule: Rule, target: Json, event: Json, reason: str) -> None:
    """Send an event to the target's dead-letter queue, if the queue's policy lets the rule."""
    arn = target.get("DeadLetterConfig", {}).get("Arn")
    if arn is None:
        return
    queue = sqs_backends[rule.account_id][rule.region_name].get_queue(arn.rsplit(":", 1)[-1])
    if not permissions.lets_events(queue.policy, "sqs:SendMessage", queue.queue_arn, rule.arn):
        logger.warning("dropped: the policy of %s does not let %s send", arn, rule.name)
        return
    attributes = {
        "ERROR_CODE": reason.split(":")[0],
        "ERROR_MESSAGE": reason,
        "RULE_ARN": rule.arn,
        "TARGET_ARN": target["Arn"],
    }
    sqs_backends[rule.account_id][rule.region_name].send_message(
        queue_name=queue.name,
        message_body=json.dumps(event, ensure_ascii=False),
        message_attributes={
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
    )
