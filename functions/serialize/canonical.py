"""Any picture becomes the canonical one: small, upright, RGB, and always the same bytes."""

import io
import warnings
from typing import NamedTuple

from colour import in_srgb, over_white, resizable
from decoding import decoded, fitted
from formats import JPEG, PNG, Format, format_of
from PIL import Image
from rejection import ImageRejected, Reason

# Pixels. The model squashes the picture to 128 x 128; at twice that side its answers agree with
# those on the whole picture (benchmarks/canonical_agreement.py), and a larger input has room.
LONGEST_SIDE = 256

# Below this many pixels nothing is lost in encoding: a JPEG's 8 x 8 blocks would show once the
# model enlarges the picture. Above it a JPEG takes a quarter of a PNG's bytes.
MAX_LOSSLESS_PIXELS = 128 * 128

# base64 makes 4 bytes of 3, and the document's other members take up to 6,500 bytes (a key of
# 1,024 bytes, each escaped in JSON): together at most 64 KiB.
MAX_DATA_BYTES = 44_000

# The first that fits; grey noise takes the last, and black-and-white noise is halved in size.
JPEG_QUALITIES = (90, 75, 50, 25)

# Boxes of whole pixels first, down to this multiple of the final size, then Lanczos.
REDUCING_GAP = 3.0

# What a picture may carry and still pass unchanged: nothing that tells of its author or place.
HARMLESS_INFO = {
    *("jfif", "jfif_version", "jfif_unit", "jfif_density", "adobe", "adobe_transform"),
    *("dpi", "progressive", "progression", "srgb", "gamma", "chromaticity", "aspect"),
}

HARMLESS_SEGMENTS = {"APP0", "APP14"}  # JFIF and Adobe's colour transform

PNG_BIT_DEPTH_AT = 24  # bytes from the start
END = {JPEG: b"\xff\xd9", PNG: b"IEND\xaeB`\x82"}  # nothing lies behind the picture

# Tag 274 of EXIF: how to turn the stored picture upright.
ORIENTATION = 274
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class CanonicalPicture(NamedTuple):
    """A small upright RGB picture: its media type and its encoded bytes."""

    content_type: str
    data: bytes


def canonical_picture(data: bytes) -> CanonicalPicture:
    """Decode an uploaded file, by its content alone, and encode the canonical picture of it.

    Raises ImageRejected and nothing else.
    """
    if not data:
        raise ImageRejected(Reason.EMPTY, "the object has 0 bytes. Upload the picture again.")
    kind = format_of(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of metadata that it cannot read
        image = decoded(kind, data, LONGEST_SIDE)
        if passes_unchanged(image, kind, data):
            return CanonicalPicture(Image.MIME[kind.name], data)
        return encoded(upright_rgb(image))


def passes_unchanged(image: Image.Image, kind: Format, data: bytes) -> bool:
    """Return whether the file already is what encoding it again could only make worse."""
    return (
        kind in (JPEG, PNG)
        and image.mode == "RGB"
        and max(image.size) <= LONGEST_SIDE
        and len(data) <= MAX_DATA_BYTES
        and HARMLESS_INFO.issuperset(image.info)
        and HARMLESS_SEGMENTS.issuperset(getattr(image, "app", ()))  # a JPEG's
        and (kind is JPEG or data[PNG_BIT_DEPTH_AT] == 8)
        and data.endswith(END[kind])
    )


def upright_rgb(image: Image.Image) -> Image.Image:
    """Return the picture small, in RGB, without transparency, its top at the top."""
    small = resizable(image).resize(
        fitted(image.size, LONGEST_SIDE), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP
    )
    small = in_srgb(over_white(small), image.info.get("icc_profile"))
    turn = UPRIGHT.get(orientation(image))
    return small if turn is None else small.transpose(turn)


def orientation(image: Image.Image) -> int:
    """Return how the picture has to be turned (EXIF, tag 274); 1, upright, if nothing says."""
    try:
        return int(image.getexif().get(ORIENTATION, 1))
    except Exception:  # metadata that cannot be read does not spoil the picture
        return 1


def encoded(image: Image.Image) -> CanonicalPicture:
    """Encode a small RGB picture in at most MAX_DATA_BYTES."""
    image.info = {}  # else Pillow would write what it found there, a profile for instance
    file = io.BytesIO()
    if image.width * image.height <= MAX_LOSSLESS_PIXELS:
        image.save(file, "PNG")
        if file.tell() <= MAX_DATA_BYTES:
            return CanonicalPicture("image/png", file.getvalue())
    for quality in JPEG_QUALITIES:
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, subsampling=0)
        if file.tell() <= MAX_DATA_BYTES:
            return CanonicalPicture("image/jpeg", file.getvalue())
    return encoded(image.reduce(2))
