"""What the page Try asks: to upload a photo where every upload goes, and what becomes of it."""

import secrets
from dataclasses import asdict
from typing import Any

from flask import Blueprint, Response, request

from cli.errors import DENIED as DENIED_CODES
from cli.errors import aws_errors, code_of, explained
from ops.console.app import MAX_UPLOAD, Console, Refused, as_json, the_console
from ops.drawing.execution import visits_of
from ops.drawing.layout import spine_of
from ops.stack.executions import NO_HISTORY
from ops.stack.ledger import name_of, sentence
from ops.stack.listing import finding
from ops.stack.outputs import DENIED

blueprint = Blueprint("trying", __name__)
FOLDER = "console/"  # below the prefix of uploads
NAME_CHARACTERS = 200  # at most 800 bytes; a key has 1,024


@blueprint.post("/api/try")
def upload() -> Response:
    """Put the request's body into the upload bucket.

    Return the upload's name in the ledger, and the states that it will pass if all goes well,
    none where they are not known.
    """
    console = the_console()
    request.max_content_length = MAX_UPLOAD
    data = request.get_data(cache=False)
    if not data:
        raise Refused(400, "it is empty: give a photo of at least one byte")
    name = request.args.get("name", "").rpartition("/")[2][-NAME_CHARACTERS:] or "photo"
    prefix = console.stack.outputs["UploadPrefix"]
    key = f"{prefix}{FOLDER}{secrets.token_hex(4)}/{name}"
    bucket = console.uploads.bucket
    try:
        answer = console.stack.client("s3").put_object(Bucket=bucket, Key=key, Body=data)
    except aws_errors() as error:
        if code_of(error) not in DENIED_CODES:
            raise
        raise Refused(
            403,
            f"PutObject is not allowed: to try photos takes s3:PutObject for s3://{bucket}/{prefix},"
            " as those have who upload",
        ) from error
    return as_json({"upload": name_of(bucket, key, answer["ETag"]), "way": _way(console)})


@blueprint.get("/api/outcome")
def outcome() -> Response:
    """Return the outcome of an upload, and what was found; "" while the ledger has none.

    detail: why it was rejected or failed, in words. states: that its execution has entered so far.
    note: why they are not known.
    """
    console = the_console()
    upload = request.args.get("upload") or "-"
    item = console.ledger.get(upload)
    found: dict[str, Any] = dict.fromkeys(("outcome", "finding", "detail", "note"), "")
    found["states"] = []
    if item is not None:
        found |= {"outcome": item.outcome, "finding": finding(item)}
        found["detail"] = sentence(item.detail)
    if _is_express(console):
        found["note"] = f"{NO_HISTORY}: only the decision is shown."
        return as_json(found)
    try:
        execution = item.execution if item else console.executions.of(upload)
        if execution:
            visits = visits_of(console.stack.history(execution))
            found["states"] = [{"name": name, **asdict(visit)} for name, visit in visits.items()]
    except aws_errors() as error:  # the outcome is known without
        found["note"] = f"Its states are not known: {explained(error, DENIED)}"
    return as_json(found)


def _way(console: Console) -> list[str]:
    if _is_express(console):
        return []
    try:
        return spine_of(console.stack.definition())
    except aws_errors():  # the photo is uploaded; /api/outcome says why no states are known
        return []


def _is_express(console: Console) -> bool:
    return console.stack.outputs["WorkflowType"] == "EXPRESS"
