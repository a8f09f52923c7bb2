"""PNGs of every transparent sample, and with chunks that are large, broken, unknown or missing."""

import struct
import zlib

from tests.functions.serialize.pictures import quarters

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB = 0, 2


def chunk(name: bytes, body: bytes, broken: bool = False) -> bytes:
    check = zlib.crc32(name + body) ^ broken
    return struct.pack(">L", len(body)) + name + body + struct.pack(">L", check)


def png(
    size: tuple[int, int],
    depth: int,
    colours: int,
    rows: bytes,
    before: bytes = b"",
    behind: bytes = b"",
) -> bytes:
    """Return a PNG of rows, each with its filter byte before it, and of more chunks."""
    header = chunk(b"IHDR", struct.pack(">LLBBBBB", *size, depth, colours, 0, 0, 0))
    pixels = chunk(b"IDAT", zlib.compress(rows))
    return SIGNATURE + header + before + pixels + behind + chunk(b"IEND", b"")


def of_quarters(before: bytes = b"", behind: bytes = b"", part: float = 1.0) -> bytes:
    """Return a PNG of the quarters in RGB, or only that part of its rows."""
    width, height = 64, 48
    samples = quarters(width, height).tobytes()
    rows = b"".join(
        b"\0" + samples[at : at + 3 * width]
        for at in range(0, int(height * part) * 3 * width, 3 * width)
    )
    return png((width, height), 8, RGB, rows, before, behind)


def half_clear(depth: int, colours: int, clear: int, opaque: int) -> bytes:
    """Return 32 x 8 pixels whose left half is the sample or colour that tRNS makes transparent."""
    channels = 3 if colours == RGB else 1
    if depth < 8:
        bits = f"{clear:0{depth}b}" * 16 + f"{opaque:0{depth}b}" * 16
        row = int(bits, 2).to_bytes(32 * depth // 8, "big")
    else:
        row = b"".join(
            (value * channels) * 16
            for value in (number.to_bytes(depth // 8, "big") for number in (clear, opaque))
        )
    key = chunk(b"tRNS", struct.pack(">H", clear) * channels)
    return png((32, 8), depth, colours, (b"\0" + row) * 8, before=key)


def clipped(data: bytes, name: bytes) -> bytes:
    """Return the PNG without the check sum's truth in the chunk of that name."""
    at = data.index(name)
    (size,) = struct.unpack(">L", data[at - 4 : at])
    end = at + 4 + size
    return data[:end] + bytes(byte ^ 0xFF for byte in data[end : end + 4]) + data[end + 4 :]
