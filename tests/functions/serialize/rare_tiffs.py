"""TIFFs of unusual samples, planes and compressions; uncompressed, of one strip a plane."""

import struct
from collections.abc import Sequence

SHORT, LONG = 3, 4


def tiff(
    size: tuple[int, int],
    planes: Sequence[bytes],
    bits: Sequence[int],
    photometric: int,
    *more: tuple[int, int],
    order: str = "<",
    compression: int = 1,
) -> bytes:
    """Return a TIFF; more: tag and value of other entries, each one SHORT."""
    tables = struct.pack(f"{order}{len(bits)}H", *bits)
    offsets, at = [], 8
    for plane in planes:
        offsets.append(at)
        at += len(plane)
    lists = [
        struct.pack(f"{order}{len(planes)}L", *values) for values in (offsets, map(len, planes))
    ]
    places = [at + (at & 1)]
    body = b"".join(planes) + b"\0" * (at & 1)
    for table in (tables, *lists):
        body += table
        places.append(8 + len(body))
    entries = [
        (256, LONG, 1, size[0]),
        (257, LONG, 1, size[1]),
        (258, SHORT, len(bits), places[0] if len(bits) > 2 else bits[0]),
        (259, SHORT, 1, compression),
        (262, SHORT, 1, photometric),
        (273, LONG, len(planes), places[1] if len(planes) > 1 else offsets[0]),
        (277, SHORT, 1, len(bits)),
        (278, LONG, 1, size[1]),
        (279, LONG, len(planes), places[2] if len(planes) > 1 else len(planes[0])),
        *((tag, SHORT, 1, value) for tag, value in more),
    ]
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in sorted(entries):
        layout = "HHLHxx" if kind == SHORT and count == 1 else "HHLL"
        if kind == SHORT and count == 2:
            directory += struct.pack(order + "HHLHH", tag, kind, count, *bits)
        else:
            directory += struct.pack(order + layout, tag, kind, count, value)
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + struct.pack(order + "L", 8 + len(body)) + body + directory + bytes(4)
