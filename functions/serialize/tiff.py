"""The first directory of a TIFF file, where its strips are: enough to judge it by."""

import struct

STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS = 273, 279, 324, 325

VALUE_FORMATS = {3: "H", 4: "L"}  # SHORT and LONG, the types that offsets and counts may have
TYPE_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8}  # bytes


class TiffDirectory:
    """Read a file's first directory; struct.error tells that it ends within."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data.startswith(b"II") else ">"
        (start,) = struct.unpack_from(self.order + "L", data, 4)
        (entries,) = struct.unpack_from(self.order + "H", data, start)
        self.entries = {}
        for at in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = struct.unpack_from(self.order + "HHL", data, at)
            place = at + 8
            if TYPE_SIZES.get(kind, 0) * count > 4:  # too long for the entry itself
                (place,) = struct.unpack_from(self.order + "L", data, place)
            self.entries[tag] = (kind, count, place)

    def strips(self) -> int:
        """Return the most strips or tiles that any entry lists."""
        tags = (STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS)
        return max(self.entries[tag][1] if tag in self.entries else 0 for tag in tags)

    def end(self) -> int:
        """Return where the last value, strip or tile says that it ends, in bytes from the start."""
        ends = [place + TYPE_SIZES.get(kind, 0) * n for kind, n, place in self.entries.values()]
        for first, second in ((STRIP_OFFSETS, STRIP_BYTE_COUNTS), (TILE_OFFSETS, TILE_BYTE_COUNTS)):
            pairs = zip(self.values(first), self.values(second), strict=False)
            ends += [offset + size for offset, size in pairs]
        return max(ends, default=0)

    def values(self, tag: int) -> tuple[int, ...]:
        """Return the entry's numbers; none where it is missing or of another type."""
        kind, count, place = self.entries.get(tag, (0, 0, 0))
        if kind not in VALUE_FORMATS:
            return ()
        return struct.unpack_from(f"{self.order}{count}{VALUE_FORMATS[kind]}", self.data, place)
