"""Dead letters: read from a queue, and deleted only when they have been dealt with."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.stack.outputs import Stack

# What a dead letter could not do, and the stack's output that names its queue.
QUEUES = {"uploads": "UploadEventsDeadLetterQueue", "announcements": "AnnouncementsDeadLetterQueue"}
# While a letter is dealt with nobody else sees it; a run that dies gives it back after this.
HIDDEN_S = 300
AT_ONCE = 10  # the most that SQS hands out, and deletes, in a call
LISTEN_S = 1  # asks every server of the queue, so that an empty answer means an empty queue


@dataclass(frozen=True)
class Letter:
    """A message of a dead-letter queue.

    cause: a rule's ERROR_CODE or a pipe's condition; "" where there is none.
    """

    id: str
    body: str
    cause: str
    sent: datetime
    receipt: str

    @classmethod
    def of(cls, message: dict[str, Any]) -> "Letter":
        """Return a message of ReceiveMessage as a letter."""
        attributes = message.get("MessageAttributes", {})
        sent = int(message["Attributes"]["SentTimestamp"]) / 1000
        return cls(
            id=message["MessageId"],
            body=message["Body"],
            cause=attributes.get("ERROR_CODE", {}).get("StringValue")
            or _condition(message["Body"]),
            sent=datetime.fromtimestamp(sent, UTC),
            receipt=message["ReceiptHandle"],
        )


def _condition(body: str) -> str:
    try:
        return str(json.loads(body)["context"]["condition"]).partition(":")[0]
    except (ValueError, KeyError, TypeError):
        return ""


class Letters:
    """The letters of one queue. Those that were read and not deleted go back on leaving."""

    def __init__(self, stack: Stack, queue_url: str) -> None:
        self._sqs = stack.client("sqs")
        self._queue = queue_url
        self._kept: dict[str, Letter] = {}

    def __enter__(self) -> "Letters":
        return self

    def __exit__(self, *_: object) -> None:
        kept = list(self._kept.values())
        for start in range(0, len(kept), AT_ONCE):
            entries = [
                {"Id": str(n), "ReceiptHandle": each.receipt, "VisibilityTimeout": 0}
                for n, each in enumerate(kept[start : start + AT_ONCE])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._queue, Entries=entries)

    def batches(self) -> Iterator[list[Letter]]:
        """Yield every letter once, at most ten at a time.

        What is kept longer than it stays hidden comes round again, between others.
        """
        again: set[str] = set()
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=AT_ONCE,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=LISTEN_S,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            letters = [Letter.of(message) for message in messages]
            unseen = [each for each in letters if each.id not in self._kept]
            again |= {each.id for each in letters} & self._kept.keys()
            self._kept |= {each.id: each for each in letters}
            if unseen:
                yield unseen
            elif not letters or again >= self._kept.keys():
                return

    def delete(self, letters: Sequence[Letter]) -> None:
        """Delete letters of one batch."""
        if not letters:
            return
        entries = [{"Id": str(n), "ReceiptHandle": e.receipt} for n, e in enumerate(letters)]
        answer = self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=entries)
        failed = {int(each["Id"]) for each in answer.get("Failed", [])}
        for number, letter in enumerate(letters):
            if number not in failed:
                del self._kept[letter.id]
