"""JPEGs as cameras, editors and broken transfers leave them, and kinds that nothing here reads."""

import random
import struct

from PIL import Image

from tests.functions.serialize.pictures import ORIENTATION, file_of, quarters

EOI = b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


def with_segments(jpeg: bytes, *segments: bytes) -> bytes:
    """Return the JPEG with segments right behind its beginning."""
    return jpeg[:2] + b"".join(segments) + jpeg[2:]


def detailed(width: int = 200, height: int = 150) -> Image.Image:
    """Return a picture whose JPEG has some kilobytes in every part."""
    noise = Image.effect_noise((width, height), 40).convert("RGB")
    return Image.blend(noise, quarters(width, height), 0.6)


def with_thumbnail(jpeg: bytes) -> bytes:
    """Return the JPEG with EXIF that holds a progressive thumbnail: ten more scan headers."""
    thumbnail = file_of(quarters(160, 120), "JPEG", progressive=True)
    start = 8 + 2 + 12 + 4
    at = start + 2 + 24 + 4
    exif = (
        b"II*\0" + struct.pack("<LH", 8, 1) + struct.pack("<HHLHHL", ORIENTATION, 3, 1, 1, 0, start)
    )
    exif += struct.pack("<HHHLLHHLL", 2, 0x201, 4, 1, at, 0x202, 4, 1, len(thumbnail)) + bytes(4)
    return with_segments(jpeg, segment(0xE1, b"Exif\0\0" + exif + thumbnail))


def motion_photo() -> bytes:
    """Return a JPEG with a video behind it, in whose bytes 0xFF 0xDA stands a hundred times."""
    noise = random.Random(1).randbytes(20_000) + b"\xff\xda" * 100
    video = b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + struct.pack(">L", 8 + len(noise)) + b"mdat"
    return with_thumbnail(file_of(quarters(), "JPEG")) + video + noise


def stale_xmp(orientation: int = 6) -> bytes:
    """Return XMP of a picture that was turned upright, and whose XMP was kept."""
    return (
        "<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:RDF xmlns:rdf='http://www.w3.org/1999/02/22-rdf-"
        "syntax-ns#'><rdf:Description xmlns:tiff='http://ns.adobe.com/tiff/1.0/' "
        f'tiff:Orientation="{orientation}"/></rdf:RDF></x:xmpmeta>'
    ).encode()


def cut_scan(jpeg: bytes, part: float) -> bytes:
    """Return the JPEG with only so much of its last scan, and the end behind it."""
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[: start + int((len(jpeg) - start) * part)] + EOI


def without_scans(jpeg: bytes, number: int) -> bytes:
    """Return a progressive JPEG with only so many scans, and the end behind them."""
    at = 0
    for _ in range(number + 1):
        at = jpeg.index(b"\xff\xda", at + 1)
    return jpeg[:at] + EOI


def as_frame(jpeg: bytes, marker: int, bits: int = 8) -> bytes:
    """Return the JPEG under another frame marker, or with other bits a sample."""
    at = jpeg.index(b"\xff\xc0")
    return jpeg[: at + 1] + bytes([marker]) + jpeg[at + 2 : at + 4] + bytes([bits]) + jpeg[at + 5 :]


def one_of_three(width: int, height: int) -> bytes:
    """Return a JPEG of three components and one scan, which holds but the first of them."""
    grey = file_of(Image.new("L", (width, height)), "JPEG")
    at = grey.index(b"\xff\xc0")
    frame = grey[at + 4 : at + 9] + b"\3\1\x11\0\2\x11\0\3\x11\0"
    return grey[:at] + segment(0xC0, frame) + grey[at + 13 :]
