"""Start again what failed: failed uploads of the ledger, dead letters of both queues.

    python -m ops redrive --dry-run    what there is, by reason
    python -m ops redrive --limit 100  first see whether the cause is gone
    python -m ops redrive --reason EndpointUnavailable --since 2d

A failed upload becomes a new execution with its kept event; so does an event that could not start
one. A change that could not be announced is announced again under its own id. Running it twice
does no harm: the ledger takes one decision for an upload, and announcements carry upload and
revision. A dead letter is deleted only after its execution has started or its announcement was
taken. While the endpoint does not answer no upload is started, since it would fail again;
announcements are. Ctrl-C shows what was started. Exit code 1 if something was not started, or with
--dry-run if something waits.
"""

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice

from cli.arguments import add_dry_run, add_json, add_since, positive
from cli.errors import CommandError, aws_errors, explained
from cli.escaping import printable
from cli.terminal import Progress, table
from ops.stack.announcements import announce, details_in
from ops.stack.dead_letters import QUEUES, DeadLetter, DeadLetters
from ops.stack.endpoint import SILENT, advice, status_of
from ops.stack.executions import address_in, start_all
from ops.stack.ledger import ABSENT, Decision, Ledger, moment, name_of
from ops.stack.outputs import DENIED, Stack
from ops.stack.rate_limit import RateLimit, add_rate_limit

FAILURES, UPLOADS, ANNOUNCEMENTS = "failed uploads", "lost upload events", "lost announcements"
UNKNOWN_FORM = "not understood"
HEADER = ("source", "reason", "result", "number")
BATCH_SIZE = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    add_dry_run(parser)
    parser.add_argument("--limit", type=positive, metavar="N", help="start at most N")
    parser.add_argument("--reason", help="only what failed for this reason, as --dry-run shows it")
    add_since(parser, "only what failed since then")
    add_rate_limit(parser)
    add_json(parser, "one array")


def run(arguments: argparse.Namespace) -> int:
    """Redrive, and print what became of it."""
    with Progress() as progress:
        redrive = Redrive(Stack.of(arguments), arguments, progress)
        shown = redrive.as_json if arguments.json else redrive.as_text
        try:
            redrive.failures()
            redrive.lost_uploads()
            redrive.lost_announcements()
        except BaseException:  # Ctrl-C too: what was done before is done
            progress.clear()
            if redrive.tally.total():
                print(shown(), flush=True)
            print("not all was looked at: run it again", file=sys.stderr)
            raise
        progress.clear()
        print(shown())
    return 1 if redrive.left else 0


