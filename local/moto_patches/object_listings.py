"""Patch: moto fails a listing with status 500 if an object is deleted meanwhile; S3 lists on.

moto goes over a copy of the keys, but looks for each object in what has changed since.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.s3.utils import _VersionedKeyStore


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """List what was there when the listing began, until the context ends."""

    def items(self: _VersionedKeyStore) -> Iterator[tuple[str, Any]]:
        for key, versions in dict.items(self._self_iterable()):
            if versions:
                yield key, versions[-1]

    def values(self: _VersionedKeyStore) -> Iterator[Any]:
        for _, newest in items(self):
            yield newest

    with (
        patch.object(_VersionedKeyStore, "items", items),
        patch.object(_VersionedKeyStore, "values", values),
    ):
        yield
