"""TIFF (6.0): the first directory, and of it the entries that describe the pixels."""

from collections.abc import Sequence
from struct import calcsize, error, pack, unpack_from

import exif
from rejection import ImageRejected, Reason, corrupt, truncated, unsupported
from stripped import Stripped, usable_profile

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC = 256, 257, 258, 259, 262
STRIP_OFFSETS, SAMPLES, STRIP_BYTE_COUNTS, PLANES = 273, 277, 279, 284
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS = 322, 323, 324, 325
SAMPLE_FORMAT, PROFILE = 339, 34675

# What the decoder needs, beside these: fill order, rows a strip, options of fax, predictor,
# palette, extra samples, tables of JPEG, and how YCbCr is sampled.
KEPT = {
    *(WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, STRIP_OFFSETS, SAMPLES, STRIP_BYTE_COUNTS),
    *(PLANES, TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_BYTE_COUNTS, SAMPLE_FORMAT),
    *(266, 278, 292, 293, 317, 320, 338, 347, 529, 530, 531, 532),
}

LAYOUTS = {1: "B", 2: "B", 3: "H", 4: "L", 5: "Q", 6: "b", 7: "B", 8: "h", 9: "l", 10: "q", 11: "f"}
LAYOUTS |= {12: "d"}
SHORT = 3
NUMBERS = {1, SHORT, 4}  # BYTE, SHORT and LONG, the types that sizes and offsets may have

MAX_ENTRIES = 1_000  # in the first directory; a camera's has 60
MAX_VALUES = 65_536  # of an entry; the longest list strips, of which a picture has a few hundred
MAX_PIXELS = 64_000_000  # of one tile, which the decoder keeps beside the picture

