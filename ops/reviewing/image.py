"""A picture in a form that every browser shows."""

import io

from cli.contained import Contained, Exceeded

BROWSER_FORMATS = {  # how files begin
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
}
# What else the workflow takes, by Pillow's names, and the most pixels of these that it takes.
# tests/ops/reviewing/test_review.py holds both against functions/serialize/formats.py.
CONVERTED = ("TIFF", "BMP", "HEIF", "AVIF")
MAX_PIXELS = 64_000_000
SIDE = 1600  # pixels of a picture that has to be converted
SMALL_SIDE = 240  # pixels of a thumbnail, 120 of a screen with two to each
MAX_MEMORY_MB, MAX_SECONDS = 1_000, 10  # to convert one; the workflow's own bound is 900 MB
SHOWN = ("PNG", "JPEG", "GIF", "WEBP")  # by browsers, as they are
UNKNOWN = "application/octet-stream"  # the page then says that it cannot show it


def shown(data: bytes) -> tuple[str, bytes]:
    """Return the content type and the bytes to show: others than PNG, JPEG, GIF, WebP become JPEG.

    Without Pillow and pi-heif, and for what they cannot read within the bounds or the workflow does
    not take, the bytes as they are, as UNKNOWN.
    """
    for beginning, kind in BROWSER_FORMATS.items():
        if data.startswith(beginning):
            return kind, data
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp", data
    return _converted(data, CONVERTED, SIDE)


def thumbnail(data: bytes) -> tuple[str, bytes]:
    """Return the content type and the bytes of a small JPEG of a picture; UNKNOWN as shown()."""
    return _converted(data, (*SHOWN, *CONVERTED), SMALL_SIDE)


def jpeg_of(data: bytes, formats: tuple[str, ...], side: int) -> bytes | None:
    """Return a picture of one of Pillow's formats as a JPEG of at most so many pixels a side."""
    try:
        from pi_heif import register_heif_opener
        from PIL import Image, ImageOps
    except ImportError:
        return None
    register_heif_opener()
    try:
        with Image.open(io.BytesIO(data), formats=formats) as opened:
            if opened.width * opened.height > MAX_PIXELS:
                return None
            opened.thumbnail((side, side))
            out = io.BytesIO()
            ImageOps.exif_transpose(opened).convert("RGB").save(out, "JPEG", quality=85)
    except Exception:  # of broken files Pillow raises what its parsers happen to meet
        return None
    return out.getvalue()


# Many readers of pictures can be made to take gigabytes, by metadata for instance that is listed
# many times: tests/functions/serialize/attacks.py.
_contained = Contained(jpeg_of, MAX_MEMORY_MB, MAX_SECONDS)


def _converted(data: bytes, formats: tuple[str, ...], side: int) -> tuple[str, bytes]:
    try:
        found = _contained(data, formats, side)
    except Exceeded:
        found = None
    return (UNKNOWN, data) if found is None else ("image/jpeg", found)
