"""The formats that are decoded, told apart by their first bytes.

The name of a file and the media type that came with it are never looked at. What is not on this
list is refused, and Pillow is handed the one format found: no other decoder ever runs.
"""

from typing import NamedTuple

from rejection import ImageRejected, Reason


class Format(NamedTuple):
    """A format on the allow-list: Pillow's name of it and the module that registers its decoder."""

    name: str
    module: str


JPEG = Format("JPEG", "PIL.JpegImagePlugin")  # also MPO, the phones' JPEG with extras behind it
PNG = Format("PNG", "PIL.PngImagePlugin")
WEBP = Format("WEBP", "PIL.WebPImagePlugin")
GIF = Format("GIF", "PIL.GifImagePlugin")
BMP = Format("BMP", "PIL.BmpImagePlugin")
TIFF = Format("TIFF", "PIL.TiffImagePlugin")
HEIF = Format("HEIF", "pillow_heif")
AVIF = Format("AVIF", "PIL.AvifImagePlugin")

SUPPORTED = "JPEG, PNG, WebP, GIF, BMP, TIFF, HEIC/HEIF and AVIF"

# "BM" alone starts many a text; a bitmap's second header has one of these sizes.
BMP_HEADERS = {size.to_bytes(4, "little") for size in (12, 40, 52, 56, 64, 108, 124)}

AV1_BRANDS = {b"avif", b"avis"}
HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}


def format_of(data: bytes) -> Format:
    """Return the format that the file's first bytes announce.

    Raises ImageRejected (unsupported_format) for everything else.
    """
    if data.startswith(b"\xff\xd8\xff"):
        return JPEG
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return PNG
    if data.startswith(b"RIFF") and data[8:12] == b"WEBP":
        return WEBP
    if data.startswith((b"GIF87a", b"GIF89a")):
        return GIF
    if data.startswith(b"BM") and data[14:18] in BMP_HEADERS:
        return BMP
    if data.startswith((b"II*\0", b"MM\0*")):  # BigTIFF is for files beyond 4 GiB
        return TIFF
    brands = iso_media_brands(data)
    if brands & AV1_BRANDS:
        return AVIF
    if brands & HEVC_BRANDS:
        return HEIF
    raise ImageRejected(
        Reason.UNSUPPORTED_FORMAT,
        f"the object begins with {data[:12]!r} and so is none of {SUPPORTED}. "
        "Save the picture in one of these formats.",
    )


def iso_media_brands(data: bytes) -> set[bytes]:
    """Return the brands that an ISO base media file (ISO/IEC 14496-12) says it can be read as."""
    if data[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(data[:4], "big"), 256)
    return {data[8:12]} | {data[at : at + 4] for at in range(16, end, 4)}
