"""What waits for a person, and the person's word about it."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from heapq import merge, nsmallest
from itertools import islice
from operator import attrgetter
from typing import Any

from cli.errors import CommandError
from ops.reviewing.history import Change, extended, history_of, lookers, standing
from ops.stack.ledger import (
    AGREED,
    CORRECTED,
    DECISIONS,
    DUE,
    NOT_DUE,
    OTHER,
    Decision,
    Ledger,
)
from ops.stack.outputs import Stack
from ops.stack.uploads import PictureElsewhere, PictureGone, Uploads

LABEL = re.compile(r"[^\W_][\w .-]{0,62}")  # it becomes a folder of labelled/
ACTED_ON = ("accepted", "none")  # decisions that software acts on
LABELLED = ("reviewed", "confirmed")  # outcomes of which the label is a person's
QUEUES = ("doubtful", "audits", "mine")
LONGEST_NAME, LONGEST_COMMENT = 100, 500  # characters; an item of the ledger holds 50 of each
LOOKED_AT = 2_000  # labels, whoever gave them, among which one's own are looked for


@dataclass(frozen=True)
class Labelled:
    """A record that a label has changed. copy: the picture's key under labelled/, "" if none."""

    decision: Decision
    copy: str
    note: str = ""


class Reviews:
    """The reviews of a stack, as one reviewer sees them."""

    def __init__(self, stack: Stack, reviewer: str, classes: Collection[str] = ()) -> None:
        self.stack = stack
        self.reviewer = _checked("the name of the reviewer", reviewer, LONGEST_NAME)
        self.uploads = Uploads(stack)
        self.ledger = Ledger(stack)
        for label in classes:
            if not LABEL.fullmatch(label):
                raise CommandError(
                    f"{label!r} is no class: write letters, digits, spaces, dots, hyphens and"
                    " underscores, 63 at most"
                )
        self._classes = {OTHER, *classes}

    def queue(self, name: str, limit: int, order: str = "newest") -> list[Decision]:
        """Return at most so many items of one of QUEUES; order: as waiting() and audits() do."""
        if name == "mine":
            return self.mine(limit)
        if name not in QUEUES:
            raise CommandError(f"{name!r} is no queue: {', '.join(QUEUES)}")
        return self.waiting(limit, order) if name == "doubtful" else self.audits(limit, order)

    def counts(self) -> dict[str, int]:
        """Return how many items wait in each queue that waits."""
        waiting, due = self.ledger.count("review"), self.ledger.count_due_audits()
        return {"doubtful": waiting, "audits": due}

    def waiting(self, limit: int, order: str = "newest") -> list[Decision]:
        """Return at most so many that wait: newest, oldest or unsure (least confident) first."""
        found = self.ledger.of_outcome("review", newest_first=order == "newest")
        if order == "unsure":
            return self._learn(nsmallest(limit, found, key=lambda item: item.confidence))
        return self._learn(islice(found, limit))

    def audits(self, limit: int, order: str = "newest") -> list[Decision]:
        """Return at most so many decisions whose audit is due, the oldest or the newest first.

        Never by confidence, which would tell a reviewer something of the model's guess.
        """
        found = self.ledger.due_audits(newest_first=order != "oldest")
        return self._learn(islice(found, limit))

    def mine(self, limit: int) -> list[Decision]:
        """Return at most so many items that this reviewer was the last to label, newest first.

        They are looked for among the newest LOOKED_AT labels of everybody.
        """
        outcomes = [self.ledger.of_outcome(name, newest_first=True) for name in LABELLED]
        newest = islice(merge(*outcomes, key=attrgetter("recorded_at"), reverse=True), LOOKED_AT)
        return self._learn(islice((i for i in newest if i.reviewer == self.reviewer), limit))

    def _learn(self, items: Iterable[Decision]) -> list[Decision]:
        """Return items as a list, and add what the models have guessed of them to the classes."""
        chosen = list(items)
        for item in chosen:
            self._classes |= {
                guess["label"] for guess in item.guesses() if LABEL.fullmatch(guess["label"])
            }
        return chosen

    def classes(self) -> list[str]:
        """Return the labels to choose from: those that the models have guessed, `other` last."""
        return sorted(self._classes, key=lambda name: (name == OTHER, name))

    def label(self, read: Decision, label: str, comment: str = "") -> Labelled:
        """Record a person's label of what waits, and copy the picture for training.

        Raises Changed if the record is not as it was read, CommandError for a label that is none of
        the classes. The record comes first: what has no record must not train a model.
        """
        if read.outcome != "review":
            raise CommandError(f"{read.upload} does not wait: its outcome is {read.outcome}")
        return self._give(read, label, "review", comment)

    def audit(self, read: Decision, label: str, comment: str = "") -> Labelled:
        """Record what a person sees on a picture whose audit is due, who knows of no guess.

        The outcome is confirmed if the label is the decision's, else reviewed. Raises as label().
        """
        if not is_blind(read):
            raise CommandError(f"{read.upload} has no audit that is due: it is {read.audit}")
        return self._give(read, label, "audit", comment)

    def relabel(
        self, read: Decision, label: str, comment: str = "", *, dry_run: bool = False
    ) -> Labelled:
        """Give what was decided, by the model or a person, another label. Raises as label().

        The label that it has, given by another person, is a second look: recorded, and announced as
        it was. By the same person it changes nothing, and the note says so. With dry_run nothing is
        changed either, and the record is what it would be.
        """
        if read.outcome not in (*DECISIONS, *LABELLED):
            raise CommandError(f"{read.upload} has no label: its outcome is {read.outcome}")
        self._check(read, label)
        if read.outcome in LABELLED and label == read.label and self.reviewer in lookers(read):
            done = Labelled(read, "") if dry_run else self.settle(read)
            note = f"{self.reviewer} has labelled it {label} before: nothing has changed"
            return Labelled(read, done.copy, "; ".join(filter(None, (note, done.note))))
        how = "review" if read.outcome == "review" else "relabel"
        return self._give(read, label, how, comment, dry_run=dry_run)

    def classes_of(self, read: Decision) -> list[str]:
        """Return classes(), with what the model has guessed of one item."""
        self._learn([read])
        return self.classes()

    def _check(self, read: Decision, label: str) -> None:
        if label not in (classes := self.classes_of(read)):
            raise CommandError(f"{label!r} is none of the classes: {', '.join(classes)}")

    def _give(
        self, read: Decision, label: str, how: str, comment: str, *, dry_run: bool = False
    ) -> Labelled:
        self._check(read, label)
        changes = self._changes(
            read, how, outcome_of(read, label), label, comment, reviewer=self.reviewer
        )
        if dry_run:
            return Labelled(replace(read, **changes, revision=read.revision + 1), "")
        return self.settle(self.ledger.change(read, **changes))

    def undo(self, read: Decision, comment: str = "") -> Labelled:
        """Take back the newest change of a person's: outcome, label and audit are as before it.

        The history keeps who took which label back. Raises Changed, and CommandError where there is
        nothing to take back.
        """
        changes = standing(history_of(read))
        if not changes:
            raise CommandError(f"{read.upload} is not reviewed: its outcome is {read.outcome}")
        last = changes.pop()
        if (last["outcome"], last["label"]) != (read.outcome, read.label):
            raise CommandError(
                f"{read.upload} has been changed too often to know what was before: relabel it"
            )
        giver = changes[-1]["by"] if changes else self.reviewer
        before = last["previous_outcome"], last["previous_label"]
        changed = self._changes(read, "undo", *before, comment, reviewer=giver)
        return self.settle(self.ledger.change(read, **changed))

    def _changes(
        self, read: Decision, how: str, outcome: str, label: str, comment: str, *, reviewer: str
    ) -> dict[str, Any]:
        """Return the attributes that a change of a person's gives an item."""
        at = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        change = Change(
            at=at,
            by=self.reviewer,
            how=how,
            outcome=outcome,
            label=label,
            previous_outcome=read.outcome,
            previous_label=read.label,
            comment=_checked("the comment", comment, LONGEST_COMMENT),
        )
        # A second look announces what the last change has: who missed that still hears of it.
        repeated = (outcome, label) == (read.outcome, read.label)
        return {
            "outcome": outcome,
            "label": label,
            "previous_label": read.previous_label if repeated else read.label,
            "audit": audit_of(read, outcome, label),
            "reviewer": reviewer,
            "recorded_at": at,
            "history": extended(history_of(read), change),
        }

    def is_done(self, now: Decision, revision: object, label: str | None) -> bool:
        """Tell whether an item is as it was asked for at a revision: the answer was lost.

        label: the one to give, None to take the last one back.
        """
        if now.revision - 1 != revision or not (changes := now.changes()):
            return False
        last = changes[-1]
        wanted = label is None if last["how"] == "undo" else label == last["label"]
        return wanted and last["by"] == self.reviewer

    def settle(self, now: Decision) -> Labelled:
        """Let the copies of an item agree with its record."""
        if now.outcome in LABELLED:
            return self.copy(now)
        self._remove_copies(now)
        return Labelled(now, "")

    def copy(self, labelled: Decision) -> Labelled:
        """Copy a labelled picture under its label, and take away copies under another one."""
        try:
            copy = self.uploads.label(
                labelled.upload,
                labelled.s3_bucket,
                labelled.s3_key,
                labelled.etag,
                labelled.label,
            )
        except PictureGone:
            return self._moved(labelled)
        except PictureElsewhere as elsewhere:
            return self._moved(labelled, str(elsewhere))
        if labelled.revision > 2:
            self._remove_copies(labelled, keep=copy)
        return Labelled(labelled, copy)

    def _moved(
        self, labelled: Decision, why: str = "the picture was deleted or overwritten"
    ) -> Labelled:
        """Do as copy() does, where there is no picture: the copy under another label moves."""
        try:
            copy = self.uploads.move_copy(labelled.upload, labelled.s3_key, labelled.label)
        except PictureGone:
            return Labelled(labelled, "", f"{why}: no copy for training")
        if self.ledger.get(labelled.upload) is None:  # forgotten meanwhile, with the copies then
            self.uploads.delete(copy)
            copy = ""
        return Labelled(labelled, copy)

    def repair(self, *, dry_run: bool = False) -> tuple[int, int]:
        """Make the copies agree with the ledger, after work that broke off.

        Returns how many were copied, and how many were removed; with dry_run how many would be.
        """
        copied = removed = 0
        for item in (item for name in LABELLED for item in self.ledger.of_outcome(name)):
            wanted = self.uploads.labelled(item.upload, item.s3_key, item.label)
            missing, again = not self.uploads.has(wanted), item.revision > 2  # labelled before
            if not (missing or again) or not self._is_so_still(item):
                continue
            if missing and dry_run:
                copied += (
                    item.s3_bucket != self.uploads.bucket  # it is looked for when it is copied
                    or self.uploads.has(item.s3_key, item.etag)
                    or any(self.uploads.copies(item.upload, item.s3_key))
                )
            elif missing:
                copied += bool(self.copy(item).copy)
            if again:
                removed += self._remove_copies(item, keep=wanted, dry_run=dry_run)
        for item in self.ledger.taken_back():
            if self._is_so_still(item):
                removed += self._remove_copies(item, dry_run=dry_run)
        return copied, removed

    def _is_so_still(self, listed: Decision) -> bool:
        """Tell whether an item is as the index listed it: the index lags, and what is read ages."""
        return self.ledger.get(listed.upload) == listed

    def _remove_copies(self, item: Decision, keep: str = "", *, dry_run: bool = False) -> int:
        copies = [copy for copy in self.uploads.copies(item.upload, item.s3_key) if copy != keep]
        return len(copies) if dry_run else sum(map(self.uploads.delete, copies))


