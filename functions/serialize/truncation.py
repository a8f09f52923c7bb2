"""Tell a file that ends early, as of an upload that broke off, from one that is corrupt."""

import struct

from formats import AVIF, BMP, GIF, HEIF, JPEG, PNG, TIFF, WEBP, Format
from tiff import TiffDirectory


def ends_early(kind: Format, data: bytes) -> bool:
    """Return whether the file's own structure says that bytes are missing at its end."""
    try:
        if kind is JPEG:
            return jpeg_ends_early(data)
        if kind is PNG:
            return b"IEND" not in data
        if kind is WEBP:
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        if kind is GIF:
            return not data.rstrip(b"\0").endswith(b";")
        if kind is BMP:
            return int.from_bytes(data[2:6], "little") > len(data)
        if kind is TIFF:
            return TiffDirectory(data).end() > len(data)
        if kind in (HEIF, AVIF):
            return boxes_end(data) > len(data) or not holds_a_picture(data)
    except (struct.error, IndexError):  # it ends within what says where it ends
        return True
    return False


def jpeg_ends_early(data: bytes) -> bool:
    """Return whether a segment, or the scan's end marker, is missing."""
    at = 2
    while data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xDA:  # the scan: no length, up to the end of the picture
            return data.find(b"\xff\xd9", at) < 0
        if marker == 0xFF:  # a fill byte
            at += 1
            continue
        at += 2 + struct.unpack_from(">H", data, at + 2)[0]
    return False


def holds_a_picture(data: bytes) -> bool:
    """Return whether an ISO base media file has a box with a picture's bytes."""
    return b"mdat" in data or b"idat" in data


def boxes_end(data: bytes) -> int:
    """Return where the last box of an ISO base media file says that it ends."""
    at = 0
    while at < len(data):
        size, _name = struct.unpack_from(">L4s", data, at)
        if size == 1:  # the size proper, in 64 bits, follows
            (size,) = struct.unpack_from(">Q", data, at + 8)
        if size == 0:  # up to the file's end
            return len(data)
        at += max(size, 8)
    return at
