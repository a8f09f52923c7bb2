"""The bucket that the endpoint owns, and the model in it."""

import gzip
import hashlib
import io
import json
import tarfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from model.endpoint.place import EndpointError, Place, code_of

PUBLIC = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
CAPTURE_DAYS = 30  # captures hold pictures of people's things: long enough to look into a problem


def archive(members: Iterable[tuple[str, Path]]) -> bytes:
    """Return a .tar.gz of (name, file) pairs; the same files give the same bytes."""
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.PAX_FORMAT) as tar,
    ):
        for name, path in sorted(members):
            content = path.read_bytes()
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return buffer.getvalue()


def packed_model(folder: Path) -> tuple[str, bytes]:
    """Return the version of a model folder and its model.tar.gz: the graph and its card."""
    graph, card = folder / "model.onnx", folder / "card.json"
    if not graph.is_file():
        raise EndpointError(f"{folder}: it holds no model.onnx; python -m model.train writes one")
    files = [path for path in (graph, card) if path.is_file()]
    packed = archive((path.name, path) for path in files)
    version = json.loads(card.read_text())["version"] if card.is_file() else "without a card"
    return str(version), packed


def policy(place: Place) -> dict[str, Any]:
    """The bucket policy: nothing without TLS."""
    bucket = f"arn:{place.partition}:s3:::{place.bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Sid": "TlsOnly",
                "Effect": "Deny",
                "Principal": "*",
                "Action": "s3:*",
                "Resource": [bucket, f"{bucket}/*"],
                "Condition": {"Bool": {"aws:SecureTransport": "false"}},
            }
        ],
    }


def lifecycle() -> dict[str, Any]:
    """Captures expire, and so does what a broken upload or a training job leaves."""
    rules = [
        ("captures", "captures/", {"Expiration": {"Days": CAPTURE_DAYS}}),
        ("training", "training/", {"Expiration": {"Days": 30}}),
        ("broken-uploads", "", {"AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1}}),
    ]
    return {
        "Rules": [
            {"ID": name, "Status": "Enabled", "Filter": {"Prefix": prefix}} | action
            for name, prefix, action in rules
        ]
    }


def ensure_bucket(place: Place) -> None:
    """Make the bucket, or find the one made before, and set what it must be set to."""
    s3, bucket = place.client("s3"), place.bucket
    request: dict[str, Any] = {"Bucket": bucket, "ObjectOwnership": "BucketOwnerEnforced"}
    if place.region != "us-east-1":  # the one region that refuses its own name here
        request["CreateBucketConfiguration"] = {"LocationConstraint": place.region}
    owned = {"Bucket": bucket, "ExpectedBucketOwner": place.account}
    if is_ours(place):
        print(f"bucket {bucket}: is there")
    else:
        s3.create_bucket(**request)
        s3.put_bucket_tagging(**owned, Tagging={"TagSet": place.tag_list()})
        print(f"bucket {bucket}: created")
    blocked = dict.fromkeys(PUBLIC, True)
    s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=blocked)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    s3.put_bucket_encryption(**owned, ServerSideEncryptionConfiguration={"Rules": [rule]})
    s3.put_bucket_policy(**owned, Policy=json.dumps(policy(place)))
    s3.put_bucket_lifecycle_configuration(**owned, LifecycleConfiguration=lifecycle())


def is_ours(place: Place) -> bool:
    """Whether the bucket exists and this account and these commands made it.

    Raises EndpointError where it exists and is somebody else's.
    """
    try:
        found = place.client("s3").get_bucket_tagging(
            Bucket=place.bucket, ExpectedBucketOwner=place.account
        )["TagSet"]
    except ClientError as error:
        if code_of(error) == "NoSuchBucket":
            return False
        if code_of(error) not in ("NoSuchTagSet", "AccessDenied"):
            raise
        found = []
    if not all(tag in found for tag in place.tag_list()):
        raise EndpointError(
            f"the bucket {place.bucket} exists and lacks the tags {place.tags}: it is not this"
            " endpoint's own. Delete it, tag it so, or choose another endpoint name"
        )
    return True


def upload(place: Place, folder: str, name: str, content: bytes) -> str:
    """Put the content under a key that its digest names; return its s3:// address."""
    key = f"{folder}/{hashlib.sha256(content).hexdigest()[:16]}/{name}"
    place.client("s3").put_object(
        Bucket=place.bucket, Key=key, Body=content, ExpectedBucketOwner=place.account
    )
    return f"s3://{place.bucket}/{key}"


def delete_bucket(place: Place, keep_captures: bool) -> None:
    """Delete the bucket with all in it, or all but captures/."""
    if not is_ours(place):
        return
    s3, owned = place.client("s3"), {"ExpectedBucketOwner": place.account}
    kept = deleted = 0
    # Versions, because somebody may have turned versioning on.
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=place.bucket, **owned):
        entries = page.get("Versions", []) + page.get("DeleteMarkers", [])
        doomed = [
            {"Key": entry["Key"], "VersionId": entry["VersionId"]}
            for entry in entries
            if not (keep_captures and entry["Key"].startswith("captures/"))
        ]
        kept += len(entries) - len(doomed)
        if doomed:
            answer = s3.delete_objects(
                Bucket=place.bucket, Delete={"Objects": doomed, "Quiet": True}, **owned
            )
            if answer.get("Errors"):
                first = answer["Errors"][0]
                raise EndpointError(f"s3://{place.bucket}/{first['Key']}: {first['Message']}")
            deleted += len(doomed)
    if keep_captures:
        print(f"bucket {place.bucket}: {deleted} objects deleted, {kept} captures kept")
        return
    s3.delete_bucket(Bucket=place.bucket, **owned)
    print(f"bucket {place.bucket}: deleted with {deleted} objects")
