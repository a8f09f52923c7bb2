"""What was announced of an upload is found in the audit log."""

import json
from pathlib import Path

import pytest

from ops.reviewing.reviews import Reviews
from ops.stack import audit_log
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import announced, decided


def test_every_announcement_of_an_upload_is_told_with_who_and_when(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (images / "cat.jpg").read_bytes()
    upload = decided(standard, data)["upload"]
    decided(standard, data)  # of the same etag
    reviews = Reviews(OpsStack("test-standard"), "ann", ["bicycle"])
    item = reviews.ledger.get(upload)
    assert item is not None
    reviews.label(item, "bicycle")
    announced(standard, upload, 2)
    found = json.loads(ops(standard, "show", upload, "--announcements", "--json").out)
    assert found["announcements_whole"] is True
    told = [
        (entry["revision"], entry["outcome"], entry["label"], entry["reviewer"])
        for entry in found["announcements"]
    ]
    assert told == [(1, "review", "other", ""), (2, "reviewed", "bicycle", "ann")]
    first, second = (entry["at"] for entry in found["announcements"])
    assert item.recorded_at[:16] <= first <= second
    lines = [
        line.split(maxsplit=1)[1]
        for line in ops(standard, "show", upload, "--announcements").out.splitlines()
        if line.strip().startswith("announced")
    ]
    assert lines == [
        f"{first} revision 1: review other",
        f"{second} revision 2: reviewed bicycle, by ann",
    ]
    assert "announced" not in ops(standard, "show", upload).out
    monkeypatch.setattr(audit_log, "EVENTS_A_CALL", 1)
    cut = audit_log.heard(OpsStack("test-standard"), item, look_s=-1)
    assert cut.whole is False
    assert "there may be more" in cut.rows()[-1][1]
