"""What waits for a person, and the person's word about it."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from heapq import nsmallest
from itertools import islice

from cli.errors import CommandError
from ops.stack.ledger import OTHER, Decision, Ledger
from ops.stack.outputs import Stack
from ops.stack.uploads import PictureGone, Uploads

LABEL = re.compile(r"[^\W_][\w .-]{0,62}")  # it becomes a folder of labelled/


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
        self.reviewer = reviewer
        self.uploads = Uploads(stack)
        self.ledger = Ledger(stack)
        for label in classes:
            if not LABEL.fullmatch(label):
                raise CommandError(
                    f"{label!r} is no class: write letters, digits, spaces, dots, hyphens and"
                    " underscores, 63 at most"
                )
        self._classes = {OTHER, *classes}

    def waiting(self, limit: int, order: str = "newest") -> list[Decision]:
        """Return at most so many that wait: newest, oldest or unsure (least confident) first."""
        found = self.ledger.of_outcome("review", newest_first=order == "newest")
        if order == "unsure":
            chosen = nsmallest(limit, found, key=lambda item: item.confidence)
        else:
            chosen = list(islice(found, limit))
        for item in chosen:
            self._classes |= {
                guess["label"] for guess in item.guesses() if LABEL.fullmatch(guess["label"])
            }
        return chosen

    def classes(self) -> list[str]:
        """Return the labels to choose from: those that the models have guessed, `other` last."""
        return sorted(self._classes, key=lambda name: (name == OTHER, name))

    def label(self, read: Decision, label: str) -> Labelled:
        """Record a person's label, and copy the picture for training.

        Raises Changed if the record is not as it was read, CommandError for a label that is none of
        the classes. The record comes first: what has no record must not train a model.
        """
        if label not in self._classes:
            raise CommandError(f"{label!r} is none of the classes: {', '.join(self.classes())}")
        new = self.ledger.change(
            read,
            outcome="reviewed",
            label=label,
            previous_label=read.label,
            reviewer=self.reviewer,
            recorded_at=_now(),
        )
        return self.copy(new)

    def copy(self, reviewed: Decision) -> Labelled:
        """Copy a reviewed picture under its label, and take away copies under another one."""
        try:
            copy = self.uploads.label(
                reviewed.upload, reviewed.s3_key, reviewed.etag, reviewed.label
            )
        except PictureGone:
            return Labelled(
                reviewed, "", "the picture was deleted or overwritten: no copy for training"
            )
        if reviewed.revision > 2:
            self._remove_copies(reviewed, keep=copy)
        return Labelled(reviewed, copy)

    def repair(self, *, dry_run: bool = False) -> tuple[int, int]:
        """Make the copies agree with the ledger, after work that broke off.

        Returns how many were copied, and how many were removed; with dry_run how many would be.
        """
        copied = removed = 0
        for item in self.ledger.of_outcome("reviewed"):
            wanted = self.uploads.labelled(item.upload, item.s3_key, item.label)
            missing, again = not self.uploads.has(wanted), item.revision > 2  # labelled before
            if not (missing or again) or not self._is_so_still(item):
                continue
            if missing and dry_run:
                copied += self.uploads.has(item.s3_key, item.etag)
            elif missing:
                copied += bool(self.copy(item).copy)
            if again:
                removed += self._remove_copies(item, keep=wanted, dry_run=dry_run)
        for item in self.ledger.of_outcome("review"):
            if item.reviewer and self._is_so_still(item):  # the label was taken back
                removed += self._remove_copies(item, dry_run=dry_run)
        return copied, removed

    def _is_so_still(self, listed: Decision) -> bool:
        """Tell whether an item is as the index listed it: the index lags, and what is read ages."""
        return self.ledger.get(listed.upload) == listed

    def undo(self, read: Decision) -> Labelled:
        """Let a reviewed picture wait again, with the model's label; its copy is deleted.

        The record keeps who took which label back. Raises Changed.
        """
        if read.outcome != "reviewed":
            raise CommandError(f"{read.upload} is not reviewed: its outcome is {read.outcome}")
        new = self.ledger.change(
            read,
            outcome="review",
            label=read.previous_label,
            previous_label=read.label,
            reviewer=self.reviewer,
            recorded_at=_now(),
        )
        self._remove_copies(new)
        return Labelled(new, "")

    def _remove_copies(self, item: Decision, keep: str = "", *, dry_run: bool = False) -> int:
        copies = [copy for copy in self.uploads.copies(item.upload, item.s3_key) if copy != keep]
        return len(copies) if dry_run else sum(map(self.uploads.delete, copies))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
