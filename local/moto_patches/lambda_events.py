"""Patch: an asynchronous invocation that fails is gone in moto; here it is tried again and kept.

As on AWS a function that fails is run twice more, and one without free concurrency waits; at last
the event goes to the function's dead-letter queue, if its role may send there. The waits are
shorter.

https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html
"""

import json
import logging
import threading
import time
import uuid
from typing import Any

from moto.awslambda.models import LambdaFunction
from moto.sqs.models import sqs_backends

from local.lambdas.spec import LambdaError, TooManyRequests
from local.moto_patches import permissions

RETRY_WAITS_S = (0.2, 1.0)  # AWS: one minute and two
THROTTLED_FOR_S = 60  # AWS: six hours
THROTTLED_WAIT_S = 0.2

logger = logging.getLogger(__name__)


def accept(function: LambdaFunction, payload: bytes) -> None:
    """Run a function with an event, some time; the caller does not hear what becomes of it."""
    threading.Thread(target=_run, args=(function, payload), daemon=True).start()


def _run(function: LambdaFunction, payload: bytes) -> None:
    event, reason = json.loads(payload), ""
    for wait_s in (*RETRY_WAITS_S, 0):
        try:
            answer, errored, _ = _when_there_is_room(function, event)
        except LambdaError as error:
            answer, errored = json.dumps({"errorMessage": str(error)}), True
        if not errored:
            return
        reason = str(json.loads(answer).get("errorMessage", ""))
        time.sleep(wait_s)
    logger.warning("%s failed with an event: %s", function.function_name, reason)
    try:
        _send_to_dead_letters(function, payload.decode(), reason)
    except Exception:
        logger.exception("%s lost an event: no dead-letter queue", function.function_name)


def _when_there_is_room(function: LambdaFunction, event: Any) -> tuple[str, bool, str]:
    deadline = time.monotonic() + THROTTLED_FOR_S
    while True:
        try:
            return function._invoke_lambda(event)
        except TooManyRequests:
            if time.monotonic() > deadline:
                raise
        time.sleep(THROTTLED_WAIT_S)


def _send_to_dead_letters(function: LambdaFunction, event: str, reason: str) -> None:
    arn = getattr(function, "dead_letter_config", {}).get("TargetArn")
    if arn is None:
        return
    permissions.demand(function.role, "sqs:SendMessage", arn)
    values = {"RequestID": str(uuid.uuid4()), "ErrorCode": "200", "ErrorMessage": reason[:1024]}
    sqs_backends[function.account_id][function.region].send_message(
        queue_name=arn.rsplit(":", 1)[-1],
        message_body=event,
        message_attributes={
            name: {"DataType": "String", "StringValue": value or "unknown"}
            for name, value in values.items()
        },
    )
