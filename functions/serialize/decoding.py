"""Run the one decoder that a file asks for, within its bounds."""

import importlib
import re
from collections.abc import Callable
from typing import Any

from formats import BMP, HEIF, TIFF, Format
from PIL import Image, ImageFile, UnidentifiedImageError
from rejection import ImageRejected, Reason, corrupt, truncated, unsupported
from stripped import PartsFile, Stripped

# Pillow's own limit, before a decoder is made, is twice this: no limit here is higher.
Image.MAX_IMAGE_PIXELS = 210_000_000

LAST_PIXELS = 1_024  # of the last row, which is written as a whole or not at all

OUT_OF_MEMORY = re.compile("out of memory|memory allocation", re.IGNORECASE)

LONE_LINE_FEED = re.compile(rb"(?<!\r)\n")
MIN_LINE_FEEDS = 4  # one of 256 line feeds has a carriage return before it by chance
MIN_NEIGHBOURS = 16  # of each byte like a carriage return, if this one lacks by no chance

# A JPEG decoder asks for 8 bytes beyond the bits that it needs. These are all ones, which are no
# code of any table: they make no pixels.
READ_AHEAD = b"\xff\0" * 8
END_OF_JPEG = b"\xff\xd9"


def decoded(kind: Format, data: bytes, longest_side: int) -> tuple[Image.Image, Stripped]:
    """Return the first picture of a file, decoded, and what the file says about showing it.

    longest_side: pixels; a JPEG is decoded at the least 1/1, 1/2, 1/4 or 1/8 of its size that
    has as many.
    Raises ImageRejected; MemoryError where a limit of memory is met.
    """
    stripped: Stripped = importlib.import_module(kind.reader).strip(data)
    if kind.compressed and sent_as_text(data):
        raise corrupt(f"a transfer as text has changed the line ends in the {kind.name}")
    register(kind)
    try:
        image, row = attempt(kind, stripped, longest_side, fill=0)
        if kind.lenient and not any(row):
            # The row is black, or no pixel of it was written: then it keeps any other fill too.
            del image  # before there is another one
            image, row = attempt(kind, stripped, longest_side, fill=255)
            if set(row) == {255}:
                raise damaged(kind, stripped, data)
    except (ImageRejected, MemoryError):
        raise
    except Image.DecompressionBombError:
        raise ImageRejected(
            Reason.TOO_MANY_PIXELS,
            f"the {kind.name} has more pixels than any format may have. Upload a smaller picture.",
        ) from None
    except Exception as error:  # whatever the decoder of a format stumbles over
        if OUT_OF_MEMORY.search(str(error)):
            raise MemoryError from error
        raise damaged(kind, stripped, data) from error
    if image.mode == "P" and image.palette is None:
        raise corrupt(f"the {kind.name} has no palette for its colours")
    if kind is BMP and image.mode == "RGBA" and image.getchannel("A").getbbox() is None:
        image = image.convert("RGB")  # programs that know no transparency leave its bytes at 0
    return image, stripped


def attempt(
    kind: Format, stripped: Stripped, longest_side: int, fill: int
) -> tuple[Image.Image, bytes]:
    """Decode into a picture of samples that all are `fill`; return it and its last row."""
    rows: list[bytes] = []
    # Pillow asks of a file for no more than read, seek and tell.
    file: Any = OneScanFile(stripped, lambda: rows.append(last_row(image, stripped)))
    if not stripped.one_scan:
        file = PartsFile(stripped.parts)
    try:
        image = Image.open(file, formats=(kind.name,))
    except UnidentifiedImageError:
        if kind is TIFF and not stripped.ends_early:
            what = f"the file is a TIFF of a rare layout, with {stripped.bits} bits a sample"
            raise unsupported(what) from None
        raise
    check_size(kind, stripped, image)
    image.draft(None, fitted(image.size, longest_side))
    if fill:
        bands = len(image.getbands())
        image.im = Image.new(image.mode, image.size, fill if bands == 1 else (fill,) * bands).im
    image.load()
    return image, rows[0] if rows else last_row(image, stripped)


class OneScanFile(PartsFile):
    """A JPEG of one scan, whose end is handed over only when the decoder asks for it.

    libjpeg fills with grey what is missing, without an error. But a row that it has is written
    before the end is read, and one that it makes up is not.
    """

    def __init__(self, stripped: Stripped, before_end: Callable[[], None]) -> None:
        super().__init__([*stripped.parts, READ_AHEAD])
        self.before_end = before_end

    def read(self, size: int | None = -1, /) -> bytes:
        found = super().read(size)
        if not found and size:
            self.before_end()
            return END_OF_JPEG
        return found


def last_row(image: ImageFile.ImageFile, stripped: Stripped) -> bytes:
    """Return the samples at the end of the row that is decoded last, as they are by now."""
    y = image.height - 1
    if stripped.interlaced and y % 2 == 0 and y:
        y -= 1  # the last pass goes over the odd rows
    pixels = min(image.width, LAST_PIXELS)
    row = Image.new(image.mode, (pixels, 1))
    row.im = image.im.crop((image.width - pixels, y, image.width, y + 1))
    return row.tobytes()


def check_size(kind: Format, stripped: Stripped, image: Image.Image) -> None:
    """Raise ImageRejected if the picture has more pixels than the function has memory for."""
    transparent_heif = kind is HEIF and image.mode != "RGB"
    limit = kind.max_pixels
    if kind.other_max_pixels and (stripped.other_limit or transparent_heif):
        limit = kind.other_max_pixels
    width, height = max(image.size, stripped.canvas or (0, 0), key=lambda size: size[0] * size[1])
    if width * height > limit:
        raise ImageRejected(
            Reason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} = {width * height:,} pixels; the limit for "
            f"this {kind.name} is {limit:,}. Upload a smaller picture.",
        )


def sent_as_text(data: bytes) -> bool:
    """Return whether each line feed follows a carriage return, or no carriage return is left."""
    if LONE_LINE_FEED.search(data) is None:
        return data.count(b"\r\n") >= MIN_LINE_FEEDS
    if b"\r" in data:
        return False
    return min(data.count(bytes([byte])) for byte in (*range(2, 10), *range(14, 22))) >= (
        MIN_NEIGHBOURS
    )


def damaged(kind: Format, stripped: Stripped, data: bytes) -> ImageRejected:
    """Return why a file cannot be decoded, by what its structure tells."""
    if stripped.ends_early:
        return truncated(kind.name, data)
    return corrupt(f"the pixels of the {kind.name} are damaged or incomplete")


def register(kind: Format) -> None:
    """Import the decoder of a format, on its first picture: a lean cold start."""
    module: Any = importlib.import_module(kind.decoder)
    if kind is TIFF:
        module.READ_LIBTIFF = True  # Pillow's own reader mixes up planes of 16 bits and YCbCr
    if kind is HEIF:
        # What else the file holds is not looked at; a thumbnail may show another picture. The size
        # that a file declares may differ from the picture's: the reader has checked both.
        module.register_heif_opener(
            thumbnails=False, depth_images=False, aux_images=False, allow_incorrect_headers=True
        )


def fitted(size: tuple[int, int], longest_side: int) -> tuple[int, int]:
    """Return the size that keeps the proportions and has no side longer; it never enlarges."""
    scale = min(1, longest_side / max(size))
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))
