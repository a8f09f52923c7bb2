"""The decision of Filter inferences."""

from typing import Any

import pytest

from tests.support.functions import load_function

app = load_function("filter")


@pytest.mark.parametrize(
    ("confidence", "decision"),
    [
        pytest.param(0.99, "accepted", id="above"),
        pytest.param(0.93, "accepted", id="exactly-the-threshold"),
        pytest.param(0.9299, "review", id="just-below"),
        pytest.param(0.0, "review", id="none"),
    ],
)
def test_the_likeliest_inference_is_accepted_from_the_threshold_on(
    confidence: float, decision: str
) -> None:
    assert app.decide([{"label": "bicycle", "confidence": confidence}], 0.93) == decision


def test_none_of_the_classes_is_reviewed_however_sure_the_model_is() -> None:
    assert app.decide([{"label": "other", "confidence": 1.0}], 0.0) == "review"


def test_labels_need_not_be_known_to_be_accepted() -> None:
    assert app.decide([{"label": "unicycle", "confidence": 0.95}], 0.93) == "accepted"


def test_the_document_keeps_everything_and_gains_the_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CONFIDENCE_THRESHOLD", "0.93")
    event: dict[str, Any] = {
        "s3_bucket": "b",
        "s3_key": "uploads/a b+c%20ü.jpg",
        "etag": "0" * 32,
        "inferences": [
            {"label": "bicycle", "confidence": 0.6},
            {"label": "motorcycle", "confidence": 0.4},
        ],
        "model": "v1",
    }
    assert app.lambda_handler(event, None) == event | {
        "label": "bicycle",
        "confidence": 0.6,
        "threshold": 0.93,
        "decision": "review",
    }


def test_an_empty_list_of_inferences_breaks_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONFIDENCE_THRESHOLD", "0.93")
    with pytest.raises(IndexError):
        app.lambda_handler({"inferences": []}, None)
