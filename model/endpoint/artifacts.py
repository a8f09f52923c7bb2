"""The model in the endpoint's bucket: packed, uploaded, its card read back."""

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

from cli.terminal import own_command
from model.endpoint.place import EndpointError, Place
from model.training.rounding import none_threshold, rounded_up

GRAPH, CARD = "model.onnx", "card.json"


def packed(folder: Path) -> bytes:
    """Return the model.tar.gz of a model folder, graph and card; the same files, the same bytes."""
    if not (folder / GRAPH).is_file():
        raise EndpointError(
            f"{folder}: it holds no {GRAPH}; {own_command('model.train')} writes one"
        )
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for path in (folder / CARD, folder / GRAPH):
            if path.is_file():
                entry = tarfile.TarInfo(path.name)
                entry.size, entry.mode = path.stat().st_size, 0o644
                tar.addfile(entry, io.BytesIO(path.read_bytes()))
    return buffer.getvalue()


def card_of(folder: Path) -> dict[str, Any]:
    """Return the card of a model folder, {} without one."""
    path = folder / CARD
    return dict(json.loads(path.read_text())) if path.is_file() else {}


def version_of(card: dict[str, Any]) -> str:
    """Return the version that a card tells."""
    return str(card.get("version", "without a card"))


def thresholds_of(card: dict[str, Any]) -> dict[str, str]:
    """Return the workflow's parameters that a card gives, in three digits; none without a card.

    They are rounded up: what the card promises of a threshold holds for a higher one too. Without a
    threshold for none of the classes, that of another model must not stay: 0 turns it off.
    """
    if not card.get("threshold"):
        return {}
    none = none_threshold(card)
    return {
        "ConfidenceThreshold": rounded_up(card["threshold"]["value"]),
        "NoneThreshold": rounded_up(none) if none else "0",
    }


def key_part(version: str) -> str:
    """Return a version as a part of a key: letters, digits, dots and hyphens."""
    return "".join(char if char.isalnum() or char in ".-" else "-" for char in version)


def upload(place: Place, version: str, model: bytes) -> str:
    """Put a model.tar.gz under a key of its version and its digest; return its s3:// address."""
    key = f"models/{key_part(version)}-{hashlib.sha256(model).hexdigest()[:16]}/model.tar.gz"
    place.client("s3").put_object(
        Bucket=place.bucket, Key=key, Body=model, ExpectedBucketOwner=place.account
    )
    return f"s3://{place.bucket}/{key}"


def uploaded(place: Place, address: str) -> dict[str, bytes]:
    """Return graph and card of the model.tar.gz at an s3:// address by name; it may lack one."""
    bucket, _, key = address.removeprefix("s3://").partition("/")
    body = place.client("s3").get_object(Bucket=bucket, Key=key, ExpectedBucketOwner=place.account)[
        "Body"
    ]
    found = {}
    with tarfile.open(fileobj=io.BytesIO(body.read())) as tar:
        for member in tar.getmembers():
            name = member.name.removeprefix("./")
            if name in (GRAPH, CARD) and (file := tar.extractfile(member)):
                found[name] = file.read()
    return found


def uploaded_card(place: Place, address: str) -> dict[str, Any]:
    """Return the card in the model.tar.gz at an s3:// address, {} without one."""
    card = uploaded(place, address).get(CARD)
    return dict(json.loads(card)) if card else {}


def card_key(version: str) -> str:
    """Return the key of a model's card in the endpoint's bucket, where ops monitor looks for it."""
    return f"models/cards/{key_part(version)}.json"


def keep_card(place: Place, card: dict[str, Any]) -> None:
    """Put the card of a served model beside the models, for what compares with it."""
    place.client("s3").put_object(
        Bucket=place.bucket,
        Key=card_key(version_of(card)),
        Body=json.dumps(card).encode(),
        ExpectedBucketOwner=place.account,
    )


def delete_bucket(place: Place, keep_captures: bool) -> str:
    """Delete the bucket with all in it, or all but captures/; return what was done, in words."""
    from botocore.exceptions import ClientError

    from cli.errors import code_of

    s3, owned = place.client("s3"), {"ExpectedBucketOwner": place.account}
    kept = deleted = 0
    try:
        # Versions, because somebody may have turned versioning on.
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=place.bucket, **owned):
            entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
            unwanted = [
                {"Key": entry["Key"], "VersionId": entry["VersionId"]}
                for entry in entries
                if not (keep_captures and entry["Key"].startswith("captures/"))
            ]
            kept += len(entries) - len(unwanted)
            deleted += len(unwanted)
            if unwanted:
                request = {"Objects": unwanted, "Quiet": True}
                answer = s3.delete_objects(Bucket=place.bucket, Delete=request, **owned)
                for error in answer.get("Errors", []):
                    raise EndpointError(f"s3://{place.bucket}/{error['Key']}: {error['Message']}")
        if keep_captures:
            return f"bucket {place.bucket}: {deleted} objects deleted, {kept} captures kept"
        s3.delete_bucket(Bucket=place.bucket, **owned)
    except ClientError as error:
        if code_of(error) != "NoSuchBucket":
            raise
        return f"bucket {place.bucket}: does not exist"
    return f"bucket {place.bucket}: deleted with {deleted} objects"
