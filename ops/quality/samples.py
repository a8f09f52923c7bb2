"""The random sample of a stack's uploads, and what people said about it.

Every upload has a position in 0..1, a hash of its name. Of the decisions that software acts on,
`accepted` and `none`, those are audited whose position is below the share that was set when the
decision was taken; a person looks at every `review`. So below the smallest share of a period every
upload had the same chance to be looked at, whatever the model made of it.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from itertools import combinations

from ops.stack.ledger import OTHER, Decision

ACTED_ON = ("accepted", "none")  # decisions that software acts on without a person
LOOKED_AT = ("confirmed", "reviewed")  # outcomes by a person
MOST = 100_000  # samples that are kept: about 60 MB


def audit_position(upload: str) -> float:
    """Return the place of an upload, in 0..1: it is audited if this is below the share.

    upload: its key in the ledger, bucket/key#etag. functions/filter has the same rule.
    """
    return int.from_bytes(sha256(upload.encode()).digest()[:8], "big") / 2**64


@dataclass(frozen=True, slots=True)
class Sample:
    """An upload that the model decided.

    decision: what the workflow decided: accepted, none or review. guess, confidence (0..1): the
    model's likeliest label. label: a person's, "" while nobody has looked. threshold,
    none_threshold: those it was decided by. share: of such decisions (0..1) that were to be audited
    then; 0 for a review. time: when it came (Decision.came_at), with zone. labels: each person's
    last label for it.
    """

    upload: str
    position: float
    decision: str
    guess: str
    confidence: float
    label: str
    model: str
    threshold: float
    none_threshold: float
    share: float
    time: datetime
    labels: tuple[str, ...] = ()

    @property
    def looked_at(self) -> bool:
        """Whether a person has given a label."""
        return bool(self.label)

    @property
    def wrong(self) -> bool:
        """Whether a person's label differs from the model's."""
        return self.looked_at and self.label != self.guess

    @property
    def week(self) -> str:
        """The ISO week of the upload, for instance 2026-W48."""
        year, week, _day = self.time.isocalendar()
        return f"{year}-W{week:02}"


def sample_of(item: Decision) -> Sample | None:
    """Return an item of the ledger as a sample; None if the model gave no inference for it.

    An item that was recorded before the ledger kept decisions went to review if a person has
    labelled it.
    """
    guesses = item.guesses()
    if not guesses:
        return None
    decision = item.decision or ("review" if item.outcome == "reviewed" else item.outcome)
    time = datetime.fromisoformat(item.came_at)
    return Sample(
        upload=item.upload,
        position=audit_position(item.upload),
        decision=decision,
        guess=guesses[0]["label"],
        confidence=guesses[0]["confidence"],
        label=item.label if item.outcome in LOOKED_AT else "",
        model=item.model,
        threshold=item.threshold,
        none_threshold=item.none_threshold,
        share=item.audit_share / 100 if decision in ACTED_ON else 0.0,
        time=time if time.tzinfo else time.replace(tzinfo=UTC),
        labels=tuple(labels_by_person(item.history).values()),
    )


def labels_by_person(history: str) -> dict[str, str]:
    """Return the last label that each person gave an upload; what was undone does not count.

    history: JSON text of the ledger.
    """
    given: list[tuple[str, str]] = []
    for entry in json.loads(history or "[]"):
        if entry["how"] == "undo":
            del given[-1:]
        else:
            given.append((entry["by"], entry["label"]))
    return dict(given)


class Window:
    """The random sample of a period and the agreement of reviewers, in bounded memory.

    Of more than `most` samples those with the lowest positions are kept: a random sample again, of
    a smaller share. Add what was audited before what was reviewed: then reviews that the sample
    does not need are dropped at once.
    """

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._kept: list[Sample] = []
        self.cap = 1.0  # positions below it are kept
        self._smallest = 1.0  # share of any decision that was to be audited
        self.pairs = self.agreeing = 0

    def add_all(self, items: Iterable[Decision]) -> None:
        """Add items of the ledger."""
        for item in items:
            if (sample := sample_of(item)) is not None:
                self.add(sample)

    def add(self, sample: Sample) -> None:
        """Count its labels by two people; keep it if it belongs to the random sample."""
        for one, another in combinations(sample.labels, 2):
            self.pairs += 1
            self.agreeing += one == another
        acted_on = sample.decision in ACTED_ON
        limit = sample.share if acted_on else self._smallest
        if sample.position >= min(limit, self.cap):
            return  # a person came upon it otherwise, or it is one review of many
        if acted_on:
            self._smallest = min(self._smallest, sample.share)
        self._kept.append(sample)
        if len(self._kept) > 2 * self._most:
            self._kept.sort(key=lambda kept: kept.position)
            self.cap = self._kept[self._most].position
            del self._kept[self._most :]

    def due(self, decision: str) -> list[Sample]:
        """Return the samples of accepted or none that are audited or to be audited."""
        return [sample for sample in self._kept if sample.decision == decision]

    @property
    def share(self) -> float:
        """The probability, 0..1, with which every upload came into equal(); 0 without audits."""
        audited = any(sample.decision in ACTED_ON for sample in self._kept)
        return min(self._smallest, self.cap) if audited else 0.0

    def equal(self) -> Iterator[Sample]:
        """Yield the samples that had the same chance, whatever was decided, since audits began."""
        share = self.share
        began = min((s.time for s in self._kept if s.decision in ACTED_ON), default=None)
        for sample in self._kept:
            if began is not None and sample.position < share and sample.time >= began:
                yield sample


def is_candidate(sample: Sample, decision: str) -> bool:
    """Tell whether some threshold makes this the decision: accepted a class, none `other`."""
    return (sample.guess == OTHER) == (decision == "none")
