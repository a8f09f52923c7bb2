"""Read an uploaded picture from S3: exactly the bytes that the event spoke of, and not too many.

Every fault is typed by what can be done about it:

ImageRejected        the object is gone, empty or too large: nothing can be done
ImageSuperseded      a newer upload took its key, and has an event of its own
FolderMarker         no upload: the empty object by which S3's console shows a folder
StorageUnavailable   trying again may help: throttles, 5xx, time-outs, broken connections
StorageRefused       only an operator can help: permissions, keys, an archive, no such bucket
"""

import time
from contextlib import closing
from typing import Any

import botocore.session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from rejection import ImageRejected, Reason

# Twice the largest photos that phones save (12 MB); 25 MiB.
MAX_BYTES = 26_214_400

# Seconds from the request to the last byte; at 50 MB/s, usual of S3, the largest takes half of one.
READ_DEADLINE_S = 8.0

CHUNK_BYTES = 65_536

# S3's words for "not now" that come with a 4xx status.
PASSING_ERRORS = frozenset(
    {
        "ExpiredToken",
        "KMS.ThrottlingException",
        "RequestTimeout",
        "RequestTimeTooSkewed",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)

# Seconds. Two tries of these, or the deadline and a last one, leave 13 of the function's 25 s.
CONNECT_TIMEOUT_S = 1.0
READ_TIMEOUT_S = 3.0


def s3_client(read_timeout: float = READ_TIMEOUT_S) -> Any:
    """Return a client of S3 that needs neither network nor environment to be made.

    botocore's own session spares boto3's resource layer, 70 of 500 ms of cold start.
    """
    session = botocore.session.get_session()
    # A function's credentials are in its environment; without any, botocore would ask the network
    # for those of an EC2 instance.
    session.get_component("credential_provider").remove("iam-role")
    return session.create_client(
        "s3",
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=read_timeout,
            retries={"total_max_attempts": 2, "mode": "standard"},
        ),
    )


# Made once per execution environment.
s3 = s3_client()


class ImageSuperseded(Exception):
    """Another upload has replaced the picture; its own event decides about it."""


class FolderMarker(Exception):
    """The object has no bytes and a key that ends in a slash: it stands for a folder."""


class StorageUnavailable(Exception):
    """S3 did not hand over the picture this time."""


class StorageRefused(Exception):
    """S3 will not hand over the picture, however often it is asked."""


def read_upload(bucket: str, key: str, etag: str) -> bytes:
    """Return the object's bytes, at most MAX_BYTES, if its etag still is the given one.

    etag: without quotes, as in EventBridge's event.
    Raises the errors of this module, each naming the object.
    """
    name = f"s3://{bucket}/{key}"
    deadline = time.monotonic() + READ_DEADLINE_S
    try:
        response = s3.get_object(Bucket=bucket, Key=key, IfMatch=etag)
        # Not the body itself: as a context it is urllib3's, which takes a part for the whole.
        with closing(response["Body"]) as body:
            length = response["ContentLength"]
            if length > MAX_BYTES:
                raise ImageRejected(
                    Reason.TOO_LARGE,
                    f"the object has {length:,} bytes; the limit is {MAX_BYTES:,} bytes (25 MiB). "
                    "Upload a smaller picture.",
                )
            data = bytearray()
            while chunk := body.read(CHUNK_BYTES):
                data += chunk
                if len(data) < length and time.monotonic() > deadline:
                    raise StorageUnavailable(
                        f"{name}: {len(data):,} of {length:,} bytes came in the "
                        f"{READ_DEADLINE_S:g} s that reading may take"
                    )
    except ClientError as error:
        raise typed(name, error) from error
    except BotoCoreError as error:  # no connection, or one that broke or timed out
        raise StorageUnavailable(f"{name}: {error}") from error
    if not data and key.endswith("/"):
        raise FolderMarker(f"{name} stands for a folder")
    return bytes(data)


def typed(name: str, error: ClientError) -> Exception:
    """Return the error of this module that a ClientError of GetObject stands for."""
    code = error.response["Error"]["Code"]
    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
    said = f"{name}: {code} ({status}): {error.response['Error']['Message']}"
    if status == 412:
        return ImageSuperseded(
            "superseded: the object has changed since this event; "
            "the newer upload has an event of its own"
        )
    if code == "NoSuchKey":
        return ImageRejected(
            Reason.NOT_FOUND, "the object was deleted before it was read. Upload it again."
        )
    if status >= 500 or status == 429 or code in PASSING_ERRORS:
        return StorageUnavailable(said)
    if code == "InvalidObjectState":
        return StorageRefused(
            f"{said}. The object is archived (GLACIER or another archive): restore it, then run"
            " `python -m ops redrive`."
        )
    if status == 403:
        return StorageRefused(
            f"{said}. The function's role may not read it (s3:GetObject, the key's kms:Decrypt); "
            "or it is gone and the role may not know (s3:ListBucket)."
        )
    return StorageRefused(said)
