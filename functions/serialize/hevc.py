"""HEVC (ITU-T H.265): the size and colours of the picture that the coded data hold."""

from contextlib import suppress
from struct import unpack_from
from typing import NamedTuple

from bits import Bits
from rejection import corrupt

SPS = 33  # the type of a sequence parameter set
ARRAYS_AT = 22  # bytes into the configuration: ISO/IEC 14496-15, 8.3.3.1
PROFILE_BITS, LEVEL_BITS = 88, 8
LENGTHS_AT = 21  # bytes into the configuration: how many bytes a unit's length has, less 1
MAX_UNITS = 10_000  # of one picture; a slice for each row of blocks of 50 megapixels makes 500
CHROMA_444 = 3
OWN_ASPECT = 255


class Coded(NamedTuple):
    """What a sequence parameter set says."""

    width: int  # pixels
    height: int
    colours: tuple[int, int] | None = None  # primaries and transfer, code points of ITU-T H.273


def coded(configuration: bytes) -> Coded:
    """Return the largest picture of an hvcC box's parameter sets.

    struct.error or IndexError: the configuration ends within one.
    """
    found = [Coded(0, 0)]
    at = ARRAYS_AT + 1
    for _ in range(configuration[ARRAYS_AT]):
        kind, units = unpack_from(">BH", configuration, at)
        at += 3
        for _ in range(units):
            (size,) = unpack_from(">H", configuration, at)
            if kind & 0x3F == SPS:
                found.append(parameters(configuration[at + 2 : at + 2 + size]))
            at += 2 + size
    return max(found, key=lambda picture: picture.width * picture.height)


def coded_within(configuration: bytes, data: bytes) -> Coded:
    """Return the largest picture of parameter sets that lie among an item's coded data.

    The decoder obeys these, too. Raises ImageRejected for a picture of too many units.
    """
    found = [Coded(0, 0)]
    length, at = (configuration[LENGTHS_AT] & 3) + 1, 0
    for _ in range(MAX_UNITS):
        start = at + length
        if start >= len(data):
            return max(found, key=lambda picture: picture.width * picture.height)
        at = start + int.from_bytes(data[start - length : start], "big")
        if data[start] >> 1 & 0x3F == SPS:
            with suppress(IndexError):  # the decoder cannot read it either
                found.append(parameters(data[start:at]))
    raise corrupt(f"a picture of the HEIF has more than {MAX_UNITS:,} units")


def parameters(unit: bytes) -> Coded:
    """Return what a sequence parameter set says (H.265, 7.3.2.2)."""
    bits = Bits(unit[2:].replace(b"\0\0\3", b"\0\0"))
    bits.read(4)
    layers = bits.read(3)  # temporal layers beyond the first
    bits.read(1 + PROFILE_BITS + LEVEL_BITS)
    present = [(bits.read(1), bits.read(1)) for _ in range(layers)]
    if layers:
        bits.read(2 * (8 - layers))
    for profile, level in present:
        bits.read(PROFILE_BITS * profile + LEVEL_BITS * level)
    bits.number()
    if bits.number() == CHROMA_444:
        bits.read(1)
    width, height = bits.number(), bits.number()
    try:
        return Coded(width, height, colours(bits, layers))
    except IndexError:
        return Coded(width, height)


def colours(bits: Bits, layers: int) -> tuple[int, int] | None:
    """Return the colours that follow the size, if nothing comes between that pictures do without.

    Scaling lists, reference pictures and PCM are what videos have; their lengths depend on others.
    """
    if bits.read(1):  # a window of the picture that is shown
        bits.numbers(4)
    bits.numbers(3)
    bits.numbers(3 * (layers + 1 if bits.read(1) else 1))
    bits.numbers(6)
    if bits.read(1) and bits.read(1):  # scaling lists of its own
        return None
    bits.read(2)
    if bits.read(1) or bits.number() or bits.read(1):  # PCM, reference pictures of both kinds
        return None
    bits.read(2)
    if not bits.read(1):  # no description for display (annex E)
        return None
    if bits.read(1) and bits.read(8) == OWN_ASPECT:
        bits.read(32)
    if bits.read(1):
        bits.read(1)
    if bits.read(1) and (bits.read(4), bits.read(1))[1]:
        return bits.read(8), bits.read(8)
    return None
