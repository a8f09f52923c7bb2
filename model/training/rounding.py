"""How a threshold is written; importing this needs nothing but the standard library."""

import math


def rounded_up(threshold: float) -> str:
    """Return a threshold in three digits, rounded up, so that its promise still holds."""
    return f"{math.ceil(round(threshold * 1000, 6)) / 1000:.3f}"
