"""What has to be true in the end, read from the ledger and from what was announced."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from local.cloud import EmbeddedAws
from ops.stack.ledger import Decision
from tests.chaos.uploads import EXPECTED, Upload

Detail = dict[str, str]  # of an announcement

# What a later event may still change: nothing was decided.
PASSING = {"failed", "superseded", "rejected: not_found"}


@dataclass
class Verdict:
    """Counts, and a sentence for each promise that was broken."""

    outcomes: Counter[str] = field(default_factory=Counter)
    announcements: int = 0
    repeated: int = 0
    unrecorded: int = 0
    broken: list[str] = field(default_factory=list)


def judge(
    aws: EmbeddedAws,
    outputs: dict[str, str],
    put: list[Upload],
    said: Iterable[Decision] = (),
) -> Verdict:
    """Hold the ledger and the announcements of a stack against what was uploaded and labelled."""
    return judged(list(_items(aws, outputs)), list(_announcements(aws, outputs)), put, said)


def judged(
    items: list[Decision],
    announced: list[Detail],
    put: list[Upload],
    said: Iterable[Decision] = (),
) -> Verdict:
    """Return the counts, and which promises are broken.

    Every surviving upload has one outcome, the one that its content asks for; every revision of
    every item was announced, and is the same however often it was; nothing was decided twice; what
    people have recorded (said: items as they left them) was announced as they said it, and is in
    the item's history.
    """
    verdict = Verdict()
    known = {item.upload: item for item in items}
    by_upload: dict[str, dict[int, Detail]] = defaultdict(dict)
    for detail in announced:
        revision = int(detail["revision"])
        before = by_upload[detail["upload"]].setdefault(revision, detail)
        verdict.announcements += 1
        verdict.repeated += before is not detail
        if before != detail:
            verdict.broken.append(f"{detail['upload']}: revision {revision} was announced as two")
    for upload in put:
        item = known.get(upload.name)
        if item is None and upload.survives:
            verdict.broken.append(f"{upload.name}: lost")
        elif item is None:  # its execution was stopped, and there is no object to start another for
            verdict.unrecorded += 1
        else:
            verdict.broken += _wrong_outcome(upload, item)
    names = {upload.name for upload in put}
    verdict.broken += [f"{name}: nobody uploaded it" for name in known.keys() - names]
    verdict.broken += [
        f"{name}: announced, not recorded" for name in by_upload.keys() - known.keys()
    ]
    for left in said:
        verdict.broken += _wrong_label(left, known.get(left.upload), by_upload[left.upload])
    for name, item in known.items():
        verdict.outcomes[_outcome(item.outcome, item.reason)] += 1
        verdict.broken += _wrong_announcements(item, by_upload[name])
    return verdict


def _outcome(outcome: str, reason: str) -> str:
    return f"{outcome}: {reason}" if outcome == "rejected" else outcome


def _wrong_outcome(upload: Upload, item: Decision) -> Iterator[str]:
    fitting = EXPECTED[upload.kind] | (set() if upload.survives else PASSING - {"failed"})
    if (outcome := _outcome(item.outcome, item.reason)) not in fitting:
        yield f"{upload.name}: a {upload.kind}, and in the end {outcome} ({item.detail})"


def _wrong_announcements(item: Decision, details: dict[int, Detail]) -> Iterator[str]:
    """Yield what is wrong with what was announced of one upload, by revision."""
    if sorted(details) != list(range(1, item.revision + 1)):
        yield f"{item.upload}: has {item.revision} revisions, announced were {sorted(details)}"
    outcomes = [
        _outcome(detail["outcome"], detail["reason"]) for _, detail in sorted(details.items())
    ]
    # After a decision only people change anything, and they give their names.
    by_software = [not detail["reviewer"] for _, detail in sorted(details.items())]
    for before, later in pairwise(zip(outcomes, by_software, strict=True)):
        if before[0] not in PASSING and later[1]:
            yield f"{item.upload}: decided twice: {' > '.join(outcomes)}"
    if outcomes and outcomes[-1] != _outcome(item.outcome, item.reason):
        yield f"{item.upload}: announced {outcomes[-1]}, recorded {item.outcome}"


def _wrong_label(left: Decision, now: Decision | None, details: dict[int, Detail]) -> Iterator[str]:
    """Yield what is wrong with a label that somebody has recorded."""
    detail = details.get(left.revision, {})
    announced = (detail.get("outcome"), detail.get("label"), detail.get("audit"))
    if announced != (left.outcome, left.label, left.audit):
        yield f"{left.upload}: {left.reviewer} said {left.label}, announced was {announced}"
    if now is None or left.changes()[-1] not in now.changes():
        yield f"{left.upload}: what {left.reviewer} said is not in its history"


def _items(aws: EmbeddedAws, outputs: dict[str, str]) -> Iterable[Decision]:
    pages = aws.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=outputs["DecisionsTable"]):
        yield from (Decision.of(item) for item in page["Items"])


def _announcements(aws: EmbeddedAws, outputs: dict[str, str]) -> Iterable[Detail]:
    pages = aws.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=outputs["AuditLogGroup"]):
        for event in page["events"]:
            detail: Any = json.loads(event["message"])["detail"]
            yield detail
