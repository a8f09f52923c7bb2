"""Patch: moto's CopyObject ignores x-amz-copy-source-if-match; AWS refuses what has changed."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import unquote, urlparse

from moto.s3.exceptions import PreconditionFailed
from moto.s3.responses import S3Response


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Copy an object only while it is the one that was meant, until the context ends."""
    copy = S3Response.copy_object

    def copy_object(self: S3Response) -> Any:
        meant = self.headers.get("x-amz-copy-source-if-match")
        if meant is not None:
            source = unquote(urlparse(str(self.headers["x-amz-copy-source"])).path)
            bucket, key = source.lstrip("/").split("/", 1)
            found = self.backend.get_object(bucket, key)
            if found is not None and found.etag.strip('"') != meant.strip('"'):
                raise PreconditionFailed("x-amz-copy-source-If-Match")
        return copy(self)

    with patch.object(S3Response, "copy_object", copy_object):
        yield
