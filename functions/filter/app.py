"""Filter inferences: may software act on the likeliest one, or should a person look?"""

import os
from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any, Literal

# The one label that the endpoint's contract reserves: "none of the classes".
NONE_OF_THE_CLASSES = "other"

Inference = Mapping[str, Any]


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add the decision to the document that Classify image gives.

    event: s3_bucket, s3_key, etag, model and inferences, highest confidence first.
    Returns the same with label and confidence of the likeliest inference, the decision with both
    thresholds, and whether a person is to audit it with the share of decisions that are audited.
    """
    threshold = float(os.environ["CONFIDENCE_THRESHOLD"])
    none_threshold = float(os.environ["NONE_THRESHOLD"])
    audit_share = float(os.environ["AUDIT_SHARE"])
    likeliest = event["inferences"][0]
    decision = decide(event["inferences"], threshold, none_threshold)
    upload = f"{event['s3_bucket']}/{event['s3_key']}#{event['etag']}"
    audited = decision != "review" and audit_position(upload) < audit_share / 100
    return event | {
        "label": likeliest["label"],
        "confidence": likeliest["confidence"],
        "threshold": threshold,
        "none_threshold": none_threshold,
        "decision": decision,
        "audit": "due" if audited else "not_due",
        "audit_share": audit_share,
    }


def decide(
    inferences: Sequence[Inference], threshold: float, none_threshold: float
) -> Literal["accepted", "none", "review"]:
    """Return what to do about a picture, by its likeliest inference.

    accepted: it names a class and is likely enough to act on. none: the picture certainly shows
    none of the classes. review: a person should look.

    inferences: each {"label", "confidence"}, highest confidence first, at least one.
    threshold, none_threshold: the least confidence, a probability of 0..1, to act on a class and on
    "none of the classes"; meeting it is enough. A none_threshold of 0 leaves the latter to people.
    """
    likeliest = inferences[0]
    if likeliest["label"] == NONE_OF_THE_CLASSES:
        return "none" if 0 < none_threshold <= likeliest["confidence"] else "review"
    return "accepted" if likeliest["confidence"] >= threshold else "review"


def audit_position(upload: str) -> float:
    """Return where an upload lies from 0 to 1, evenly and at random over uploads.

    It is audited if that is below the share of decisions to audit. It depends on the upload's name
    in the ledger alone: a duplicate and a redrive agree, and a larger share only adds uploads.
    """
    return int.from_bytes(sha256(upload.encode()).digest()[:8]) / 2**64
