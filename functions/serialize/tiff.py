"""The first directory of a TIFF file, where its strips are: enough to judge it by."""

import struct

STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS = 273, 279, 324, 325

VALUE_FORMATS = {3: "H", 4: "L"}  # SHORT and LONG, the types that offsets and counts may have


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
            self.entries[tag] = (kind, count, at + 8)

    def strips(self) -> int:
        """Return the most strips or tiles that any entry lists."""
        tags = (STRIP_OFFSETS, STRIP_BYTE_COUNTS, TILE_OFFSETS, TILE_BYTE_COUNTS)
        return max(self.entries[tag][1] if tag in self.entries else 0 for tag in tags)

    def end_of_strips(self) -> int:
        """Return where the last strip or tile says that it ends, in bytes from the start."""
        ends = [0]
        for first, second in ((STRIP_OFFSETS, STRIP_BYTE_COUNTS), (TILE_OFFSETS, TILE_BYTE_COUNTS)):
            pairs = zip(self.values(first), self.values(second), strict=False)
            ends += [offset + size for offset, size in pairs]
        return max(ends)

    def values(self, tag: int) -> tuple[int, ...]:
        """Return the entry's numbers; none where it is missing or of another type."""
        kind, count, at = self.entries.get(tag, (0, 0, 0))
        if kind not in VALUE_FORMATS:
            return ()
        layout = f"{self.order}{count}{VALUE_FORMATS[kind]}"
        if struct.calcsize(layout) > 4:  # too long for the entry itself, which has its place
            (at,) = struct.unpack_from(self.order + "L", self.data, at)
        return struct.unpack_from(layout, self.data, at)