COMPRESSIONS = {
    1: "none",
    2: "fax",
    3: "Group 3 fax",
    4: "Group 4 fax",
    5: "LZW",
    7: "JPEG",
    8: "Deflate",
    32773: "PackBits",
    32946: "Deflate",
}
UNSUPPORTED_COMPRESSIONS = {
    6: "JPEG in its old form",
    34661: "JBIG",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    34892: "lossy JPEG of raw files",
    34925: "LZMA",
    50000: "Zstandard",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
WHITE_IS_ZERO, BLACK_IS_ZERO, CFA, LINEAR_RAW = 0, 1, 32803, 34892
UNSIGNED, SIGNED, FLOAT = 1, 2, 3


def strip(data: bytes) -> Stripped:
    """Return the file with a directory of nothing but its pixels.

    Raises ImageRejected for kinds of samples and compressions that no decoder here reads, and for
    sizes that take more memory than the file accounts for.
    """
    try:
        directory = Directory(data)
        ends_early = directory.end() > len(data)
        check(directory)
    except error:
        raise truncated("TIFF", data) from None
    bits = (*directory.numbers(BITS), 1)[0]
    inverted = bits > 8 and directory.number(PHOTOMETRIC, BLACK_IS_ZERO) == WHITE_IS_ZERO
    if inverted:  # which Pillow does not do to samples of more than 8 bits
        directory.replace(PHOTOMETRIC, BLACK_IS_ZERO)
    return Stripped(
        parts=directory.written_anew(),
        ends_early=ends_early,
        orientation=exif.orientation(data),
        profile=usable_profile(directory.content(PROFILE)),
        bits=bits,
        inverted=inverted,
    )


def check(directory: "Directory") -> None:
    """Raise ImageRejected unless the directory describes a picture that can be decoded."""
    for tag in KEPT:
        if (count := directory.count(tag)) > MAX_VALUES:
            raise corrupt(f"the TIFF has an entry of {count:,} values; the limit is {MAX_VALUES:,}")
    if not (directory.number(WIDTH) and directory.number(HEIGHT)):
        raise corrupt("the TIFF gives no size of its picture")
    if not (directory.count(STRIP_OFFSETS) or directory.count(TILE_OFFSETS)):
        raise corrupt("the TIFF has no picture in it")
    tile = directory.number(TILE_WIDTH, 1) * directory.number(TILE_HEIGHT, 1)
    if tile > MAX_PIXELS:
        raise ImageRejected(
            Reason.TOO_MANY_PIXELS,
            f"the TIFF has tiles of {tile:,} pixels; the limit is {MAX_PIXELS:,}. "
            "Upload a smaller picture.",
        )
    photometric = directory.number(PHOTOMETRIC)
    if photometric in (CFA, LINEAR_RAW):
        raise unsupported("the file is a camera's raw picture (DNG)")
    compression = directory.number(COMPRESSION, 1)
    if compression not in COMPRESSIONS:
        name = UNSUPPORTED_COMPRESSIONS.get(compression, f"compression {compression}")
        raise unsupported(f"the file is a TIFF compressed by {name}")
    for samples in directory.numbers(SAMPLE_FORMAT):
        if samples != UNSIGNED:
            kind = {FLOAT: "floating-point", SIGNED: "signed"}.get(samples, "undefined")
            raise unsupported(f"the file is a TIFF of {kind} samples")
    bits = directory.numbers(BITS) or (1,)
    if max(bits) > 16 or max(bits) != min(bits):
        raise unsupported(f"the file is a TIFF of {max(bits)} bits a sample")


class Directory:
    """A file's first directory; struct.error tells that the file ends within."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.order = "<" if data.startswith(b"II") else ">"
        (start,) = unpack_from(self.order + "L", data, 4)
        (entries,) = unpack_from(self.order + "H", data, start)
        if entries > MAX_ENTRIES:
            raise corrupt(f"the TIFF has {entries:,} entries; the limit is {MAX_ENTRIES:,}")
        self.start, self.number_of_entries = start, entries
        # Type, count, place and size in bytes of each entry's values, and the entry itself.
        self.entries: dict[int, tuple[int, int, int, int, bytes]] = {}
        for at in range(start + 2, start + 2 + 12 * entries, 12):
            tag, kind, count = unpack_from(self.order + "HHL", data, at)
            place, size = at + 8, calcsize("=" + LAYOUTS.get(kind, "")) * count
            if size > 4:  # too long for the entry itself
                (place,) = unpack_from(self.order + "L", data, place)
            self.entries.setdefault(tag, (kind, count, place, size, data[at : at + 12]))

    def count(self, tag: int) -> int:
        """Return how many values an entry has."""
        return self.entries[tag][1] if tag in self.entries else 0

    def numbers(self, tag: int) -> tuple[int, ...]:
        """Return the entry's numbers; none where it is missing or of another type."""
        if tag not in self.entries or self.entries[tag][0] not in NUMBERS:
            return ()
        kind, count, place, size, _ = self.entries[tag]
        if size > len(self.data):
            raise error
        return unpack_from(f"{self.order}{count}{LAYOUTS[kind]}", self.data, place)

    def number(self, tag: int, default: int = 0) -> int:
        """Return the first of the entry's numbers."""
        return (*self.numbers(tag), default)[0]

    def content(self, tag: int) -> bytes:
        """Return what the entry holds."""
        if tag not in self.entries:
            return b""
        _kind, _count, place, size, _ = self.entries[tag]
        return self.data[place : place + size]

    def replace(self, tag: int, value: int) -> None:
        """Put one SHORT in the place of an entry's value."""
        entry = pack(self.order + "HHLHxx", tag, SHORT, 1, value)
        self.entries[tag] = (*self.entries[tag][:4], entry)

    def end(self) -> int:
        """Return where the last value, strip or tile says that it ends, in bytes from the start."""
        ends = [place + size for tag, (_, _, place, size, _) in self.entries.items() if tag in KEPT]
        for first, second in ((STRIP_OFFSETS, STRIP_BYTE_COUNTS), (TILE_OFFSETS, TILE_BYTE_COUNTS)):
            pairs = zip(self.numbers(first), self.numbers(second), strict=False)
            ends += [offset + size for offset, size in pairs]
        return max(ends, default=0)

    def written_anew(self) -> Sequence[bytes | memoryview]:
        """Return the file with a directory of the kept entries alone, the only one."""
        kept = [entry for tag, (*_, entry) in self.entries.items() if tag in KEPT]
        directory = pack(self.order + "H", len(kept)) + b"".join(kept)
        view, end = memoryview(self.data), self.start + 2 + 12 * self.number_of_entries + 4
        return [view[: self.start], directory.ljust(end - self.start, b"\0"), view[end:]]
