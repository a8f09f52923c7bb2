"""The formats that are decoded, told apart by their first bytes.

The name of a file and the media type that came with it are never looked at. What is not on this
list is refused, and Pillow is handed the one format found: no other decoder ever runs.
"""

import re
from typing import NamedTuple

from rejection import ImageRejected, Reason, corrupt


class Format(NamedTuple):
    """A format on the allow-list."""

    name: str  # Pillow's
    title: str  # as people write it
    signature: bytes  # an expression that the file's beginning matches
    suffixes: tuple[str, ...]  # of the names that its files have
    reader: str  # the module whose strip() keeps of a file what the decoder needs
    decoder: str  # the module that registers the decoder with Pillow
    # Memory decides: the function's 1,024 MB hold the file, the decoder's own buffers, Pillow's
    # picture (4 bytes a pixel) and a copy.
    max_pixels: int
    # Of the format's files that take less memory a pixel, or more: see the comment at each row.
    other_max_pixels: int | None = None
    lenient: bool = False  # the decoder is content with fewer rows than the picture has
    # Every byte is as frequent in the data as any other, and the decoder reads on behind damage.
    # PNG's signature has line ends to tell of it; bitmaps may have any bytes.
    compressed: bool = False


# Beside each limit: the most bytes a pixel that `python -m benchmarks.serialize --limits` measured.
JPEG = Format(
    "JPEG",  # also MPO, the phones' JPEG with extras behind it
    "JPEG",
    rb"\xff\xd8\xff",
    (".jpg", ".jpeg"),
    "jpeg",
    "PIL.JpegImagePlugin",
    64_000_000,  # 9: progressive, its coefficients kept until the last scan
    # One scan of all components is decoded at a fraction of its size: the largest of phones
    # (200 megapixels). With several the decoder keeps the coefficients of all.
    other_max_pixels=210_000_000,
    lenient=True,
    compressed=True,
)
PNG = Format(
    "PNG",
    "PNG",
    rb"\x89PNG\r\n\x1a\n",
    (".png",),
    "png",
    "PIL.PngImagePlugin",
    64_000_000,  # 9
    lenient=True,
)
WEBP = Format(
    "WEBP",
    "WebP",
    rb"RIFF....WEBP",
    (".webp",),
    "webp",
    "PIL.WebPImagePlugin",
    40_000_000,  # 17: its decoder keeps two pictures of its own
    compressed=True,
)
GIF = Format(
    "GIF",
    "GIF",
    rb"GIF8[79]a",
    (".gif",),
    "gif",
    "PIL.GifImagePlugin",
    64_000_000,  # 6
    lenient=True,
)
BMP = Format(
    "BMP",
    "BMP",
    # "BM" alone starts many a text; a bitmap's second header has one of these sizes.
    rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0",
    (".bmp",),
    "bmp",
    "PIL.BmpImagePlugin",
    64_000_000,  # 8
    # With run lengths; Pillow undoes them in Python: 0.1 s a million pixels. No camera makes these.
    other_max_pixels=16_000_000,
)
TIFF = Format(
    "TIFF",
    "TIFF",
    rb"II\*\0|MM\0\*",
    (".tif", ".tiff"),
    "tiff",
    "PIL.TiffImagePlugin",
    64_000_000,  # 10
)
HEIF = Format(
    "HEIF",
    "HEIC/HEIF",
    rb"....ftyp(?!avi[fs])",
    (".heic", ".heif"),
    "iso_media",
    "pi_heif",
    50_000_000,  # 16: phones make 48 megapixels
    other_max_pixels=32_000_000,  # 22: with transparency; no camera makes these
    compressed=True,
)
AVIF = Format(
    "AVIF",
    "AVIF",
    rb"....ftyp",
    (".avif",),
    "iso_media",
    "PIL.AvifImagePlugin",
    40_000_000,  # 15
    compressed=True,
)
FORMATS = (JPEG, PNG, WEBP, GIF, BMP, TIFF, HEIF, AVIF)
*FIRST, LAST = (kind.title for kind in FORMATS)
SUPPORTED = f"{', '.join(FIRST)} and {LAST}"

# What people upload by mistake, by its beginning, and how to call it.
OTHERS = {
    rb"II\+\0|MM\0\+": "a BigTIFF, for files of more than 4 GiB",
    rb"\xff\x0a|\0\0\0\x0cJXL ": "a JPEG XL picture",
    rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51": "a JPEG 2000 picture",
    rb"II\xbc": "a JPEG XR picture",
    rb"8BPS": "a Photoshop document",
    rb"%PDF": "a PDF document",
    rb"%!PS|\xc5\xd0\xd3\xc6": "a PostScript document",
    rb"\0\0[\x01\x02]\0": "an icon or a cursor",
    rb"\s*<(?:svg|\?xml|!DOCTYPE|html)": "a text in XML or HTML, as SVG is",
    rb"FUJIFILMCCD-RAW|IIU\0|IIRO|MMOR": "a camera's raw picture",
    rb"PK\x03\x04": "a ZIP archive",
    rb"\x1aE\xdf\xa3|RIFF....AVI ": "a video",
}


# A PNG without the line ends of its signature, and a JPEG or a PNG that went through UTF-8.
SENT_AS_TEXT = rb"[\x89\x09]PNG.{4}|\xef\xbf\xbd|\xc3\xbf\xc3\x98|\xc2\x89PNG"


def format_of(data: bytes) -> Format:
    """Return the format that the file's first bytes announce.

    Raises ImageRejected for everything else.
    """
    for kind in FORMATS:
        if re.match(kind.signature, data, re.DOTALL):
            break
    else:
        if re.match(SENT_AS_TEXT, data, re.DOTALL):
            raise corrupt("a transfer as text has changed the file, which was a JPEG or a PNG")
        what = next(
            (name for start, name in OTHERS.items() if re.match(start, data, re.DOTALL)),
            f"none of these (it begins with the bytes {data[:8].hex(' ')})",
        )
        raise ImageRejected(
            Reason.UNSUPPORTED_FORMAT,
            f"the file is {what}; supported are {SUPPORTED}. Save the picture as one of these.",
        )
    if kind in (HEIF, AVIF):
        import iso_media

        return {HEIF.name: HEIF, AVIF.name: AVIF}[iso_media.coding_of(data)]
    return kind
