"""An announcement with numbers as numbers: as text, revision "10" would be below revision "9"."""

import json
from collections.abc import Callable
from typing import Any

TYPES: dict[str, Callable[[str], Any]] = {"revision": int, "inferences": json.loads}
TYPES |= dict.fromkeys(("confidence", "threshold", "none_threshold", "audit_share"), float)


def parse(detail: dict[str, str]) -> dict[str, Any]:
    """Return the detail of an event with numbers, and inferences as a list of label, confidence."""
    return detail | {name: read(detail[name]) for name, read in TYPES.items()}
