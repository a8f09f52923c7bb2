"""WebP (RFC 9649): the first frame alone."""

from collections.abc import Iterator
from struct import pack, unpack_from

from exif import orientation
from rejection import corrupt, truncated
from stripped import MAX_PARTS, Stripped, usable_profile

PIXELS = {b"VP8 ", b"VP8L"}
ALPHA_FLAG = 0x10


def strip(data: bytes) -> Stripped:
    """Return the first frame as a still picture, and its place on the canvas of an animation.

    Raises ImageRejected for a file without a frame.
    """
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data) + 1:  # the padding of the last chunk is often left out
        raise truncated("WebP", data)
    facts = dict[bytes, bytes]()
    pixels = alpha = b""
    place, size, canvas = (0, 0), (0, 0), None
    for name, body in chunks(data, 12, end):
        if name == b"VP8X" and len(body) == 10:
            size = extent(body, 4)
        elif name == b"ANMF" and not pixels:
            frame = bytes(body)
            if len(frame) < 16 or not size[0]:
                raise corrupt("the WebP has a frame without a header or a canvas")
            canvas, place, size = (
                size,
                (2 * read24(frame, 0), 2 * read24(frame, 3)),
                extent(frame, 6),
            )
            for part, content in chunks(frame, 16, len(frame)):
                if part == b"ALPH":
                    alpha = bytes(content)
                if part in PIXELS:
                    pixels = chunk(part, content)
                    break
        elif name == b"ALPH" and not pixels:
            alpha = bytes(body)
        elif name in PIXELS and not pixels:
            pixels = chunk(name, body)
        elif name in (b"ICCP", b"EXIF"):
            facts.setdefault(name, bytes(body))
    if not pixels:
        raise corrupt("the WebP has no picture in it")
    if alpha and size[0] and pixels.startswith(b"VP8 "):
        header = bytes([ALPHA_FLAG, 0, 0, 0]) + write24(size[0] - 1) + write24(size[1] - 1)
        pixels = chunk(b"VP8X", header) + chunk(b"ALPH", alpha) + pixels
    return Stripped(
        parts=[b"RIFF" + pack("<L", 4 + len(pixels)) + b"WEBP", pixels],
        orientation=orientation(facts.get(b"EXIF", b"")),
        profile=usable_profile(facts.get(b"ICCP")),
        canvas=canvas,
        place=place,
    )


def chunks(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yield name and body of each chunk."""
    view = memoryview(data)[:end]
    for _ in range(MAX_PARTS):
        if at + 8 > len(view):
            return
        name, size = unpack_from("<4sL", view, at)
        yield name, view[at + 8 : at + 8 + size]
        at += 8 + size + (size & 1)
    raise corrupt(f"the WebP has more than {MAX_PARTS:,} chunks")


def chunk(name: bytes, body: bytes | memoryview) -> bytes:
    """Return a chunk as the file holds it, padded to an even size."""
    return name + pack("<L", len(body)) + bytes(body) + b"\0" * (len(body) & 1)


def extent(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the width and height that are kept there, each less 1 in 24 bits."""
    return read24(data, at) + 1, read24(data, at + 3) + 1


def read24(data: bytes | memoryview, at: int) -> int:
    return int.from_bytes(data[at : at + 3], "little")


def write24(value: int) -> bytes:
    return value.to_bytes(3, "little")
