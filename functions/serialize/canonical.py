"""Any picture becomes the canonical one: small, upright, RGB, the same bytes every time."""

import io
from typing import NamedTuple

from PIL import Image, ImageOps, UnidentifiedImageError
from rejection import ImageRejected, Reason

MAX_PIXELS = 64_000_000
LONGEST_SIDE = 256
# base64 makes 4 bytes of 3; 6,500 bytes are left for the worst key (1,024 bytes, JSON-escaped).
MAX_DATA_BYTES = 44_000
QUALITIES = (90, 75, 50, 25)


class CanonicalPicture(NamedTuple):
    """A small upright RGB picture: its media type and its encoded bytes."""

    content_type: str
    data: bytes


def canonical_picture(upload: bytes) -> CanonicalPicture:
    """Decode an uploaded file, by its content alone, and encode the canonical picture of it.

    Raises ImageRejected and nothing else.
    """
    if not upload:
        raise ImageRejected(Reason.EMPTY, "the object has 0 bytes. Upload the picture again.")
    try:
        with Image.open(io.BytesIO(upload), formats=("JPEG", "PNG")) as image:
            if image.width * image.height > MAX_PIXELS:
                raise ImageRejected(
                    Reason.TOO_MANY_PIXELS,
                    f"the picture has {image.width:,} x {image.height:,} pixels; "
                    f"the limit is {MAX_PIXELS:,}.",
                )
            image.draft("RGB", (2 * LONGEST_SIDE, 2 * LONGEST_SIDE))
            image.load()
            upright = ImageOps.exif_transpose(image).convert("RGB")
            upright.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.BICUBIC)
    except UnidentifiedImageError as error:
        raise ImageRejected(
            Reason.UNSUPPORTED_FORMAT, "the object is no picture of a supported format."
        ) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ImageRejected(Reason.CORRUPT, f"the picture cannot be decoded ({error}).") from error
    for quality in QUALITIES:
        encoded = io.BytesIO()
        upright.save(encoded, "JPEG", quality=quality, subsampling=0)
        if encoded.tell() <= MAX_DATA_BYTES:
            break
    return CanonicalPicture("image/jpeg", encoded.getvalue())
