"""The rule of acceptance, where the workflow, monitoring and training each apply it."""

from collections.abc import Callable

import numpy as np
import pytest

from model.training import figures
from ops.monitoring import observations
from ops.quality import samples
from tests.support.functions import load_function

LABELS = ("bicycle", "motorcycle", "other")
decide = load_function("filter").decide


def of_filter(label: str, confidence: float, threshold: float, none_threshold: float) -> str:
    return str(decide([{"label": label, "confidence": confidence}], threshold, none_threshold))


def of_training(label: str, confidence: float, threshold: float, none_threshold: float) -> str:
    rest = (1 - confidence) / (len(LABELS) - 1)
    row = [confidence if name == label else rest for name in LABELS]
    probabilities = np.array([row])
    [taken] = figures.accepted(probabilities, LABELS, threshold)
    [none] = figures.called_none(probabilities, LABELS, none_threshold or None)
    return "accepted" if taken else "none" if none else "review"


@pytest.mark.parametrize(
    "rule",
    [
        pytest.param(of_filter, id="functions/filter"),
        pytest.param(observations.decide, id="ops/monitoring"),
        pytest.param(of_training, id="model/training"),
    ],
)
@pytest.mark.parametrize(
    ("label", "confidence", "threshold", "none_threshold", "decision"),
    [
        pytest.param("bicycle", 0.99, 0.984, 0.9, "accepted", id="above"),
        pytest.param("bicycle", 0.984, 0.984, 0.9, "accepted", id="exactly-the-threshold"),
        pytest.param("motorcycle", 0.983999, 0.984, 0.9, "review", id="just-below"),
        pytest.param("motorcycle", 1.0, 1.0, 0.9, "accepted", id="certain"),
        pytest.param("bicycle", 0.5, 0.0, 0.9, "accepted", id="no-threshold"),
        pytest.param("other", 0.91, 0.984, 0.9, "none", id="surely-none-of-the-classes"),
        pytest.param("other", 0.9, 0.984, 0.9, "none", id="exactly-the-threshold-of-none"),
        pytest.param("other", 0.89, 0.0, 0.9, "review", id="perhaps-none-of-the-classes"),
        pytest.param("other", 1.0, 0.984, 0.0, "review", id="none-is-turned-off"),
        pytest.param("other", 1.0, 0.0, 0.0, "review", id="none-is-turned-off-and-no-threshold"),
    ],
)
def test_every_copy_of_the_rule_decides_alike(
    rule: Callable[[str, float, float, float], str],
    label: str,
    confidence: float,
    threshold: float,
    none_threshold: float,
    decision: str,
) -> None:
    assert rule(label, confidence, threshold, none_threshold) == decision


@pytest.mark.parametrize("upload", ["bucket/uploads/a.jpg#0", "b/uploads/ü b+c%20.heic#ff-3", ""])
def test_both_copies_of_an_upload_s_position_agree(upload: str) -> None:
    position = load_function("filter").audit_position(upload)
    assert 0 <= position < 1
    assert samples.audit_position(upload) == position
