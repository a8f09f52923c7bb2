"""The sample documents of events/, comparable between runs."""

import base64
import io
import json
from typing import Any

from PIL import Image

from tests.support.project import ROOT


def comparable(value: Any, name: str = "") -> Any:
    """Round what differs between processors and versions of Pillow: confidences, pictures."""
    if isinstance(value, dict):
        return {key: comparable(member, key) for key, member in value.items()}
    if isinstance(value, list):
        return [comparable(member, name) for member in value]
    if name == "confidence":
        return round(float(value), 1)
    if name == "image_data":
        return Image.open(io.BytesIO(base64.b64decode(value))).size
    if name == "inferences":  # as text, in the announcement
        return comparable(json.loads(value), name)
    return value


def committed(name: str) -> Any:
    return json.loads((ROOT / "events" / f"{name}.json").read_text())
