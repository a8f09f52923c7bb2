"""What an answer of the endpoint must be, where the workflow and monitoring each read it."""

import json
from collections import Counter
from typing import Any

import pytest

from ops.monitoring.captures import BadLineError, Captures
from tests.support.functions import load_function

classify = load_function("classify")
OTHER = {"label": "other", "confidence": 0.2}


def answer(label: Any = "bicycle", confidence: Any = 0.8, **rest: Any) -> bytes:
    document = {"inferences": [OTHER, {"label": label, "confidence": confidence}], "model": "v1"}
    return json.dumps(document | rest).encode()


def of_classify(given: bytes) -> tuple[str, float, str] | None:
    try:
        found = classify.inferences_of(given)
    except (classify.EndpointRefused, classify.EndpointUnavailable):
        return None
    likeliest = found["inferences"][0]
    return likeliest["label"], likeliest["confidence"], found["model"]


def of_monitor(given: bytes) -> tuple[str, float, str] | None:
    try:
        return Captures([], 0.9, 128, Counter()).inference(given)
    except BadLineError:
        return None


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        pytest.param(answer(), ("bicycle", 0.8, "v1"), id="agreed"),
        pytest.param(answer(confidence=1), ("bicycle", 1.0, "v1"), id="a-whole-number"),
        pytest.param(answer("\U0001f6b2"), ("\U0001f6b2", 0.8, "v1"), id="a-label-of-one-picture"),
        pytest.param(b"\xef\xbb\xbf" + answer(), ("bicycle", 0.8, "v1"), id="byte-order-mark"),
        pytest.param(answer(None), None, id="label-null"),
        pytest.param(answer({"a": 1}), None, id="label-an-object"),
        pytest.param(answer(" "), None, id="label-of-spaces"),
        pytest.param(answer("\ud83d"), None, id="label-half-a-character"),
        pytest.param(answer(model=None), None, id="model-null"),
        pytest.param(answer(model=""), None, id="model-empty"),
        pytest.param(answer(confidence="0.8"), None, id="confidence-as-text"),
        pytest.param(answer(confidence=True), None, id="confidence-a-boolean"),
        pytest.param(answer(confidence=float("nan")), None, id="confidence-not-a-number"),
        pytest.param(answer(confidence=-0.1), None, id="confidence-below-zero"),
        pytest.param(answer(confidence=10**400), None, id="confidence-beyond-every-float"),
        pytest.param(answer(inferences=[]), None, id="no-inferences"),
        pytest.param(answer()[:40], None, id="cut-short"),
        pytest.param(b'{"inferences": [{"label": "a", "confidence": 1}]}', None, id="no-model"),
        pytest.param(b"0.8,0.2", None, id="CSV"),
        pytest.param(b"[[0.8, 0.2]]", None, id="numbers-in-a-list"),
        pytest.param(b"null", None, id="null"),
        pytest.param(b"[" * 50_000, None, id="nested-without-end"),
    ],
)
def test_monitor_counts_what_classify_image_takes(
    given: bytes, taken: tuple[str, float, str] | None
) -> None:
    assert (of_classify(given), of_monitor(given)) == (taken, taken)