def outcome_of(read: Decision, label: str) -> str:
    """Return the outcome of a decided upload once a person has given it a label."""
    if label != read.label or read.outcome == "review":
        return "reviewed"
    return "confirmed" if read.outcome in ACTED_ON else read.outcome


def audit_of(read: Decision, outcome: str, label: str) -> str:
    """Return the state of an upload's audit once it has an outcome and a label.

    What the workflow decided is the likeliest inference's label, of `none` too: that is `other`.
    """
    if read.audit == NOT_DUE:
        return NOT_DUE
    if outcome in ACTED_ON:  # the label was taken back
        return DUE
    return AGREED if label == read.guesses()[0]["label"] else CORRECTED


def is_blind(item: Decision) -> bool:
    """Tell whether a reviewer must not know what the model has guessed: the audit is due."""
    return item.audit == DUE and item.outcome in ACTED_ON


def queue_of(item: Decision) -> str:
    """Return the queue of the page that an item belongs to, "" if none."""
    if item.outcome == "review":
        return "doubtful"
    return "audits" if is_blind(item) else "mine" if item.outcome in LABELLED else ""


def shown_to_reviewers(item: Decision) -> dict[str, Any]:
    """Return what a reviewer sees of an item, to be written as JSON.

    While an audit is due that is nothing by which the model's guess could be told: the outcome,
    too, would tell a class from none.
    """
    shown: dict[str, Any] = {
        "upload": item.upload,
        "key": item.s3_key,
        "revision": item.revision,
        "uploaded_at": item.uploaded_at,
        "queue": queue_of(item),
    }
    if is_blind(item):
        return shown
    return shown | {
        "outcome": item.outcome,
        "label": item.label,
        "previous_label": item.previous_label,
        "audit": item.audit,
        "reviewer": item.reviewer,
        "guesses": item.guesses(),
    }


def _checked(what: str, text: str, longest: int) -> str:
    """Return a person's text on one line. Raises CommandError if it cannot be recorded."""
    line = " ".join(text.split())
    if len(line) > longest:
        raise CommandError(f"{what} has {len(line):,} characters: write {longest} at most")
    try:
        line.encode()
    except UnicodeEncodeError:
        raise CommandError(f"{what} is not valid Unicode: {line!r}") from None
    return line
