"""What the readers of the formats hand to the decoders: a file without what its pixels can spare.

Metadata spoils healthy pictures and carries attacks: texts that inflate to gigabytes, entries that
share one value, a thumbnail's own scans. A reader walks over the parts of a file, keeps what the
decoder needs, and takes from the rest the few facts that change how the pixels look.
"""

import io
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

# The segments, chunks, blocks or boxes of a file: a Python reader walks 1,000,000 a second, and
# 25 MiB have room for millions. A large PNG in chunks of 4 KiB has 6,400.
MAX_PARTS = 200_000

# Profiles of cameras and displays have under 4 KB, those of printing presses under 1 MB.
MAX_PROFILE_BYTES = 1_048_576

Box = tuple[int, int, int, int]  # left, top, right, bottom in pixels


@dataclass(frozen=True, kw_only=True)
class Stripped:
    """The parts of a file that its decoder needs, and what the rest says about their pixels."""

    parts: Sequence[bytes | memoryview]
    other_limit: bool = False  # the format's other_max_pixels holds for this file
    ends_early: bool = False  # bytes are missing at its end
    plain: bool = False  # nothing was left out: no byte is there but for the pixels
    orientation: int = 1  # EXIF's, 1 to 8
    profile: bytes | None = None  # ICC
    coding: "Coding | None" = None  # colours as code points, where no profile says them
    transparency: int | tuple[int, ...] | None = None  # the sample or colour that is clear
    bits: int = 16  # of a sample, where the decoded picture has more than 8
    inverted: bool = False  # 0 is white
    crop: Box | None = None  # the part of the decoded picture that is shown
    canvas: tuple[int, int] | None = None  # pixels, where the decoded picture covers only a part
    place: tuple[int, int] = (0, 0)  # of its top left corner on the canvas
    interlaced: bool = False
    bounded_by: tuple[int, int] | None = None  # pixels that the decoder walks over once
    one_scan: bool = False  # a JPEG whose parts lack only the marker of its end


@dataclass(frozen=True)
class Coding:
    """Colours that a file describes without an ICC profile.

    primaries, transfer: code points of ITU-T H.273.
    gamma, chromaticities: of PNG, in 100,000ths: gAMA; white, red, green, blue as x and y (cHRM).
    """

    primaries: int = 1
    transfer: int = 13
    gamma: int | None = None
    chromaticities: tuple[int, ...] | None = None


class PartsFile(io.RawIOBase):
    """The parts as one file in memory, without a copy of them."""

    def __init__(self, parts: Sequence[bytes | memoryview]) -> None:
        self.parts = [memoryview(part) for part in parts]
        self.ends = list(accumulate(map(len, self.parts)))
        self.at = 0

    def tell(self) -> int:
        return self.at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self.at, io.SEEK_END: self.ends[-1]}[whence]
        self.at = max(0, base + offset)
        return self.at

    def read(self, size: int | None = -1, /) -> bytes:
        end = self.ends[-1] if size is None or size < 0 else min(self.at + size, self.ends[-1])
        pieces = []
        while self.at < end:
            index = bisect_right(self.ends, self.at)
            start = self.ends[index] - len(self.parts[index])
            pieces.append(self.parts[index][self.at - start : end - start])
            self.at += len(pieces[-1])
        return bytes(pieces[0]) if len(pieces) == 1 else b"".join(pieces)


class Kept:
    """Collects the parts of a file that are kept; neighbours become one."""

    def __init__(self, data: bytes) -> None:
        self.data = memoryview(data)
        self.parts: list[bytes | memoryview] = []
        self.start = self.end = 0

    def keep(self, start: int, end: int) -> None:
        """Keep the bytes from start up to end; both only grow."""
        if start != self.end:
            self.close()
            self.start = start
        self.end = end

    def add(self, part: bytes) -> None:
        """Put bytes there that the file does not have."""
        self.close()
        self.start = self.end
        self.parts.append(part)

    def close(self) -> list[bytes | memoryview]:
        """Return the parts."""
        if self.end > self.start:
            self.parts.append(self.data[self.start : self.end])
        self.start = self.end
        return self.parts


def usable_profile(profile: bytes | None) -> bytes | None:
    """Return the ICC profile, or None if it is too large or takes too long to apply.

    A profile of multi-process elements ("mpet", ICC.2) may hold thousands of them.
    """
    if not profile or len(profile) > MAX_PROFILE_BYTES or b"mpet" in profile:
        return None
    return profile
