"""What a file may ask of its decoder, checked before it inflates anything."""

import io
import struct

from formats import BMP, HEIF, JPEG, TIFF, Format
from PIL import ImageFile
from rejection import ImageRejected, Reason
from tiff import TiffDirectory

# Memory decides the pixels: the function's 1,024 MB hold the file, the decoder's own buffers,
# Pillow's picture (4 bytes a pixel) and a copy. Beside each limit: the most bytes a pixel that
# `python -m benchmarks.serialize --limits` measured.
MAX_PIXELS = {
    "JPEG": 64_000_000,  # 8: progressive, its coefficients kept until the last scan
    "PNG": 64_000_000,  # 8
    "GIF": 64_000_000,  # 6
    "BMP": 64_000_000,  # 8
    "TIFF": 64_000_000,  # 10
    "WEBP": 40_000_000,  # 16: its decoder keeps two pictures of its own
    "AVIF": 40_000_000,  # 13
    "HEIF": 50_000_000,  # 15: phones make 48 megapixels
}
# A JPEG of one scan is decoded at a fraction of its size: the largest of phones (200 megapixels).
MAX_ONE_SCAN_PIXELS = 210_000_000
# 20 bytes a pixel; no camera makes these.
MAX_TRANSPARENT_HEIF_PIXELS = 32_000_000

# Pillow undoes a BMP's run lengths in Python: 0.1 s a million pixels. Nobody's camera makes these.
MAX_RUN_LENGTH_BMP_PIXELS = 16_000_000
RUN_LENGTHS = (1, 2)  # BMP's compressions of 8 and of 4 bits a pixel

# A progressive JPEG has about 10; each walks over all pixels, and a file has room for 100,000s.
MAX_SCANS = 64

# Pillow makes an object of each strip of a TIFF.
MAX_STRIPS = 65_536

# TIFF's tag for what a sample means, and the value that Pillow misreads without compression.
PHOTOMETRIC = 262
YCBCR = 6

# Pillow's names. JBIG, LZMA, WebP, ZSTD and vendors' own are rare, and their decoders little tried.
TIFF_COMPRESSIONS = {
    "raw",
    "packbits",
    "tiff_lzw",
    "tiff_adobe_deflate",
    "tiff_deflate",
    "jpeg",
    "tiff_ccitt",
    "group3",
    "group4",
}

# Pillow walks over a file's small parts (chunks, markers, runs) in Python, a few microseconds
# each; 25 MiB have room for millions.
MAX_READS = 400_000


class BoundedFile(io.BytesIO):
    """A file in memory that ends a decoder which reads it in too many small parts."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads_left = MAX_READS

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads_left -= 1
        if self.reads_left < 0:
            raise ImageRejected(
                Reason.CORRUPT, f"the file has more parts than {MAX_READS:,} reads can take."
            )
        return super().read(size)


def check_before_opening(kind: Format, data: bytes) -> None:
    """Raise ImageRejected for a file that would keep its decoder busy for minutes."""
    if kind is JPEG and (scans := scans_of(data)) > MAX_SCANS:
        raise ImageRejected(
            Reason.CORRUPT, f"the JPEG has {scans:,} scans; the limit is {MAX_SCANS}."
        )
    if kind is TIFF:
        try:
            strips = TiffDirectory(data).strips()
        except struct.error:
            raise ImageRejected(
                Reason.TRUNCATED,
                f"the TIFF ends early, after {len(data):,} bytes. Upload it again.",
            ) from None
        if strips > MAX_STRIPS:
            raise ImageRejected(
                Reason.CORRUPT, f"the TIFF has {strips:,} strips; the limit is {MAX_STRIPS:,}."
            )


def check_size(kind: Format, data: bytes, image: ImageFile.ImageFile) -> None:
    """Raise ImageRejected if the picture has more pixels than the function has memory for."""
    limit = MAX_PIXELS[kind.name]
    if kind is JPEG and scans_of(data) <= 1:
        limit = MAX_ONE_SCAN_PIXELS
    if kind is HEIF and image.mode != "RGB":
        limit = MAX_TRANSPARENT_HEIF_PIXELS
    if kind is BMP and image.info.get("compression") in RUN_LENGTHS:
        limit = MAX_RUN_LENGTH_BMP_PIXELS
    width, height = image.size
    if width * height > limit:
        raise ImageRejected(
            Reason.TOO_MANY_PIXELS,
            f"the picture has {width:,} x {height:,} = {width * height:,} pixels; the limit for "
            f"this {kind.name} is {limit:,}. Upload a smaller picture.",
        )


def scans_of(jpeg: bytes) -> int:
    """Return the number of scan headers; one more for each picture that is embedded."""
    # Inside a scan 0xFF is followed by 0 or by a restart marker, never by the 0xDA of a header.
    return jpeg.count(b"\xff\xda")


def check_compression(tiff: ImageFile.ImageFile) -> None:
    """Raise ImageRejected unless the TIFF is compressed in one of the common ways."""
    compression = tiff.info.get("compression")
    if compression not in TIFF_COMPRESSIONS:
        raise ImageRejected(
            Reason.UNSUPPORTED_FORMAT,
            f"the TIFF's compression is {compression}; the supported ones are "
            f"{', '.join(sorted(TIFF_COMPRESSIONS))}.",
        )
    if compression == "raw" and tiff.getexif().get(PHOTOMETRIC) == YCBCR:
        raise ImageRejected(
            Reason.UNSUPPORTED_FORMAT,
            "the TIFF holds uncompressed YCbCr, which few programs read; save it as RGB.",
        )
