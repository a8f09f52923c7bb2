"""The pictures of an acceptance run: keys that need quoting, formats, a large one, and a text."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from PIL import Image
from pillow_heif import from_pillow

SOURCE = Path(__file__).parents[2] / "events" / "images" / "bicycle.png"
LARGE = (4000, 3000)  # pixels: 12 megapixels, as phones take them
QUALITY = 90


@dataclass(frozen=True)
class Sample:
    """A picture to upload. rejected: whether the workflow has to refuse it."""

    kind: str
    name: str
    data: Callable[[], bytes]
    rejected: bool = False


def _picture(kind: str, size: tuple[int, int] | None = None) -> bytes:
    with Image.open(SOURCE) as source:
        picture = source.convert("RGB")
    if size:
        picture = picture.resize(size)
    file = io.BytesIO()
    if kind == "HEIF":
        from_pillow(picture).save(file, quality=QUALITY)
    else:
        picture.save(file, kind, quality=QUALITY)
    return file.getvalue()


SAMPLES = (
    Sample("JPEG", "a b+c 100%20 ü.jpg", lambda: _picture("JPEG")),
    Sample("HEIC", "\"quoted\" 'name'.heic", lambda: _picture("HEIF")),
    Sample("PNG", "{braces} [x] <&> $.y.png", SOURCE.read_bytes),
    Sample("large JPEG", "large.jpg", lambda: _picture("JPEG", LARGE)),
    Sample("no picture", "no picture.jpg", lambda: b"not a picture\n", rejected=True),
)
