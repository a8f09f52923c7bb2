"""What quality reads of a ledger: uploads, or what backfills have brought."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ops.quality.quality import report
from ops.stack.ledger import BACKFILL, UPLOAD
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.workflow import decided

pytestmark = pytest.mark.usefixtures("ops")


def counted(origin: str) -> tuple[int, int]:
    """Return how many are accepted, and how many of these are to be audited."""
    yesterday = datetime.now(UTC) - timedelta(days=1)
    found = report(OpsStack("test-audited"), yesterday, origin)
    return found.uploads["accepted"], found.estimates["accepted"].due


def test_an_old_photo_is_no_upload_and_its_audit_counts_where_it_does(
    audited: Stack, images: Path
) -> None:
    uploads, old = counted(UPLOAD), counted(BACKFILL)
    item = decided(audited, (images / "bicycle.png").read_bytes())
    assert counted(UPLOAD) == (uploads[0] + 1, uploads[1] + 1)
    audited.aws.client("dynamodb").update_item(
        TableName=audited.outputs["DecisionsTable"],
        Key={"upload": {"S": item["upload"]}},
        UpdateExpression="SET origin = :backfill, uploaded_at = :then",
        ExpressionAttributeValues={
            ":backfill": {"S": BACKFILL},
            ":then": {"S": "2019-05-17T08:00:00Z"},  # LastModified of an old object
        },
    )
    assert counted(UPLOAD) == uploads
    assert counted(BACKFILL) == (old[0] + 1, old[1] + 1)
