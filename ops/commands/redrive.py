"""Start again what failed: failed uploads of the ledger, dead letters of both queues.

    python -m ops redrive --dry-run            what there is, by cause
    python -m ops redrive --limit 100          a hundred first, to see whether the cause is gone
    python -m ops redrive --cause EndpointUnavailable --since 2d

A failed upload becomes a new execution with its kept event; so does an event that could not start
one. A change that could not be announced is announced again under its own id. Running it twice
does no harm: the ledger takes one decision for an upload, and announcements carry upload and
revision. A dead letter is deleted only after its execution has started or its announcement was
taken. Exit code 1 if something could not be started, or with --dry-run if something waits.
"""

import argparse
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice

from botocore.exceptions import BotoCoreError, ClientError

from cli.arguments import add_since, positive
from cli.errors import CommandError, explained
from cli.terminal import Progress, printable
from ops.stack.announcements import announce, details_in
from ops.stack.dead_letters import QUEUES, Letter, Letters
from ops.stack.executions import address_in, start_all
from ops.stack.ledger import ABSENT, Decision, Ledger, moment, name_of
from ops.stack.outputs import Stack
from ops.stack.rate_limit import Pace, add_pace

FAILURES, UPLOADS, ANNOUNCEMENTS = "failed uploads", "lost upload events", "lost announcements"
STRANGE = "not understood"
CHUNK = 100


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("--dry-run", action="store_true", help="count by cause, start nothing")
    parser.add_argument("--limit", type=positive, metavar="N", help="start at most N")
    parser.add_argument("--cause", help="only what failed for this reason, as --dry-run names it")
    add_since(parser, "only what failed since then")
    add_pace(parser)


def run(arguments: argparse.Namespace) -> int:
    """Redrive, and tell what became of it."""
    with Progress() as progress:
        redrive = Redrive(Stack.of(arguments), arguments, progress)
        try:
            redrive.failures()
            redrive.upload_letters()
            redrive.announcement_letters()
        finally:  # also what was done before Ctrl-C
            progress.clear()
            print(redrive.as_text(), flush=True)
    return 1 if redrive.left else 0


