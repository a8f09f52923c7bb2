"""What has to be true in the end, read from the ledger and from what was announced."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from local.cloud import EmbeddedAws
from tests.chaos.uploads import Upload

DECIDED = {"accepted", "review", "rejected", "superseded"}


@dataclass
class Verdict:
    """Counts, and a sentence for each promise that was broken."""

    outcomes: Counter[str] = field(default_factory=Counter)
    announcements: int = 0
    repeated: int = 0
    unrecorded: int = 0
    broken: list[str] = field(default_factory=list)


def judge(aws: EmbeddedAws, outputs: dict[str, str], put: list[Upload]) -> Verdict:
    """Hold ledger and announcements against what was uploaded.

    Every surviving upload has one decision; every revision of every item was announced, and is
    the same however often it was; no upload was decided twice.
    """
    verdict = Verdict()
    items = {item["upload"]["S"]: item for item in _items(aws, outputs)}
    heard: dict[str, dict[int, dict[str, str]]] = defaultdict(dict)
    for detail in _announcements(aws, outputs):
        revision = int(detail["revision"])
        before = heard[detail["upload"]].setdefault(revision, detail)
        verdict.announcements += 1
        verdict.repeated += before is not detail
        if before != detail:
            verdict.broken.append(f"{detail['upload']}: revision {revision} was announced as two")
    for upload in put:
        if upload.name in items:
            continue
        if upload.survives:
            verdict.broken.append(f"{upload.name}: lost")
        else:  # its execution was stopped, and there is no object to start another one for
            verdict.unrecorded += 1
    verdict.broken += [f"{name}: nobody uploaded it" for name in items.keys() - _names(put)]
    verdict.broken += [f"{name}: announced, not recorded" for name in heard.keys() - items.keys()]
    for name, item in items.items():
        verdict.outcomes[_told(item)] += 1
        verdict.broken += _faults(name, item, heard[name])
    return verdict


def _names(put: list[Upload]) -> set[str]:
    return {upload.name for upload in put}


def _told(item: dict[str, Any]) -> str:
    outcome: str = item["outcome"]["S"]
    return f"{outcome}: {item['reason']['S']}" if outcome == "rejected" else outcome


def _faults(name: str, item: dict[str, Any], heard: dict[int, dict[str, str]]) -> Iterator[str]:
    """Yield what is wrong with one upload's item and announcements, by revision."""
    last = int(item["revision"]["N"])
    if item["outcome"]["S"] not in DECIDED:
        why = f"{item['reason']['S']}: {item['detail']['S']}"
        yield f"{name}: {item['outcome']['S']} in the end, {why}"
    if sorted(heard) != list(range(1, last + 1)):
        yield f"{name}: has {last} revisions, announced were {sorted(heard)}"
    outcomes = [heard[revision]["outcome"] for revision in sorted(heard)]
    if any(outcome in DECIDED for outcome in outcomes[:-1]):
        yield f"{name}: decided twice: {' > '.join(outcomes)}"
    if outcomes and outcomes[-1] != item["outcome"]["S"]:
        yield f"{name}: announced {outcomes[-1]}, recorded {item['outcome']['S']}"


def _items(aws: EmbeddedAws, outputs: dict[str, str]) -> Iterator[dict[str, Any]]:
    pages = aws.client("dynamodb").get_paginator("scan")
    for page in pages.paginate(TableName=outputs["DecisionsTable"]):
        yield from page["Items"]


def _announcements(aws: EmbeddedAws, outputs: dict[str, str]) -> Iterator[dict[str, str]]:
    pages = aws.client("logs").get_paginator("filter_log_events")
    for page in pages.paginate(logGroupName=outputs["AuditLogGroup"]):
        for event in page["events"]:
            yield json.loads(event["message"])["detail"]
