"""Uploads in the bucket, every version of them, and the labelled copies that training takes."""

from collections.abc import Iterator
from typing import Any

from cli.errors import DENIED, code_of
from model.training.suffixes import labelled_name
from ops.stack.outputs import Stack

LABELLED = "labelled/"  # the template keeps UploadPrefix out of it
GONE = {"404", "NoSuchKey", "NotFound", "412", "PreconditionFailed"}


def stands_for_folder(key: str, size: int) -> bool:
    """Tell whether an object is one that S3's console shows as a folder: it is no upload."""
    return size == 0 and key.endswith("/")


class PictureGone(Exception):
    """The object is no longer what was uploaded: deleted, or overwritten by another picture."""


class PictureElsewhere(Exception):
    """The object is in another bucket, which may not be read; the message names it."""


class Uploads:
    """The upload bucket of a stack; a backfill's pictures may be in another one."""

    def __init__(self, stack: Stack) -> None:
        self._s3 = stack.client("s3")
        self.bucket = stack.outputs["UploadBucket"]
        self._versioned: bool | None = None

    def etag(self, key: str) -> str | None:
        """Return the etag, without quotes, of what is under a key now."""
        try:
            found: str = self._s3.head_object(Bucket=self.bucket, Key=key)["ETag"]
        except self._s3.exceptions.ClientError as error:
            if code_of(error) not in GONE:
                raise
            return None
        return found.strip('"')

    def read(self, bucket: str, key: str, etag: str) -> bytes:
        """Return the bytes of a picture; raises PictureGone or PictureElsewhere."""
        try:
            body = self._s3.get_object(Bucket=bucket, Key=key, IfMatch=etag)["Body"]
            data: bytes = body.read()
        except self._s3.exceptions.ClientError as error:
            raise self._missing(error, bucket, key) from None
        return data

    def _missing(self, error: Any, bucket: str, key: str) -> Exception:
        """Return what an error of S3 says of a picture, or the error."""
        code = code_of(error)
        if code in GONE:
            return PictureGone(key)
        if code in DENIED and bucket != self.bucket:
            return PictureElsewhere(
                f"it is in the bucket {bucket}, where s3:GetObject and s3:ListBucket are needed"
            )
        return error  # type: ignore[no-any-return]

    def label(self, upload: str, bucket: str, key: str, etag: str, label: str) -> str:
        """Copy a picture under labelled/LABEL/ of the upload bucket; return the copy's key.

        Raises PictureGone or PictureElsewhere.
        """
        target = self.labelled(upload, key, label)
        try:
            self._s3.copy_object(
                Bucket=self.bucket,
                Key=target,
                CopySource={"Bucket": bucket, "Key": key},
                CopySourceIfMatch=etag,
                TaggingDirective="REPLACE",  # by none: to copy tags takes two more permissions
            )
        except self._s3.exceptions.ClientError as error:
            raise self._missing(error, bucket, key) from None
        return target

    def move_copy(self, upload: str, key: str, label: str) -> str:
        """Let the labelled copy of an upload that is gone have another label; return its key.

        Raises PictureGone if there is none.
        """
        target, copies = self.labelled(upload, key, label), list(self.copies(upload, key))
        if not copies:
            raise PictureGone(key)
        if target not in copies:
            self._s3.copy_object(
                Bucket=self.bucket,
                Key=target,
                CopySource={"Bucket": self.bucket, "Key": copies[0]},
                TaggingDirective="REPLACE",
            )
        for copy in copies:
            if copy != target:
                self.delete(copy)
        return target

    def labelled(self, upload: str, key: str, label: str) -> str:
        """Return the key of the copy of an upload that has this label."""
        return f"{LABELLED}{label}/{labelled_name(upload, key)}"

    def copies(self, upload: str, key: str) -> Iterator[str]:
        """Yield the keys of an upload's labelled copies, whatever the label."""
        name = labelled_name(upload, key)
        pages = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.bucket, Prefix=LABELLED, Delimiter="/"
        )
        for page in pages:
            for folder in page.get("CommonPrefixes", []):
                if self.has(folder["Prefix"] + name):
                    yield folder["Prefix"] + name

    def has(self, key: str, etag: str | None = None) -> bool:
        """Tell whether an object with this etag, or any, is under a key; an old version counts."""
        if self._keeps_versions():
            return bool(self._versions(key, etag))
        now = self.etag(key)
        return now is not None and etag in (None, now)

    def delete(self, key: str, etag: str | None = None) -> int:
        """Delete an object, or every version that has the etag; return how many.

        Something else that has meanwhile been uploaded under the key stays.
        """
        if not self._keeps_versions():
            now = self.etag(key)
            if now is None or etag not in (None, now):
                return 0
            try:
                self._s3.delete_object(Bucket=self.bucket, Key=key, IfMatch=now)
            except self._s3.exceptions.ClientError as error:
                if code_of(error) not in GONE:
                    raise
                return 0  # overwritten since it was looked at
            return 1
        versions = self._versions(key, etag)
        for version in versions:
            self._s3.delete_object(Bucket=self.bucket, Key=key, VersionId=version["VersionId"])
        return len(versions)

    def etags(self, key: str) -> set[str]:
        """Return the etags, without quotes, of what is under a key; old versions count."""
        if self._keeps_versions():
            return {
                version["ETag"].strip('"')
                for version in self._versions(key, None)
                if "ETag" in version
            }
        return {now} if (now := self.etag(key)) is not None else set()

    def _keeps_versions(self) -> bool:
        if self._versioned is None:
            answer = self._s3.get_bucket_versioning(Bucket=self.bucket)
            self._versioned = "Status" in answer  # Suspended keeps the versions there are
        return self._versioned

    def _versions(self, key: str, etag: str | None) -> list[dict[str, Any]]:
        """Return the versions of exactly this key with the etag, or all, and markers."""
        pages = self._s3.get_paginator("list_object_versions").paginate(
            Bucket=self.bucket, Prefix=key
        )
        return [
            version
            for page in pages
            for version in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            if version["Key"] == key
            and (etag is None or version.get("ETag", "").strip('"') == etag)
        ]
