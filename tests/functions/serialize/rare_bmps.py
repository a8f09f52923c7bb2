"""BMPs of legal layouts that few programs write."""

import struct

from PIL import Image

RAW, BIT_FIELDS, JPEG = 0, 3, 4


def bmp(
    size: tuple[int, int],
    depth: int,
    pixels: bytes,
    masks: tuple[int, int, int, int] = (0, 0, 0, 0),
    compression: int = BIT_FIELDS,
) -> bytes:
    """Return a BMP with a header of version 5; its rows begin at the bottom."""
    header = struct.pack("<LllHHLLllLL", 124, *size, 1, depth, compression, len(pixels), 0, 0, 0, 0)
    header = (header + struct.pack("<4L", *masks)).ljust(124, b"\0")
    start = 14 + len(header)
    return b"BM" + struct.pack("<LLL", start + len(pixels), 0, start) + header + pixels


def packed(image: Image.Image, depth: int, masks: tuple[int, int, int, int]) -> bytes:
    """Return a BMP of an RGB picture whose samples lie where the masks say; alpha is full."""
    rows = []
    for y in reversed(range(image.height)):
        row = b""
        for x in range(image.width):
            pixel = 0
            samples = image.getpixel((x, y))
            assert isinstance(samples, tuple)
            for sample, mask in zip((*samples, 255), masks, strict=True):
                if mask:
                    low = mask & -mask
                    pixel |= round(sample * (mask // low) / 255) * low
            row += pixel.to_bytes(depth // 8, "little")
        rows.append(row + bytes(-len(row) % 4))
    return bmp(image.size, depth, b"".join(rows), masks)
