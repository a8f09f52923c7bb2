"""What a backfill has decided of another bucket is reviewed by who may read that bucket."""

import io
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from PIL import Image

from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Decision
from ops.stack.outputs import Stack as OpsStack
from tests.support.backfill import BUCKET, ended, put, recorded, start
from tests.support.cloud import Stack
from tests.support.console import served
from tests.support.ops import Ops, role

CLASSES = ("bicycle", "motorcycle")


@pytest.fixture
def reviewer(ops: Ops, standard: Stack) -> Iterator[OpsStack]:
    """The stack, called by who has nothing but the operator's policy."""
    del ops
    with role(standard, "reviewer", "OperatorPolicyArn") as credentials:
        yield OpsStack("test-standard").as_role(credentials)


@pytest.fixture
def waiting(standard: Stack, images: Path) -> Decision:
    """A picture of the other bucket that waits for a person."""
    prefix = put(standard, {"cat.jpg": (images / "cat.jpg").read_bytes()})
    ended(standard, start(standard, prefix))
    [item] = recorded(standard, prefix).values()
    found = Reviews(OpsStack("test-standard"), "ann").ledger.get(item["upload"])
    assert found is not None
    assert (found.outcome, found.s3_bucket) == ("review", BUCKET)
    return found


def seen(reviews: Reviews, item: Decision) -> tuple[int, bytes]:
    """Return what the console answers to the question for a picture."""
    with served(reviews) as server:
        asked = urllib.request.Request(
            f"http://127.0.0.1:{server.server_address[1]}/api/picture?upload={quote(item.upload)}",
            headers={"X-Console-Token": server.token},
        )
        try:
            with urllib.request.urlopen(asked, timeout=20) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


def test_who_may_not_read_the_bucket_is_told_so_and_the_label_is_recorded(
    reviewer: OpsStack, waiting: Decision
) -> None:
    reviews = Reviews(reviewer, "rosa", CLASSES)
    status, told = seen(reviews, waiting)
    assert status == 403
    assert b"it is in the bucket photos, where s3:GetObject" in told
    assert b"forget" not in told
    labelled = reviews.label(waiting, "bicycle")
    assert labelled.decision.outcome == "reviewed"
    assert (labelled.copy, "it is in the bucket photos" in labelled.note) == ("", True)


def test_who_may_read_the_bucket_sees_the_picture_and_its_label_gets_a_copy(
    ops: Ops, standard: Stack, waiting: Decision
) -> None:
    del ops
    reviews = Reviews(OpsStack("test-standard"), "ann", CLASSES)
    status, data = seen(reviews, waiting)
    assert status == 200
    with Image.open(io.BytesIO(data)) as shown:
        assert shown.format == "JPEG"
    labelled = reviews.label(waiting, "bicycle")
    s3: Any = standard.aws.client("s3")
    copy = s3.get_object(Bucket=standard.outputs["UploadBucket"], Key=labelled.copy)["Body"].read()
    assert copy == data
