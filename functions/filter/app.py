"""Filter inferences: may software act on the likeliest one, or should a person look?"""

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

# The one label that the endpoint's contract reserves: "none of the classes".
NONE_OF_THE_CLASSES = "other"

Inference = Mapping[str, Any]


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Add the decision to the document that Classify image gives.

    event: s3_bucket, s3_key, etag, model and inferences, highest confidence first.
    Returns the same with label and confidence of the likeliest inference, the threshold and
    the decision.
    """
    threshold = float(os.environ["CONFIDENCE_THRESHOLD"])
    likeliest = event["inferences"][0]
    return event | {
        "label": likeliest["label"],
        "confidence": likeliest["confidence"],
        "threshold": threshold,
        "decision": decide(event["inferences"], threshold),
    }


def decide(inferences: Sequence[Inference], threshold: float) -> Literal["accepted", "review"]:
    """Accept the likeliest inference if it names a class and is likely enough to act on.

    inferences: each {"label", "confidence"}, highest confidence first, at least one.
    threshold: the least confidence, a probability of 0..1, to act on; meeting it is enough.
    """
    likeliest = inferences[0]
    if likeliest["label"] == NONE_OF_THE_CLASSES or likeliest["confidence"] < threshold:
        return "review"
    return "accepted"
