"""What a backfill has brought is left out of the report on today's uploads, and has its own."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from ops.monitoring.observations import from_ledger
from ops.stack.ledger import Decision, Ledger

BEFORE, SINCE = "2019-05-01T10:00:00Z", datetime(2026, 11, 26, tzinfo=UTC)
RECORDED = "2026-11-26T12:00:02.000Z"


def item(origin: str, uploaded_at: str) -> Decision:
    return Decision.of(
        {
            "upload": {"S": origin},
            "origin": {"S": origin},
            "outcome": {"S": "accepted"},
            "confidence": {"N": "0.9"},
            "inferences": {"S": '[{"label": "bicycle", "confidence": 0.9}]'},
            "uploaded_at": {"S": uploaded_at},
            "recorded_at": {"S": RECORDED},
        }
    )


class OneDay:
    """A ledger of an upload of today and a photo that a backfill has brought."""

    def of_outcome(self, outcome: str, **_: Any) -> list[Decision]:
        items = [item("upload", "2026-11-26T12:00:00Z"), item("backfill", BEFORE)]
        return items if outcome == "accepted" else []


@pytest.mark.parametrize(("origin", "latency_s"), [("upload", 2.0), ("backfill", None)])
def test_a_report_is_of_one_origin(origin: str, latency_s: float | None) -> None:
    [seen] = from_ledger(cast(Ledger, OneDay()), SINCE, origin)
    assert seen.latency_s == latency_s
    assert seen.time >= SINCE
