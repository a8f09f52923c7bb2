"""The decision of Filter inferences."""

from typing import Any

import pytest

from tests.support.functions import load_function

app = load_function("filter")


def configure(
    monkeypatch: pytest.MonkeyPatch, *, none_threshold: str = "0.9", audit_share: str = "0"
) -> None:
    monkeypatch.setenv("CONFIDENCE_THRESHOLD", "0.93")
    monkeypatch.setenv("NONE_THRESHOLD", none_threshold)
    monkeypatch.setenv("AUDIT_SHARE", audit_share)


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
    assert app.decide([{"label": "bicycle", "confidence": confidence}], 0.93, 0.9) == decision


@pytest.mark.parametrize(
    ("confidence", "none_threshold", "decision"),
    [
        pytest.param(0.97, 0.97, "none", id="exactly-the-threshold"),
        pytest.param(0.9699, 0.97, "review", id="just-below"),
        pytest.param(1.0, 0.0, "review", id="turned-off"),
    ],
)
def test_none_of_the_classes_has_a_threshold_of_its_own(
    confidence: float, none_threshold: float, decision: str
) -> None:
    inferences = [{"label": "other", "confidence": confidence}]
    assert app.decide(inferences, 0.0, none_threshold) == decision


def test_labels_need_not_be_known_to_be_accepted() -> None:
    assert app.decide([{"label": "unicycle", "confidence": 0.95}], 0.93, 0.9) == "accepted"


def test_the_document_keeps_everything_and_gains_the_decision(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    configure(monkeypatch, audit_share="2.5")
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
        "none_threshold": 0.9,
        "decision": "review",
        "audit": "not_due",
        "audit_share": 2.5,
    }


def decided(label: str, number: int) -> dict[str, Any]:
    inferences = [{"label": label, "confidence": 0.99}]
    event = {"s3_bucket": "b", "s3_key": f"uploads/{number}.jpg", "etag": "0" * 32}
    return dict(app.lambda_handler(event | {"inferences": inferences, "model": "v1"}, None))


@pytest.mark.parametrize("label", ["bicycle", "other"])
def test_a_share_of_the_decisions_is_audited_and_a_larger_one_keeps_those(
    monkeypatch: pytest.MonkeyPatch, label: str
) -> None:
    audited = {}
    for share in ("0", "10", "30", "100"):
        configure(monkeypatch, audit_share=share)
        due = [number for number in range(2000) if decided(label, number)["audit"] == "due"]
        audited[share] = set(due)
    assert audited["0"] == set()
    assert audited["10"] < audited["30"] < audited["100"] == set(range(2000))
    # Five standard deviations of a binomial of 2,000 are 67 and 102.
    assert abs(len(audited["10"]) - 200) < 67
    assert abs(len(audited["30"]) - 600) < 102


def test_what_a_person_looks_at_anyway_is_not_audited(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch, audit_share="100", none_threshold="0")
    assert decided("other", 1)["audit"] == "not_due"


def test_an_empty_list_of_inferences_breaks_the_contract(monkeypatch: pytest.MonkeyPatch) -> None:
    configure(monkeypatch)
    with pytest.raises(IndexError):
        app.lambda_handler({"inferences": []}, None)
