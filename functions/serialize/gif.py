"""GIF (89a): the first frame alone."""

from struct import error, pack, unpack_from

from rejection import corrupt, truncated
from stripped import MAX_PARTS, Kept, Stripped

IMAGE, EXTENSION, TRAILER, GRAPHIC_CONTROL = 0x2C, 0x21, 0x3B, 0xF9
INTERLACED, TRANSPARENT = 0x40, 0x01  # flags of a frame, and of its graphic control


def strip(data: bytes) -> Stripped:
    """Return the first frame as a picture of its own size, and its place on the canvas.

    Raises ImageRejected for a file without a frame.
    """
    kept, ends_early = Kept(data), False
    try:
        width, height, flags = unpack_from("<HHB", data, 6)
        at, control = first_frame(data, 13 + table_bytes(flags))
        left, top, frame_width, frame_height, frame_flags = unpack_from("<HHHHB", data, at + 1)
        pixels = at + 10 + table_bytes(frame_flags)
        end = len(data)
        try:
            end = blocks_end(data, pixels + 1)
        except IndexError:
            ends_early = True
    except (IndexError, error):
        raise truncated("GIF", data) from None
    kept.keep(0, 6)
    kept.add(pack("<HH", frame_width, frame_height))
    kept.keep(10, 13 + table_bytes(flags))
    kept.add(pack("<BHHHHB", IMAGE, 0, 0, frame_width, frame_height, frame_flags))
    kept.keep(at + 10, end)
    kept.add(bytes([TRAILER]))
    return Stripped(
        parts=kept.close(),
        ends_early=ends_early,
        canvas=(max(width, left + frame_width), max(height, top + frame_height)),
        place=(left, top),
        interlaced=frame_flags & INTERLACED > 0,
        transparency=control[6] if len(control) >= 8 and control[3] & TRANSPARENT else None,
    )


def first_frame(data: bytes, at: int) -> tuple[int, bytes]:
    """Return where the first frame begins, and the extension that says what is transparent."""
    control = b""
    for _ in range(MAX_PARTS):
        if data[at] == IMAGE:
            return at, control
        if data[at] == 0:  # some programs end a series of blocks twice
            at += 1
            continue
        if data[at] != EXTENSION:
            raise corrupt("the GIF has no picture in it")
        end = blocks_end(data, at + 2)
        if data[at + 1] == GRAPHIC_CONTROL:
            control = data[at:end]
        at = end
    raise corrupt(f"the GIF has more than {MAX_PARTS:,} blocks")


def table_bytes(flags: int) -> int:
    """Return the size of the colour table that the flags announce."""
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def blocks_end(data: bytes, at: int) -> int:
    """Return where a series of blocks ends, with an empty one; IndexError: the file ends within."""
    for _ in range(MAX_PARTS):
        size = data[at]
        at += 1 + size
        if not size:
            return at
    raise corrupt(f"the GIF has more than {MAX_PARTS:,} blocks")
