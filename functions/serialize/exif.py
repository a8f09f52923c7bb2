"""EXIF: nothing but how the picture has to be turned."""

import struct

ORIENTATION = 274  # the tag
SHORT = 3  # the type
MAX_ENTRIES = 1_000  # cameras write about 15 in the first directory


def orientation(exif: bytes) -> int:
    """Return EXIF's tag 274, 1 to 8; 1, upright, if it is not there or cannot be read.

    exif: a TIFF header and what follows, with or without "Exif" and two zeros before it.
    """
    exif = exif.removeprefix(b"Exif\0\0")
    order = {b"II": "<", b"MM": ">"}.get(exif[:2])
    if order is None:
        return 1
    try:
        (start,) = struct.unpack_from(order + "L", exif, 4)
        (entries,) = struct.unpack_from(order + "H", exif, start)
        for at in range(start + 2, start + 2 + 12 * min(entries, MAX_ENTRIES), 12):
            tag, kind, count, value = struct.unpack_from(order + "HHLH", exif, at)
            if (tag, kind, count) == (ORIENTATION, SHORT, 1):
                return value if 1 <= value <= 8 else 1
    except struct.error:  # metadata that cannot be read does not spoil the picture
        pass
    return 1
