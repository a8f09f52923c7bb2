"""PNG (W3C, third edition): its chunks, each with a check sum."""

import re
import zlib
from collections.abc import Iterator
from struct import unpack, unpack_from

from exif import orientation
from rejection import corrupt, truncated, unsupported
from stripped import MAX_PARTS, MAX_PROFILE_BYTES, Coding, Kept, Stripped, usable_profile

NAME = re.compile(rb"[A-Za-z]{4}")
END = b"\0\0\0\0IEND\xaeB`\x82"
GREY, RGB, PALETTE = 0, 2, 3  # colour types
DEPTHS = {0: {1, 2, 4, 8, 16}, 2: {8, 16}, 3: {1, 2, 4, 8}, 4: {8, 16}, 6: {8, 16}}  # bits
PIXELS = {b"IHDR", b"PLTE", b"IDAT"}
UNSPECIFIED = 2  # a code point of cICP
USEFUL = {b"tRNS", b"iCCP", b"eXIf", b"sRGB", b"gAMA", b"cHRM", b"cICP"}


def strip(data: bytes) -> Stripped:
    """Return header, palette and pixels, with what other chunks say about colours.

    Raises ImageRejected for a check sum of these that is wrong; other chunks are not looked at.
    """
    view, kept, facts = memoryview(data), Kept(data), dict[bytes, bytes]()
    kept.keep(0, 8)
    header, name = b"", b""
    for name, start, end in chunks(data):
        if not header:
            header = checked_header(data, name, start, end)
        # Beside RGB a palette is for displays of few colours.
        pixels = name in PIXELS and (name != b"PLTE" or header[9] == PALETTE)
        if not pixels and name not in USEFUL:
            continue
        healthy = zlib.crc32(view[start + 4 : end - 4]) == unpack(">L", view[end - 4 : end])[0]
        if pixels and not healthy:
            raise corrupt("a check sum of the PNG contradicts its pixels")
        if pixels or (healthy and name == b"tRNS" and header[9] == PALETTE):
            kept.keep(start, end)
        elif healthy:
            facts.setdefault(name, bytes(view[start + 8 : end - 4]))
    if not header:
        raise truncated("PNG", data)
    ended = name == b"IEND"
    if ended and not (data.endswith(END) and kept.end + len(END) == len(data)):
        kept.add(END)
    else:  # what there is of a chunk that is cut; the decoder tells whether a row is missing
        kept.keep(kept.end, len(data))
    parts = kept.close()
    if UNSPECIFIED in facts.get(b"cICP", b"")[:2]:
        del facts[b"cICP"]
    profile = None if b"cICP" in facts else inflated_profile(facts.get(b"iCCP", b""))
    return Stripped(
        parts=parts,
        ends_early=not ended,
        plain=ended and len(parts) == 1 and len(parts[0]) == len(data) and plain(data, header),
        bounded_by=unpack(">LL", header[:8]),
        orientation=orientation(facts.get(b"eXIf", b"")),
        profile=profile,
        coding=None if profile else coding(facts),
        interlaced=header[12] == 1,
        transparency=transparency(header, facts.get(b"tRNS", b"")),
    )


def chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start and end of each whole chunk up to IEND; without it the file ends early."""
    at = 8
    for _ in range(MAX_PARTS):
        if at + 12 > len(data):
            return
        name, end = data[at + 4 : at + 8], at + 12 + unpack_from(">L", data, at)[0]
        if not NAME.fullmatch(name):
            raise corrupt("the PNG has bytes between its chunks that belong to none")
        if end > len(data):
            return
        yield name, at, end
        if name == b"IEND":
            return
        at = end
    raise corrupt(f"the PNG has more than {MAX_PARTS:,} chunks")


def checked_header(data: bytes, name: bytes, start: int, end: int) -> bytes:
    """Return width, height, depth, colour type, compression, filter and interlacing: 13 bytes."""
    if name == b"CgBI":
        raise unsupported("the file is a PNG in the form that Apple's Xcode makes for iOS")
    header = data[start + 8 : end - 4]
    if name != b"IHDR" or len(header) != 13 or header[8] not in DEPTHS.get(header[9], ()):
        raise corrupt("the PNG's header contradicts itself")
    return header


def plain(data: bytes, header: bytes) -> bool:
    """Return whether the PNG is RGB of 8 bits with no byte behind the pixels within IDAT."""
    if header[8:10] != bytes([8, RGB]) or len(data) > MAX_PROFILE_BYTES:
        return False
    width, height = unpack(">LL", header[:8])
    pixels = b"".join(data[at + 8 : end - 4] for name, at, end in chunks(data) if name == b"IDAT")
    inflating = zlib.decompressobj()
    try:
        rows = inflating.decompress(pixels, MAX_PROFILE_BYTES)
    except zlib.error:
        return False
    whole = len(rows) == height * (1 + 3 * width) and inflating.eof and header[12] == 0
    return whole and not inflating.unused_data


def inflated_profile(chunk: bytes) -> bytes | None:
    """Return the ICC profile of an iCCP chunk, or None if it cannot be used."""
    _name, _, body = chunk.partition(b"\0")
    if body[:1] != b"\0":  # the only method, deflate
        return None
    inflating = zlib.decompressobj()
    try:
        profile = inflating.decompress(body[1:], MAX_PROFILE_BYTES)
    except zlib.error:
        return None
    return usable_profile(profile) if inflating.eof else None


def coding(facts: dict[bytes, bytes]) -> Coding | None:
    """Return the colours that cICP, or else gAMA and cHRM, describe; None for sRGB."""
    cicp, gamma, chromaticities = (facts.get(name, b"") for name in (b"cICP", b"gAMA", b"cHRM"))
    if len(cicp) == 4:
        return Coding(cicp[0], cicp[1])
    if b"sRGB" in facts or len(gamma) != 4:
        return None
    return Coding(
        gamma=unpack(">L", gamma)[0],
        chromaticities=unpack(">8L", chromaticities) if len(chromaticities) == 32 else None,
    )


def transparency(header: bytes, chunk: bytes) -> int | tuple[int, ...] | None:
    """Return the sample or colour of tRNS as the decoded picture has it; of 16 bits in grey."""
    depth, kind = header[8:10]
    if kind == GREY and len(chunk) == 2:
        sample: int = unpack(">H", chunk)[0]
        return sample if depth == 16 else sample * 255 // (2**depth - 1)
    if kind == RGB and len(chunk) == 6:
        # Pillow decodes 16 bits of RGB to the upper 8.
        return tuple(sample >> (depth - 8) for sample in unpack(">3H", chunk))
    return None
