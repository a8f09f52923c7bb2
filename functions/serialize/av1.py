"""AV1 (Bitstream and Decoding Process Specification, 1.0.0): the size of the coded picture."""

from bits import Bits

SEQUENCE_HEADER = 1  # a type of OBU
MAX_UNITS = 1_000  # a still picture has three
MAX_SIZE_BYTES = 8  # of a unit's size


def coded_size(data: bytes) -> tuple[int, int]:
    """Return the largest width and height, in pixels, of the sequence headers in an item's data.

    IndexError: the data end within one, or there is none.
    """
    sizes, at = [], 0
    for _ in range(MAX_UNITS):
        if at >= len(data):
            break
        kind, extended, sized = data[at] >> 3 & 15, data[at] >> 2 & 1, data[at] >> 1 & 1
        at += 1 + extended
        end = len(data)
        if sized:
            size = 0
            for place in range(MAX_SIZE_BYTES):
                byte = data[at]
                at += 1
                size |= (byte & 0x7F) << 7 * place
                if byte < 0x80:
                    break
            end = at + size
        if kind == SEQUENCE_HEADER:
            sizes.append(picture_size(data[at:end]))
        at = end
    if not sizes:
        raise IndexError
    return max(sizes, key=lambda size: size[0] * size[1])


def picture_size(header: bytes) -> tuple[int, int]:
    """Return the largest width and height of a frame (5.5.1)."""
    bits = Bits(header)
    bits.read(4)
    if bits.read(1):  # the short header of a still picture
        bits.read(5)
    else:
        skip_operating_points(bits)
    width_bits, height_bits = bits.read(4) + 1, bits.read(4) + 1
    return bits.read(width_bits) + 1, bits.read(height_bits) + 1


def skip_operating_points(bits: Bits) -> None:
    """Skip the timing and the operating points of a video."""
    delay_bits = 0
    if bits.read(1):
        bits.read(64)
        if bits.read(1):
            bits.number()
        if bits.read(1):
            delay_bits = bits.read(5) + 1
            bits.read(42)
    display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:  # the level, from which on there are tiers
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.read(1):
            bits.read(4)
