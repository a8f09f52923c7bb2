"""What the page Try asks: to upload a photo where every upload goes, and what became of it."""

import secrets
from typing import Any

from flask import Blueprint, Response, request

from cli.errors import DENIED as DENIED_CODES
from cli.errors import aws_errors, code_of
from ops.console.app import MAX_UPLOAD, Refused, as_json, the_console
from ops.stack.ledger import name_of
from ops.stack.listing import finding

blueprint = Blueprint("trying", __name__)
FOLDER = "console/"  # below the prefix of uploads
NAME_CHARACTERS = 200  # at most 800 bytes; a key has 1,024


@blueprint.post("/api/try")
def upload() -> Response:
    """Put the request's body into the upload bucket; return the upload's name in the ledger."""
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
    return as_json({"upload": name_of(bucket, key, answer["ETag"])})


@blueprint.get("/api/outcome")
def outcome() -> Response:
    """Return the outcome of an upload, and what was found; "" while the ledger has none."""
    item = the_console().ledger.get(request.args.get("upload") or "-")
    found: dict[str, Any] = {"outcome": "", "finding": ""}
    if item is not None:
        found = {"outcome": item.outcome, "finding": finding(item)}
    return as_json(found)
