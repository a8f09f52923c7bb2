"""What monitoring sees of an upload or an inference, and where it comes from in the ledger."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cli.escaping import escaped
from ops.stack.ledger import OTHER, OUTCOMES, UPLOAD, Decision, Ledger, moment

LONGEST_NAME = 100  # characters of a label or a model


@dataclass(frozen=True)
class Observation:
    """An upload, or an inference that was captured.

    time: of the upload or the inference, with zone. outcome: as in the ledger, but what the
    workflow decided where a person has looked since. label, confidence: the model's likeliest;
    confidence is None without an inference. latency_s: from upload to decision. right: whether a
    reviewer agreed with the model. statistics: of the picture, as model.training.image_statistics
    measures them. picture: its file.
    """

    time: datetime
    outcome: str
    model: str = ""
    label: str = ""
    confidence: float | None = None
    threshold: float | None = None
    latency_s: float | None = None
    right: bool | None = None
    statistics: Mapping[str, float] = field(default_factory=dict)
    picture: bytes | None = None


def decide(label: str, confidence: float, threshold: float, none_threshold: float) -> str:
    """Return what the workflow makes of an inference: accepted, none or review."""
    if label == OTHER:
        return "none" if 0 < none_threshold <= confidence else "review"
    return "accepted" if confidence >= threshold else "review"


def from_ledger(ledger: Ledger, since: datetime, origin: str = UPLOAD) -> Iterator[Observation]:
    """Yield what became of the uploads since a moment, one outcome after the other.

    origin: upload or backfill; the time of what a backfill has brought is when it was decided.
    """
    for outcome in OUTCOMES:
        for decision in ledger.of_outcome(outcome, since=moment(since)):
            if decision.origin != origin:
                continue
            seen = observation_of(decision)
            if seen.time >= since:  # reviewed since, but uploaded before
                yield seen


def observation_of(decision: Decision) -> Observation:
    """Return an item of the ledger as an observation."""
    recorded = _moment(decision.recorded_at)
    uploaded = _moment(decision.came_at)
    own = decision.came_at != decision.recorded_at
    guesses = decision.guesses()
    if not guesses:
        return Observation(uploaded, decision.outcome)
    best = guesses[0]
    reviewed = bool(decision.reviewer) and decision.outcome in ("reviewed", "confirmed")
    return Observation(
        uploaded,
        (decision.decision or "review") if reviewed else decision.outcome,
        model=escaped(decision.model[:LONGEST_NAME]),
        label=escaped(best["label"][:LONGEST_NAME]),
        confidence=best["confidence"],
        threshold=decision.threshold,
        # S3 gives the second of an upload; a review is recorded when the person is done.
        latency_s=None if reviewed or not own else max(0.0, (recorded - uploaded).total_seconds()),
        right=best["label"] == decision.label if reviewed else None,
    )


def _moment(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
