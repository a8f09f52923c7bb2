"""Serialize image: an uploaded picture becomes a small upright document."""

import base64
from typing import Any

from contained import contained_picture
from upload import read_upload


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Turn the address of an uploaded picture into the document that Classify image reads.

    event: s3_bucket, s3_key and etag (without quotes).
    Returns the same with content_type and image_data (base64), as JSON at most 64 KiB.
    Raises ImageRejected, ImageSuperseded, FolderMarker, StorageUnavailable or StorageRefused.
    """
    address = {name: event[name] for name in ("s3_bucket", "s3_key", "etag")}
    picture = contained_picture(read_upload(*address.values()))
    return address | {
        "content_type": picture.content_type,
        "image_data": base64.b64encode(picture.data).decode("ascii"),
    }
