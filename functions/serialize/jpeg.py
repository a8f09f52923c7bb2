"""JPEG (ITU-T T.81): its segments up to the end of the first picture."""

import re
from collections.abc import Iterator
from struct import unpack

from exif import orientation
from rejection import corrupt, truncated, unsupported
from stripped import Kept, Stripped, usable_profile

SOI, EOI, SOS, DQT, DHT, DAC, DRI = 0xD8, 0xD9, 0xDA, 0xDB, 0xC4, 0xCC, 0xDD
BASELINE, EXTENDED, PROGRESSIVE = 0xC0, 0xC1, 0xC2
APP0, APP1, APP2, APP14 = 0xE0, 0xE1, 0xE2, 0xEE
FRAMES = {*range(0xC0, 0xD0), 0xF7} - {DHT, DAC, 0xC8}
ALONE = {0x01, *range(0xD0, 0xD8)}  # markers without a segment: TEM and restarts

# What a frame's marker stands for, of those that no decoder here reads.
UNSUPPORTED_FRAMES = {
    0xC3: "a lossless JPEG",
    0xF7: "a JPEG-LS picture",
    **dict.fromkeys((0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF, 0xDE), "a hierarchical JPEG"),
    **dict.fromkeys((0xC9, 0xCA), "a JPEG with arithmetic coding"),
    0xCB: "a lossless JPEG with arithmetic coding",
}

# The next marker, before it what may lie between segments; and the one behind a scan, whose own
# 0xFF are followed by 0 or are restarts.
MARKER = re.compile(rb"\xff[^\xff\0]")
SCANS_END = re.compile(rb"\xff[^\xff\0\xd0-\xd7]")

# From here on the end is looked for instead, ten times as fast, where there is no second scan.
LARGE_SCAN_BYTES = 100_000

MAX_SEGMENTS = 10_000

# A progressive JPEG has about 10; each walks over all pixels, and a file has room for 100,000s.
MAX_SCANS = 64

# JFIF's and Adobe's segments, marker included; a longer JFIF has a thumbnail.
JFIF_BYTES, ADOBE_BYTES = 18, 16
PLAIN_JFIF = b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0"


def strip(data: bytes) -> Stripped:
    """Return the tables and scans of the first picture.

    Raises ImageRejected for kinds that are not supported and for pictures that are damaged.
    """
    kept, frame, scans = Kept(data), b"", Scans()
    exif: bytes | None = None
    profile: list[bytes] = []
    kept.keep(0, 2)
    end = 0
    for marker, start, end, body in segments(data):
        if marker in FRAMES:
            if frame:
                raise corrupt("the JPEG has two frame headers")
            frame = checked_frame(marker, body)
        elif marker == SOS:
            if not frame:
                raise corrupt("the JPEG has a scan before its frame header")
            scans.add(frame, body)
        elif marker == APP0 and body.startswith(b"JFIF\0"):
            if end - start != JFIF_BYTES:
                kept.add(PLAIN_JFIF)
                continue
        elif marker == APP14 and body.startswith(b"Adobe") and len(body) >= 12:
            if end - start != ADOBE_BYTES:
                kept.add(b"\xff\xee\0\x0e" + body[:12])
                continue
        elif marker not in (DQT, DHT, DRI, EOI):
            if marker == APP1 and exif is None and body.startswith(b"Exif\0\0"):
                exif = body
            if marker == APP2 and body.startswith(b"ICC_PROFILE\0"):
                profile.append(body[12:])
            continue
        if marker != EOI:
            kept.keep(start, end)
    complete = data.endswith(b"\xff\xd9", 0, end)
    one_scan = scans.number == 1 and frame[0] != PROGRESSIVE and scans.seen == scans.components
    if not complete and not one_scan:  # of several scans nothing tells whether the last is whole
        raise truncated("JPEG", data)
    if not scans.number:
        raise corrupt("the JPEG has no picture in it")
    if complete:
        scans.check()
    parts = kept.close()
    plain = complete and len(data) == end and [*map(len, parts)] == [end - 2]
    return Stripped(
        parts=parts if one_scan else [*parts, b"\xff\xd9"],
        one_scan=one_scan,
        other_limit=one_scan,
        bounded_by=unpack(">HH", frame[2:6])[::-1] if one_scan else None,
        ends_early=not complete,
        plain=plain and len(frame) == 16,
        orientation=orientation(exif or b""),
        profile=joined(profile),
    )