class Redrive:
    """One run of the command, and its tally: how many, by source, cause and what was done."""

    def __init__(self, stack: Stack, arguments: argparse.Namespace, progress: Progress) -> None:
        self.stack = stack
        self.tally: Counter[tuple[str, str, str]] = Counter()
        self._ledger = Ledger(stack)
        self._dry: bool = arguments.dry_run
        self._limit: int | None = arguments.limit
        self._cause: str | None = arguments.cause
        self._since: datetime | None = arguments.since
        self._pace = Pace(arguments.per_second)
        self._progress = progress
        self._told: set[str] = set()

    @property
    def left(self) -> int:
        """How many wait still."""
        return sum(self.tally.values()) - self._of("started") - self._of("already decided")

    def failures(self) -> None:
        """Start each failed upload of the ledger again."""
        since = moment(self._since) if self._since else ""
        # What fails again is recorded anew: this run does not start it a second time.
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        chosen = (
            each
            for each in self._ledger.of_outcome("failed", since=since, until=now)
            if self._cause in (None, each.reason)
        )
        while chunk := list(islice(chosen, self._room(CHUNK))):
            self._start_failures(chunk)

    def _start_failures(self, failed: Sequence[Decision]) -> None:
        fit = [each for each in failed if address_in(each.event)]
        self.tally[FAILURES, STRANGE, "kept"] += len(failed) - len(fit)
        for each, refusal in zip(fit, self._started([e.event for e in fit]), strict=True):
            self._count(FAILURES, each.reason, refusal)

    def upload_letters(self) -> None:
        """Start an execution for each event that could not start one."""
        with Letters(self.stack, self.stack.outputs[QUEUES["uploads"]]) as queue:
            for letters in self._chosen(queue):
                self._start_letters(queue, letters)

    def _start_letters(self, queue: Letters, letters: Sequence[Letter]) -> None:
        named = {each: address for each in letters if (address := address_in(each.body))}
        for letter in letters:
            if letter not in named:
                self._keep(UPLOADS, letter)
        outcomes = self._ledger.outcomes({name_of(*each) for each in named.values()})
        decided = [
            letter
            for letter, address in named.items()
            if outcomes.get(name_of(*address), ABSENT) not in (ABSENT, "failed")
        ]
        fit = [letter for letter in named if letter not in decided]
        refusals = list(self._started([letter.body for letter in fit]))
        for letter, refusal in zip(fit, refusals, strict=True):
            self._count(UPLOADS, letter.cause, refusal)
        for letter in decided:
            self.tally[UPLOADS, letter.cause, "waiting" if self._dry else "already decided"] += 1
        if not self._dry:
            started = [e for e, refusal in zip(fit, refusals, strict=True) if not refusal]
            queue.delete([*started, *decided])

    def announcement_letters(self) -> None:
        """Announce again what could not be announced."""
        with Letters(self.stack, self.stack.outputs[QUEUES["announcements"]]) as queue:
            for letters in self._chosen(queue):
                for letter in letters:
                    self._announce(queue, letter)

    def _announce(self, queue: Letters, letter: Letter) -> None:
        details = details_in(self.stack, letter.body)
        if details is None:
            self._keep(ANNOUNCEMENTS, letter)
            return
        refusal = ""
        if not self._dry:
            try:
                announce(self.stack, details)
                queue.delete([letter])
            except CommandError as error:
                refusal = str(error)
            except (BotoCoreError, ClientError) as error:
                refusal = explained(error)
        self._count(ANNOUNCEMENTS, letter.cause, refusal)

    def _chosen(self, queue: Letters) -> Iterator[list[Letter]]:
        """Yield the letters that the options choose, no more than the limit leaves."""
        if self._room(1) == 0:
            return
        for letters in queue.batches():
            chosen = [
                each
                for each in letters
                if self._cause in (None, each.cause)
                and (self._since is None or each.sent >= self._since)
            ]
            if chosen:
                yield chosen[: self._room(len(chosen))]
            if self._room(1) == 0:
                return

    def _started(self, events: Sequence[str]) -> Iterator[str]:
        if self._dry:
            return iter([""] * len(events))
        return start_all(self.stack, events, "redrive", self._pace)

    def _keep(self, source: str, letter: Letter) -> None:
        """Leave a letter that means nothing to this command in its queue, and show it."""
        self.tally[source, STRANGE, "kept"] += 1
        print(f"! not understood: {letter.id}: {printable(letter.body, 200)}", file=sys.stderr)

    def _count(self, source: str, cause: str, refusal: str) -> None:
        done = "refused" if refusal else "waiting" if self._dry else "started"
        self.tally[source, cause or "no cause given", done] += 1
        if refusal and refusal not in self._told:
            self._told.add(refusal)
            print(f"! {refusal}", file=sys.stderr)
        self._progress.tell(f"{sum(self.tally.values()):,} seen, {self._of('started'):,} started")

    def _of(self, done: str) -> int:
        return sum(number for (_, _, each), number in self.tally.items() if each == done)

    def _room(self, wanted: int) -> int:
        """Return how many of so many more the limit lets through."""
        if self._limit is None:
            return wanted
        used = sum(number for (_, cause, _), number in self.tally.items() if cause != STRANGE)
        return max(0, min(wanted, self._limit - used))

    def as_text(self) -> str:
        """Return the tally as a table: source, cause, what was done, how many."""
        rows = sorted((key, number) for key, number in self.tally.items() if number)
        if not rows and (self._cause is not None or self._since is not None):
            return "nothing that failed fits --cause and --since"
        if not rows:
            return "nothing failed, no dead letters"
        source, cause = (max(len(key[n]) for key, _ in rows) for n in (0, 1))
        lines = [
            f"{key[0]:<{source}}  {key[1]:<{cause}}  {key[2]:<15}  {number:>7,}"
            for key, number in rows
        ]
        if any(key[0] != ANNOUNCEMENTS and key[2] == "started" for key, _ in rows):
            lines.append("what fails again is counted by python -m ops status, in a few minutes")
        return "\n".join(lines)
