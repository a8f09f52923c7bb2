"""Dead letters: read from a queue, and deleted only when they have been dealt with."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from ops.stack.announcements import upload_in
from ops.stack.executions import address_in
from ops.stack.ledger import name_of
from ops.stack.outputs import Stack

# What a dead letter could not do, and the stack's output that names its queue.
QUEUES = {"uploads": "UploadEventsDeadLetterQueue", "announcements": "AnnouncementsDeadLetterQueue"}
# While a dead letter is dealt with nobody else sees it; a run that dies gives it back after this.
HIDDEN_S = 300
BATCH_SIZE = 10  # the most that SQS hands out, and deletes, in a call
LISTEN_S = 1  # asks every server of the queue, so that an empty answer means an empty queue


@dataclass(frozen=True)
class DeadLetter:
    """A message of a dead-letter queue.

    cause: a rule's ERROR_CODE or a pipe's condition; "" where there is none.
    """

    id: str
    body: str
    cause: str
    sent: datetime
    receipt: str

    @property
    def upload(self) -> str | None:
        """The upload that it is about; None if it names none."""
        address = address_in(self.body)
        return name_of(*address) if address else upload_in(self.body)

    @classmethod
    def of(cls, message: dict[str, Any]) -> "DeadLetter":
        """Return a message of ReceiveMessage as a dead letter."""
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


class DeadLetters:
    """The messages of one queue. Those that were read and not deleted go back on leaving."""

    def __init__(self, stack: Stack, queue_url: str) -> None:
        self._sqs = stack.client("sqs")
        self._queue = queue_url
        self._kept: dict[str, DeadLetter] = {}

    def __enter__(self) -> "DeadLetters":
        return self

    def __exit__(self, *_: object) -> None:
        kept = list(self._kept.values())
        for start in range(0, len(kept), BATCH_SIZE):
            entries = [
                {"Id": str(number), "ReceiptHandle": letter.receipt, "VisibilityTimeout": 0}
                for number, letter in enumerate(kept[start : start + BATCH_SIZE])
            ]
            self._sqs.change_message_visibility_batch(QueueUrl=self._queue, Entries=entries)

    def batches(self) -> Iterator[list[DeadLetter]]:
        """Yield every message once, at most ten at a time.

        What is kept longer than it stays hidden comes round again, between others.
        """
        again: set[str] = set()
        while True:
            messages = self._sqs.receive_message(
                QueueUrl=self._queue,
                MaxNumberOfMessages=BATCH_SIZE,
                VisibilityTimeout=HIDDEN_S,
                WaitTimeSeconds=LISTEN_S,
                MessageSystemAttributeNames=["SentTimestamp"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            letters = [DeadLetter.of(message) for message in messages]
            unseen = [letter for letter in letters if letter.id not in self._kept]
            again |= {letter.id for letter in letters} & self._kept.keys()
            self._kept |= {letter.id: letter for letter in letters}
            if unseen:
                yield unseen
            elif not letters or again >= self._kept.keys():
                return

    def delete(self, letters: Sequence[DeadLetter]) -> None:
        """Delete messages of one batch."""
        if not letters:
            return
        entries = [
            {"Id": str(number), "ReceiptHandle": letter.receipt}
            for number, letter in enumerate(letters)
        ]
        answer = self._sqs.delete_message_batch(QueueUrl=self._queue, Entries=entries)
        failed = {int(entry["Id"]) for entry in answer.get("Failed", [])}
        for number, letter in enumerate(letters):
            if number not in failed:
                del self._kept[letter.id]