def segments(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """Yield marker, start, end and body of each segment; a scan's end is that of its data.

    The last one is the end of the picture; without it the file ends early.
    """
    at, components = 2, b""
    for _ in range(MAX_SEGMENTS):
        found = MARKER.search(data, at)
        if found is None:
            return
        start, body = found.span()
        marker = data[start + 1]
        if marker == EOI:
            yield marker, start, body, b""
            return
        if marker == SOI:
            raise corrupt("the JPEG has a second start marker in its header")
        at = body
        if marker in ALONE:
            continue
        if body + 2 > len(data):
            return
        at = body + int.from_bytes(data[body : body + 2], "big")
        if at < body + 2:
            raise corrupt("the JPEG has a segment with an impossible length")
        if at > len(data):
            return
        content = data[body + 2 : at]
        if marker in (BASELINE, EXTENDED):
            components = content[5:6]
        if marker == SOS:
            at = scans_end(data, at, alone=content[:1] == components)
        yield marker, start, at, content
    raise corrupt(f"the JPEG has more than {MAX_SEGMENTS:,} segments")


def scans_end(data: bytes, start: int, alone: bool) -> int:
    """Return where the data of a scan end; alone: it is sequential and holds all components."""
    if alone and len(data) - start > LARGE_SCAN_BYTES:
        end = data.find(b"\xff\xd9", start)
        return end if end >= 0 else len(data)
    found = SCANS_END.search(data, start)
    return found.start() if found else len(data)


def checked_frame(marker: int, body: bytes) -> bytes:
    """Return the frame's marker and header: precision, height, width, components."""
    if marker in UNSUPPORTED_FRAMES:
        raise unsupported(f"the file is {UNSUPPORTED_FRAMES[marker]}")
    if len(body) < 6 or len(body) != 6 + 3 * body[5]:
        raise corrupt("the JPEG's header contradicts itself")
    if body[0] != 8:
        raise unsupported(f"the file is a JPEG of {body[0]} bits a sample")
    if body[1:3] == b"\0\0":
        raise unsupported("the file is a JPEG that gives its height behind its scan")
    if body[5] not in (1, 3, 4):
        raise unsupported(f"the file is a JPEG of {body[5]} components")
    return bytes([marker]) + body


class Scans:
    """What the scans of a picture bring, by their headers."""

    def __init__(self) -> None:
        self.number = 0
        self.components: set[int] = set()
        self.seen: set[int] = set()
        self.bits_left: dict[tuple[int, int], int] = {}  # of a component's coefficient

    def add(self, frame: bytes, header: bytes) -> None:
        """Take in a scan's header: its components, coefficients and bits (T.81, B.2.3)."""
        self.number += 1
        if self.number > MAX_SCANS:
            raise corrupt(f"the JPEG has more than {MAX_SCANS} scans")
        self.components = set(frame[7::3])
        if not header or len(header) != 4 + 2 * header[0]:
            raise corrupt("the header of a JPEG's scan contradicts itself")
        parts = header[1:-3:2]
        self.seen.update(parts)
        first, last, bits = header[-3], min(header[-2], 63), header[-1] & 15
        if frame[0] == PROGRESSIVE:
            for part in parts:
                self.bits_left |= {(part, number): bits for number in range(first, last + 1)}

    def check(self) -> None:
        """Raise ImageRejected if scans are missing though the picture's end is there."""
        if self.seen != self.components or any(self.bits_left.values()):
            raise corrupt(f"scans of the JPEG are missing: it has {self.number}")


def joined(parts: list[bytes]) -> bytes | None:
    """Return the ICC profile of its parts, each with its number and the number of all before it."""
    parts = sorted(parts)
    if not parts or [part[:2] for part in parts] != [
        bytes([number, len(parts)]) for number in range(1, min(len(parts), 255) + 1)
    ]:
        return None
    return usable_profile(b"".join(part[2:] for part in parts))
