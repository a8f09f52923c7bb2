"""The pictures of an acceptance run: keys that need quoting, formats, a large one, and a text."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SOURCE = Path(__file__).parents[2] / "events" / "images" / "bicycle.png"
HEIC = Path(__file__).with_name("bicycle.heic")  # SOURCE, converted: pi-heif cannot write HEIC
LARGE = (4000, 3000)  # pixels: 12 megapixels, as phones take them
QUALITY = 90


@dataclass(frozen=True)
class Sample:
    """A picture to upload. rejected: whether the workflow has to refuse it."""

    kind: str
    name: str
    data: Callable[[], bytes]
    rejected: bool = False


def _jpeg(size: tuple[int, int] | None = None) -> bytes:
    """Return SOURCE as JPEG. size: width and height in pixels; None leaves it as large as it is."""
    with Image.open(SOURCE) as source:
        picture = source.convert("RGB")
    if size:
        picture = picture.resize(size)
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=QUALITY)
    return file.getvalue()


SAMPLES = (
    Sample("JPEG", "a b+c 100%20 ü.jpg", _jpeg),
    Sample("HEIC", "\"quoted\" 'name'.heic", HEIC.read_bytes),
    Sample("PNG", "{braces} [x] <&> $.y.png", SOURCE.read_bytes),
    Sample("large JPEG", "large.jpg", lambda: _jpeg(LARGE)),
    Sample("no picture", "no picture.jpg", lambda: b"not a picture\n", rejected=True),
)
