"""Any picture becomes the canonical one: small, upright, RGB, and always the same bytes."""

import io
import warnings
from typing import NamedTuple

from colour import in_srgb, over_white, resizable
from decoding import decoded, fitted
from exif import orientation
from formats import format_of
from PIL import Image
from rejection import ImageRejected, Reason
from stripped import Stripped, usable_profile

# Pixels. The model squashes the picture to 160 x 160. Of 737 training pictures, enlarged as
# benchmarks/canonical_agreement.py does, 99.3 % have the label of the whole picture, and the
# confidence differs by 0.01 on average; with 320 pixels it was 99.2 % and 0.01, for 1.7 times the
# bytes.
LONGEST_SIDE = 256

# Up to so many pixels nothing is lost in encoding, for what a JPEG loses is enlarged with the
# picture: the confidence differs by 0.007 on average at 32 x 32, by 0.003 at 128 x 128, and by as
# much at 160 x 160. From there a JPEG takes a quarter of a PNG's bytes.
MAX_LOSSLESS_PIXELS = 128 * 128

# base64 makes 4 bytes of 3, and the document's other members take up to 6,500 bytes (a key of
# 1,024 bytes, each escaped in JSON): together at most 64 KiB.
MAX_DATA_BYTES = 44_000

# The first that fits; grey noise takes the last, and black-and-white noise is halved in size.
JPEG_QUALITIES = (90, 75, 50, 25)

# Boxes of whole pixels first, down to this multiple of the final size, then Lanczos.
REDUCING_GAP = 3.0

# How to turn the stored picture upright, by EXIF's orientation.
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

    Raises ImageRejected; MemoryError where a limit of memory is met.
    """
    if not data:
        raise ImageRejected(Reason.EMPTY, "the object has 0 bytes. Upload the picture again.")
    kind = format_of(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of values that it cannot read
        image, stripped = decoded(kind, data, LONGEST_SIDE)
        small = image.mode == "RGB" and max(image.size) <= LONGEST_SIDE
        if stripped.plain and small and len(data) <= MAX_DATA_BYTES:
            return CanonicalPicture(Image.MIME[kind.name], data)  # encoding could only spoil it
        return encoded(upright_rgb(image, stripped))


def upright_rgb(
    image: Image.Image, stripped: Stripped, longest_side: int = LONGEST_SIDE
) -> Image.Image:
    """Return the picture small, in RGB, without transparency, its top at the top."""
    left, top, right, bottom = box = stripped.crop or (0, 0, *image.size)
    if right > image.width or bottom > image.height:  # the file declares another size than it has
        left, top, right, bottom = box = (0, 0, *image.size)
    whole = stripped.canvas or (right - left, bottom - top)
    size = fitted(whole, longest_side)
    scale = size[0] / whole[0], size[1] / whole[1]
    covered = max(1, round((right - left) * scale[0])), max(1, round((bottom - top) * scale[1]))
    small = resizable(image, stripped).resize(
        covered, Image.Resampling.LANCZOS, box, reducing_gap=REDUCING_GAP
    )
    profile = stripped.profile or usable_profile(image.info.get("icc_profile"))
    if not profile and stripped.coding:
        from profiles import profile_of

        profile = profile_of(stripped.coding)
    small = in_srgb(over_white(small), profile)
    if covered != size:
        paper = Image.new("RGB", size, "white")
        left, top = stripped.place
        paper.paste(small, (round(left * scale[0]), round(top * scale[1])))
        small = paper
    # What is left in `exif` is how AVIF's container turns the picture, in the decoder's words.
    turn = UPRIGHT.get(orientation(image.info.get("exif") or b"") * stripped.orientation)
    return small if turn is None else small.transpose(turn)


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
