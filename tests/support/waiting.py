"""Waiting for what happens soon."""

import time
from collections.abc import Callable
from typing import Any

PATIENCE_S = 20


def until(condition: Callable[[], Any], patience_s: float = PATIENCE_S) -> Any:
    """Return what the condition gives as soon as that is true, or its last answer."""
    deadline = time.monotonic() + patience_s
    while not (found := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return found
