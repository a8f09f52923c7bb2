"""What a backfill goes over: the objects of a bucket, or of an S3 Inventory, and a sample of them.

Both are read page by page, so memory does not grow with their number.
"""

import csv
import gzip
import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from cli.errors import CommandError
from cli.escaping import printable
from ops.stack.outputs import Stack

PAGE_SIZE = 1000
EVERY = "g"  # no digit of a hash reaches it
# What an inventory must list of each object; its key and bucket it always lists.
FIELDS = {"Bucket", "Key", "Size", "ETag"}


class Photo(NamedTuple):
    """An object. etag: without quotes. size: bytes."""

    key: str
    etag: str
    size: int


@dataclass(frozen=True)
class Source:
    """A bucket and a prefix; inventory: bucket and key of a manifest, "" where S3 is asked.

    share: of the objects, 0..1, by a hash of bucket and key: a larger share has all of a smaller.
    """

    bucket: str
    prefix: str
    inventory: tuple[str, str] = ("", "")
    share: float = 1

    @property
    def parts(self) -> list[str]:
        """What it goes over, to be read by people: its address, what lists it, the sample."""
        bucket, key = self.inventory
        return [
            f"s3://{self.bucket}/{printable(self.prefix)}",
            *([f"as s3://{bucket}/{printable(key)} lists it"] if bucket else []),
            *([f"{100 * self.share:g} % of them"] if self.share < 1 else []),
        ]

    @property
    def address(self) -> str:
        """The same in one line."""
        return ", ".join(self.parts)

    @property
    def below(self) -> str:
        """The text that the hash of each chosen object is less than."""
        return below(self.share)

    @property
    def keys_until(self) -> str:
        """The text that every key under the prefix is less than."""
        return self.prefix[:-1] + chr(ord(self.prefix[-1]) + 1) if self.prefix else "\uffff"

    def pages(self, stack: Stack) -> Iterator[list[Photo]]:
        """Yield what it goes over, out of the sample too, 1,000 at a time. Raises CommandError."""
        return inventoried(stack, self) if self.inventory[0] else listed(stack, self)


def source_of(
    stack: Stack, bucket: str | None, prefix: str | None, inventory: str | None
) -> Source:
    """Return what the options name. Raises CommandError where the stack may not read it."""
    own, outputs = stack.outputs["UploadBucket"], stack.outputs
    bucket = bucket or own
    if bucket not in (own, outputs.get("BackfillBucket")):
        raise CommandError(
            f"--bucket {bucket}: a backfill reads the upload bucket, and the one that the parameter"
            f" BackfillBucket names ({outputs.get('BackfillBucket', 'none')}): deploy with it"
        )
    prefix = prefix if prefix is not None else outputs["UploadPrefix"] if bucket == own else ""
    if bucket == own and not prefix.startswith(outputs["UploadPrefix"]):
        raise CommandError(
            f"--prefix {printable(prefix)}: in the upload bucket only objects under"
            f" {outputs['UploadPrefix']} may be read"
        )
    if inventory is None:
        return Source(bucket, prefix)
    place, _, key = inventory.removeprefix("s3://").partition("/")
    if place != outputs.get("InventoryBucket") or not key.endswith("manifest.json"):
        raise CommandError(
            f"--inventory {printable(inventory)}: write s3://BUCKET/.../manifest.json, with the"
            f" bucket of the parameter InventoryBucket ({outputs.get('InventoryBucket', 'none')})"
        )
    return Source(bucket, prefix, (place, key))


def below(share: float) -> str:
    """Return the text that the hashes of a share are less than, as the state machine compares."""
    return EVERY if share >= 1 else f"{int(share * 16**8):08x}"


def chosen(bucket: str, key: str, limit: str) -> bool:
    """Tell whether an object is in the share, as the state machine does."""
    if limit == EVERY:
        return True
    return hashlib.md5(f"{bucket}/{key}".encode(), usedforsecurity=False).hexdigest() < limit


def listed(stack: Stack, source: Source) -> Iterator[list[Photo]]:
    """Yield the pages of a listing."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=source.bucket, Prefix=source.prefix):
        yield [
            Photo(item["Key"], item["ETag"].strip('"'), item["Size"])
            for item in page.get("Contents", [])
        ]


def inventoried(stack: Stack, source: Source) -> Iterator[list[Photo]]:
    """Yield the rows of an inventory that are under the prefix. Raises CommandError."""
    s3, (bucket, key) = stack.client("s3"), source.inventory
    manifest = json.load(s3.get_object(Bucket=bucket, Key=key)["Body"])
    names = fields_of(manifest, source.bucket)
    for file in manifest["files"]:
        body = s3.get_object(Bucket=bucket, Key=file["key"])["Body"]
        with gzip.open(body) as unpacked, io.TextIOWrapper(unpacked, "utf-8", newline="") as text:
            yield from paged(photos_in(csv.reader(text), names, source.prefix))


def fields_of(manifest: Any, bucket: str) -> list[str]:
    """Return the names of an inventory's columns. Raises CommandError if it will not do."""
    names = [name.strip() for name in manifest["fileSchema"].split(",")]
    missing = sorted(FIELDS - set(names))
    if manifest["fileFormat"] != "CSV":
        why = f"it is {manifest['fileFormat']}, and Step Functions reads inventories in CSV alone"
    elif manifest["sourceBucket"] != bucket:
        why = f"it lists the bucket {manifest['sourceBucket']}: give it as --bucket"
    elif missing:
        why = f"it lacks {', '.join(missing)}: add the field to the inventory's configuration"
    elif "VersionId" in names:
        why = "it lists every version: configure one of the current versions"
    else:
        return names
    raise CommandError(f"the inventory will not do: {why}")


def photos_in(rows: Iterable[list[str]], names: list[str], prefix: str) -> Iterator[Photo]:
    """Yield the rows under a prefix. A key is escaped in CSV, and stays so, as the run reads it."""
    key, etag, size = (names.index(name) for name in ("Key", "ETag", "Size"))
    for row in rows:
        if row[key].startswith(prefix):
            yield Photo(row[key], row[etag], int(row[size] or 0))


def paged(photos: Iterator[Photo]) -> Iterator[list[Photo]]:
    """Yield lists of at most 1,000."""
    while page := list(islice(photos, PAGE_SIZE)):
        yield page
