"""Made-up uploads for tests of quality."""

from datetime import UTC, datetime, timedelta
from typing import Any

from ops.quality.samples import Sample, Window

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)  # a Tuesday of week 48


def sample(number: int = 0, **other: Any) -> Sample:
    """Return an accepted bicycle whose audit agreed."""
    given: dict[str, Any] = {
        "upload": f"bucket/{number}.jpg#0",
        "position": 0.02 * (number * 0.618034 % 1),  # spread evenly, whatever the order
        "decision": "accepted",
        "guess": "bicycle",
        "confidence": 0.99,
        "label": "bicycle",
        "model": "one",
        "threshold": 0.984,
        "none_threshold": 0.99,
        "share": 0.02,
        "time": NOON + timedelta(seconds=number),
    }
    return Sample(**(given | other))


def window_of(*samples: Sample) -> Window:
    window = Window()
    for one in samples:
        window.add(one)
    return window


def audited(right: int, wrong: int, **other: Any) -> list[Sample]:
    """Return so many audits, and so many whose label differs."""
    labels = ["bicycle"] * right + ["motorcycle"] * wrong
    return [sample(number, label=label, **other) for number, label in enumerate(labels)]
