"""Patch: moto's S3 events differ from those of S3.

Stock moto: every event has the same id, sequencer and requester, and "eTag" for "etag"; a multipart
upload has two events, and so has an upload without tags: one for its tags.
"""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from moto.events.models import events_backends
from moto.s3 import notifications
from moto.s3.models import S3Backend
from moto.s3.responses import S3Response


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let S3 events look as AWS sends them, until the context ends."""
    sequence = iter(range(1, 2**63))
    within = threading.local()  # the request that a thread is answering

    def send_event_bridge_message(account: str, bucket: Any, event: Any, key: Any) -> None:
        kind = notifications._detail_type(event)
        event_name = str(getattr(event, "value", event))
        if getattr(within, "multipart", False) and event_name.endswith(("Put", "Post")):
            return  # the parts become one object, and one event
        if not getattr(within, "tagging", False) and "ObjectTagging" in event_name:
            return  # tags that come with an object are no event of their own
        message: Any = {
            "version": "0",
            "id": str(uuid.uuid4()),
            "detail-type": kind,
            "source": "aws.s3",
            "account": account,
            "time": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "region": bucket.region_name,
            "resources": [bucket.arn],
            "detail": {
                "version": "0",
                "bucket": {"name": bucket.name},
                "object": {
                    "key": key.name,
                    "size": key.size,
                    "etag": key.etag.replace('"', ""),
                    "sequencer": f"{next(sequence):018X}",
                },
                "request-id": uuid.uuid4().hex[:16].upper(),
                "requester": account,
                "source-ip-address": "127.0.0.1",
                "reason": _reason(event_name),
            },
        }
        for rule in list(
            events_backends[account][bucket.region_name].event_buses["default"].rules.values()
        ):
            rule.send_to_targets(message, transform_input=False)

    def marked(name: str, method: Any) -> Any:
        def call(self: Any, *args: Any, **kwargs: Any) -> Any:
            setattr(within, name, True)
            try:
                return method(self, *args, **kwargs)
            finally:
                setattr(within, name, False)

        return call

    multipart = marked("multipart", S3Backend.complete_multipart_upload)
    tagging = marked("tagging", S3Response.put_object_tagging)
    with (
        patch.object(notifications, "_send_event_bridge_message", send_event_bridge_message),
        patch.object(S3Backend, "complete_multipart_upload", multipart),
        patch.object(S3Response, "put_object_tagging", tagging),
    ):
        yield


def _reason(event_name: str) -> str:
    action = event_name.rsplit(":", 1)[-1]
    return {
        "Put": "PutObject",
        "Post": "POST Object",
        "Copy": "CopyObject",
        "CompleteMultipartUpload": "CompleteMultipartUpload",
    }.get(action, action)
