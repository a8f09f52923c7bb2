"""The audit log: every announcement, as it went over the bus."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from time import monotonic

from ops.stack.ledger import Decision
from ops.stack.outputs import Stack

LOOK_S = 5  # for the announcements of one upload; a call reads a part of the log, and may find none
EVENTS_A_CALL = 10_000  # the most that it returns
EARLY = timedelta(minutes=1)  # the clocks of S3 and of the log may differ


@dataclass(frozen=True)
class Announced:
    """One announcement. at: when the log took it, in ISO 8601."""

    at: str
    revision: int
    outcome: str
    label: str
    reviewer: str

    def as_text(self) -> str:
        """Return it on one line."""
        by = f", by {self.reviewer}" if self.reviewer else ""
        found = " ".join(filter(None, (self.outcome, self.label)))
        return f"{self.at} revision {self.revision}: {found}{by}"


@dataclass(frozen=True)
class Heard:
    """The announcements of an upload, oldest first; whole: the log was read to its end."""

    announcements: list[Announced]
    whole: bool

    def rows(self) -> list[tuple[str, str]]:
        """Return names and texts, as ops.stack.describing does."""
        found = [("announced", announcement.as_text()) for announcement in self.announcements]
        if not self.whole:
            found.append(("announced", f"the log was read for {LOOK_S} s: there may be more"))
        return found or [("announced", "nothing in the audit log: it keeps LogRetentionDays")]


def heard(stack: Stack, item: Decision, look_s: float = LOOK_S) -> Heard:
    """Return what was announced of an upload since it was uploaded.

    look_s: seconds after which no further call is made. FilterLogEvents itself is free, and is
    asked for the etag: a pattern cannot be as long as the longest key.
    """
    client, end = stack.client("logs"), monotonic() + look_s
    since = datetime.fromisoformat(item.uploaded_at) - EARLY
    pages = client.get_paginator("filter_log_events").paginate(
        logGroupName=stack.outputs["AuditLogGroup"],
        startTime=int(since.timestamp() * 1000),
        filterPattern=f'"{item.etag}"',
        PaginationConfig={"PageSize": EVENTS_A_CALL},
    )
    found: list[Announced] = []
    for page in pages:
        for event in page["events"]:
            detail = json.loads(event["message"])["detail"]
            if detail["upload"] == item.upload:
                found.append(_announced(event["timestamp"], detail))
        if monotonic() > end:
            return Heard(found, whole="nextToken" not in page)
    return Heard(found, whole=True)


def _announced(milliseconds: int, detail: dict[str, str]) -> Announced:
    at = datetime.fromtimestamp(milliseconds / 1000, UTC).isoformat(timespec="milliseconds")
    return Announced(
        at.replace("+00:00", "Z"),
        int(detail["revision"]),
        detail["outcome"],
        detail["label"],
        detail["reviewer"],
    )
