"""What the review page asks: queues, pictures, labels, and labels that are taken back."""

import json
from functools import lru_cache
from typing import Any

from flask import Blueprint, Response, request

from cli.escaping import printable
from ops.console.app import Refused, as_json, the_console
from ops.reviewing.image import UNKNOWN, shown, thumbnail
from ops.reviewing.reviews import LABELLED, is_blind, shown_to_reviewers
from ops.stack.ledger import Changed, Decision
from ops.stack.uploads import PictureElsewhere, PictureGone, Uploads

blueprint = Blueprint("review", __name__)
QUEUE = 50  # items that the page takes at once, and as many more as it has skipped
MAX_BEYOND = 2_000
THUMBNAILS = 512  # kept in memory: 10 MB


@blueprint.get("/api/queue")
def queue() -> Response:
    """Return a part of a queue, and how long each queue is."""
    console = the_console()
    reviews = console.reviews
    beyond, name = request.args.get("beyond", "0"), request.args.get("name", "doubtful")
    if not (beyond.isascii() and beyond.isdecimal() and len(beyond) <= 5) or (
        int(beyond) > MAX_BEYOND
    ):
        raise Refused(400, f"beyond: a whole number from 0 to {MAX_BEYOND:,}")
    items = reviews.queue(name, QUEUE + int(beyond), console.order)
    counts = reviews.counts()
    return as_json(
        {
            "classes": reviews.classes(),
            "reviewer": reviews.reviewer,
            "counts": counts,
            "waiting": counts.get(name, len(items)),
            "items": [shown_to_reviewers(item) for item in items],
        }
    )


@blueprint.get("/api/counts")
def counts() -> Response:
    """Return how long each queue is that waits: what the open page asks now and then."""
    return as_json(the_console().reviews.counts())


@blueprint.get("/api/picture")
def picture() -> Response:
    """Return what was uploaded, in a form that browsers show; `small`: as a thumbnail."""
    console = the_console()
    item = _item(request.args.get("upload"))
    if not item.guesses():  # of any size, and maybe no picture
        raise Refused(404, f"it was not classified: its outcome is {item.outcome}")
    try:
        if "small" in request.args:
            kind, data = _small(console.uploads, item.s3_bucket, item.s3_key, item.etag)
        else:
            kind, data = shown(console.uploads.read(item.s3_bucket, item.s3_key, item.etag))
    except PictureElsewhere as elsewhere:
        raise Refused(403, str(elsewhere)) from None
    except PictureGone:
        forget = console.stack.command("forget", printable(item.upload))
        raise Refused(
            404,
            "the picture was deleted or overwritten: skip it, or take it out of the list"
            f" with {forget}",
        ) from None
    if kind == UNKNOWN and "small" in request.args:
        raise Refused(404, "it cannot be shown small")
    return Response(data, content_type=kind)


@lru_cache(THUMBNAILS)
def _small(uploads: Uploads, bucket: str, key: str, etag: str) -> tuple[str, bytes]:
    return thumbnail(uploads.read(bucket, key, etag))


@blueprint.post("/api/<any(label, audit, relabel, undo):way>")
def change(way: str) -> Response:
    """Record a label, or take one back."""
    console = the_console()
    reviews, asked = console.reviews, body()
    read = _item(asked.get("upload"))
    revision = asked.get("revision")
    ways = {"label": reviews.label, "audit": reviews.audit, "relabel": reviews.relabel}
    give = ways.get(way)
    label, comment = str(asked.get("label")), str(asked.get("comment", ""))
    again = reviews.is_done(read, revision, label if give else None)
    if not again and read.revision != revision:
        raise _conflict(read)
    try:
        if again:
            done = reviews.settle(read)
        else:
            done = give(read, label, comment) if give else reviews.undo(read, comment)
    except Changed as changed:
        raise _conflict(changed.now) from None
    if give:
        console.labelled.add(read.upload)
    else:
        console.labelled.discard(read.upload)
    return as_json(
        {"item": shown_to_reviewers(done.decision), "copy": done.copy, "note": done.note}
    )


def _item(upload: object) -> Decision:
    item = the_console().ledger.get(upload) if upload and isinstance(upload, str) else None
    if item is None:
        raise Refused(404, "the ledger has no such upload: skip it")
    return item


def body() -> dict[str, Any]:
    """Return the JSON object that a script has sent."""
    try:
        found = json.loads(request.get_data())
    except (ValueError, RecursionError):  # no JSON, or lists within lists without end
        found = None
    if not isinstance(found, dict):
        raise Refused(400, "the request is no JSON object")
    return found


def _conflict(now: Decision | None) -> Refused:
    if now is None:
        return Refused(409, "it has been deleted")
    if now.outcome in LABELLED:
        return Refused(409, f"already {now.outcome} by {now.reviewer}: {now.label}")
    if is_blind(now):
        return Refused(409, f"it has changed meanwhile: its audit is due, revision {now.revision}")
    return Refused(409, f"it has changed meanwhile: {now.outcome}, revision {now.revision}")