class Redrive:
    """One run of the command, and its tally: how many, by source, reason and result."""

    def __init__(self, stack: Stack, arguments: argparse.Namespace, progress: Progress) -> None:
        self.stack = stack
        self.tally: Counter[tuple[str, str, str]] = Counter()
        self._ledger = Ledger(stack)
        self._dry: bool = arguments.dry_run
        self._limit: int | None = arguments.limit
        self._reason: str | None = arguments.reason
        self._since: datetime | None = arguments.since
        self._rate_limit = RateLimit(arguments.per_second)
        self._progress = progress
        self._refusals: set[str] = set()

    @property
    def left(self) -> int:
        """How many wait still."""
        return self.tally.total() - self._of("started") - self._of("already decided")

    def failures(self) -> None:
        """Start each failed upload of the ledger again."""
        since = moment(self._since) if self._since else ""
        # What fails again is recorded anew: this run does not start it a second time.
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        chosen = (
            item
            for item in self._ledger.of_outcome("failed", since=since, until=now)
            if self._reason in (None, item.reason)
        )
        while batch := list(islice(chosen, self._room(BATCH_SIZE))):
            self._start_failures(batch)

    def _start_failures(self, failed: Sequence[Decision]) -> None:
        fit = [item for item in failed if address_in(item.event)]
        self.tally[FAILURES, UNKNOWN_FORM, "kept"] += len(failed) - len(fit)
        refusals = self._start([item.event for item in fit])
        for item, refusal in zip(fit, refusals, strict=True):
            self._count(FAILURES, item.reason, refusal)

    def lost_uploads(self) -> None:
        """Start an execution for each event that could not start one."""
        with DeadLetters(self.stack, self.stack.outputs[QUEUES["uploads"]]) as queue:
            for messages in self._choose(queue):
                self._start_messages(queue, messages)

    def _start_messages(self, queue: DeadLetters, messages: Sequence[DeadLetter]) -> None:
        uploads = {
            message: name_of(*address)
            for message in messages
            if (address := address_in(message.body))
        }
        for message in messages:
            if message not in uploads:
                self._keep(UPLOADS, message)
        outcomes = self._ledger.outcomes(set(uploads.values()))
        decided = [
            message
            for message, upload in uploads.items()
            if outcomes.get(upload, ABSENT) not in (ABSENT, "failed")
        ]
        for message in decided:
            self.tally[UPLOADS, message.cause, "waiting" if self._dry else "already decided"] += 1
        done = [] if self._dry else decided
        fit = [message for message in uploads if message not in decided]
        results = self._start([message.body for message in fit])
        try:
            for message, refusal in zip(fit, results, strict=True):
                self._count(UPLOADS, message.cause, refusal)
                if refusal == "":
                    done.append(message)
        finally:  # what was started before Ctrl-C does not come again
            queue.delete(done)

    def lost_announcements(self) -> None:
        """Announce again what could not be announced."""
        with DeadLetters(self.stack, self.stack.outputs[QUEUES["announcements"]]) as queue:
            for messages in self._choose(queue):
                for message in messages:
                    self._announce(queue, message)

    def _announce(self, queue: DeadLetters, message: DeadLetter) -> None:
        details = details_in(self.stack, message.body)
        if details is None:
            self._keep(ANNOUNCEMENTS, message)
            return
        refusal = None if self._dry else ""
        if not self._dry:
            try:
                announce(self.stack, details)
                queue.delete([message])
            except CommandError as error:
                refusal = str(error)
            except aws_errors() as error:
                refusal = explained(error, DENIED)
        self._count(ANNOUNCEMENTS, message.cause, refusal)

    def _choose(self, queue: DeadLetters) -> Iterator[list[DeadLetter]]:
        """Yield the dead letters that the options choose, no more than the limit leaves."""
        if self._room(1) == 0:
            return
        for messages in queue.batches():
            chosen = [
                message
                for message in messages
                if self._reason in (None, message.cause)
                and (self._since is None or message.sent >= self._since)
            ]
            if chosen:
                yield chosen[: self._room(len(chosen))]
            if self._room(1) == 0:
                return

    def _start(self, events: Sequence[str]) -> Iterator[str | None]:
        """Yield what became of each: "" if it was started, None if it was not tried, or why not."""
        if self._dry or (events and self._endpoint_is_silent):
            return iter([None] * len(events))
        return start_all(self.stack, events, "redrive", self._rate_limit)

    @cached_property
    def _endpoint_is_silent(self) -> bool:
        """Whether every upload would fail again; says so, once."""
        status = status_of(self.stack)
        if status in SILENT:
            sentence = advice(self.stack.outputs["EndpointName"], status)
            print(f"! no upload is started: {sentence}", file=sys.stderr)
        return status in SILENT

    def _keep(self, source: str, message: DeadLetter) -> None:
        """Leave a message that means nothing to this command in its queue, and show it."""
        self.tally[source, UNKNOWN_FORM, "kept"] += 1
        print(f"! not understood: {message.id}: {printable(message.body[:200])}", file=sys.stderr)

    def _count(self, source: str, reason: str, refusal: str | None) -> None:
        result = "waiting" if refusal is None else "refused" if refusal else "started"
        self.tally[source, reason or "no reason given", result] += 1
        if refusal and refusal not in self._refusals:
            self._refusals.add(refusal)
            print(f"! {refusal}", file=sys.stderr)
        self._progress.tell(f"{self.tally.total():,} seen, {self._of('started'):,} started")

    def _of(self, result: str) -> int:
        return sum(number for key, number in self.tally.items() if key[2] == result)

    def _room(self, wanted: int) -> int:
        """Return how many of so many more the limit lets through."""
        if self._limit is None:
            return wanted
        used = sum(number for key, number in self.tally.items() if key[1] != UNKNOWN_FORM)
        return max(0, min(wanted, self._limit - used))

    def _rows(self) -> list[tuple[str, str, str, int]]:
        return sorted((*key, number) for key, number in self.tally.items() if number)

    def as_json(self) -> str:
        """Return the tally as a JSON array of objects: source, reason, result, number."""
        return json.dumps([dict(zip(HEADER, row, strict=True)) for row in self._rows()])

    def as_text(self) -> str:
        """Return the tally as a table: source, reason, result, number."""
        rows = self._rows()
        if not rows and (self._reason is not None or self._since is not None):
            return "nothing that failed fits --reason and --since"
        if not rows:
            return "nothing failed, no dead letters"
        cells = [(*row[:3], f"{row[3]:,}") for row in rows]
        lines = table(HEADER, cells, right=("number",), flexible=("reason",))
        if any(source != ANNOUNCEMENTS and result == "started" for source, _, result, _ in rows):
            status = self.stack.command("status")
            lines += f"\nwhat fails again is counted by {status}, in a few minutes"
        return lines
