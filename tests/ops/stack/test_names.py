"""Uploads are found by what `list` and `review` print."""

import uuid
from pathlib import Path

import pytest

from cli.errors import CommandError
from cli.terminal import shortened
from ops.stack.ledger import Ledger
from ops.stack.names import find, short_name
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import decided


@pytest.fixture
def found(ops: Ops, standard: Stack) -> OpsStack:
    """The stack, once the environment points at the embedded AWS."""
    del ops, standard
    return OpsStack("test-standard")


def upload(stack: Stack, images: Path, name: str, picture: str = "cat.jpg") -> tuple[str, str]:
    item = decided(stack, (images / picture).read_bytes(), name)
    return item["s3_key"], item["etag"]


def printed(stack: OpsStack, address: tuple[str, str]) -> str:
    """Return what a table prints for an upload."""
    bucket = stack.outputs["UploadBucket"]
    item = Ledger(stack).get(f"{bucket}/{address[0]}#{address[1]}")
    assert item is not None
    return short_name(stack, item)


@pytest.mark.parametrize(
    "key", ["plain.jpg", "in a folder/ö +%.jpg", "it's #1.jpg", "a#b0.jpg", "#0", "a\x1bb.jpg"]
)
def test_a_short_name_is_found_with_and_without_its_etag(
    found: OpsStack, standard: Stack, images: Path, key: str
) -> None:
    address = upload(standard, images, f"{uuid.uuid4()}/{key}")
    short = printed(found, address)
    assert find(found, short) == address
    assert find(found, short.rpartition("#")[0]) == address
    assert find(found, address[0]) == address  # with the prefix
    bucket = found.outputs["UploadBucket"]
    assert find(found, f"s3://{bucket}/{address[0]}") == address
    assert find(found, f"{bucket}/{address[0]}#{address[1]}") == address


def test_a_name_that_was_shortened_for_the_terminal_is_found(
    found: OpsStack, standard: Stack, images: Path
) -> None:
    address = upload(standard, images, f"{uuid.uuid4()}/{'long-' * 20}.jpg")
    short = shortened(printed(found, address), 50)
    assert "\N{HORIZONTAL ELLIPSIS}" in short
    assert find(found, short) == address


def test_an_upload_whose_picture_is_gone_is_found_in_the_ledger(
    found: OpsStack, standard: Stack, images: Path
) -> None:
    address = upload(standard, images, f"{uuid.uuid4()}.jpg")
    short = printed(found, address)
    standard.aws.client("s3").delete_object(Bucket=found.outputs["UploadBucket"], Key=address[0])
    assert find(found, short) == find(found, address[0]) == address


def test_a_name_of_several_uploads_is_refused_with_the_choices(
    found: OpsStack, standard: Stack, images: Path
) -> None:
    name = f"{uuid.uuid4()}.jpg"
    both = [upload(standard, images, name, picture) for picture in ("cat.jpg", "bicycle.png")]
    with pytest.raises(CommandError, match="is one of 2 uploads, name it whole") as refused:
        find(found, name)
    for key, etag in both:
        assert f"{key}#{etag}" in str(refused.value)
        assert find(found, f"{name}#{etag[:8]}") == (key, etag)


def test_a_name_that_is_gone_is_told_as_tables_print_it(found: OpsStack) -> None:
    text = r"odd \u202e \\ name.jpg#9e107d9d"
    with pytest.raises(CommandError) as refused:
        find(found, text)
    assert str(refused.value).startswith(f"'{text}' is no upload of this stack: neither its bucket")


@pytest.mark.parametrize("text", ["nobody.jpg", "nobody.jpg#0", "#", "uploads/nobody", "…"])
def test_a_name_of_no_upload_is_refused(found: OpsStack, text: str) -> None:
    with pytest.raises(CommandError, match="is no upload of this stack|is one of"):
        find(found, text)
