"""A consumer on SQS, for a server or a container: consumer-on-sqs.yaml makes its queue and table.

    python examples/consumer/on_sqs.py --stack scones-consumer

It takes announcements until Ctrl-C; with --drain until the queue is empty.
"""

import argparse
import json
import logging
import sys
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from announcement import parse
from routes import follow

WAIT_S = 20  # the longest that SQS lets a receiver wait


def act(what: str, label: str, id_: str) -> None:
    """Route a driver, or take that back; here a printed line stands for it."""
    print(json.dumps({"do": what, "label": label, "id": id_}), flush=True)


def consume(queue: Any, table: Any, *, drain: bool = False) -> None:
    """Act on what comes into a queue. drain: end once a wait of 2 seconds brings nothing."""
    while True:
        messages = queue.receive_messages(
            MaxNumberOfMessages=10, WaitTimeSeconds=2 if drain else WAIT_S
        )
        if drain and not messages:
            return
        for message in messages:
            try:
                follow(table, parse(json.loads(message.body)["detail"]), act)
            except Exception:
                # It comes again after the visibility time-out, and at last is a dead letter.
                logging.exception("message %s is left in the queue", message.message_id)
            else:
                message.delete()


def main() -> None:
    """Find queue and table in the stack's outputs, and consume."""
    parser = argparse.ArgumentParser(description="Act on decisions that come by a queue.")
    parser.add_argument("--stack", required=True, help="the stack of consumer-on-sqs.yaml")
    parser.add_argument("--drain", action="store_true", help="end when the queue is empty")
    arguments = parser.parse_args()
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=arguments.stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    consume(
        boto3.resource("sqs").Queue(outputs["Queue"]),
        boto3.resource("dynamodb").Table(outputs["RoutesTable"]),
        drain=arguments.drain,
    )


if __name__ == "__main__":
    try:
        main()
    except (BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
