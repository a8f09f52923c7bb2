"""How a threshold is read of a card, and written; the standard library is enough for it."""

import math
from collections.abc import Mapping
from typing import Any


def none_threshold(card: Mapping[str, Any]) -> float | None:
    """Return a card's least confidence in none of the classes; None without: older cards lack it.

    Raises ValueError, TypeError or AttributeError for a card of another form.
    """
    value = (card.get("none") or {}).get("value")
    return None if value is None else float(value)


def rounded_up(threshold: float) -> str:
    """Return a threshold in three digits, rounded up, so that its promise still holds."""
    return f"{math.ceil(round(threshold * 1000, 6)) / 1000:.3f}"
