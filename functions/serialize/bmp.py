"""BMP: a Windows bitmap, of one of seven headers."""

from collections.abc import Sequence
from operator import add
from struct import error, pack, unpack_from

from rejection import corrupt, truncated, unsupported
from stripped import Stripped

CORE_HEADER, OS2_HEADER = 12, 64  # bytes
RAW, RUNS_OF_8, RUNS_OF_4, BIT_FIELDS, JPEG, PNG, ALPHA_BIT_FIELDS = range(7)  # compressions
DEPTHS = {1, 4, 8, 16, 24, 32}  # bits a pixel

# Red, green, blue and alpha, as Pillow reads them.
MASKS = {
    16: {(0xF800, 0x7E0, 0x1F, 0), (0x7C00, 0x3E0, 0x1F, 0)},
    24: {(0xFF0000, 0xFF00, 0xFF, 0)},
    32: {
        (0xFF0000, 0xFF00, 0xFF, 0),
        (0xFF0000, 0xFF00, 0xFF, 0xFF000000),
        (0xFF, 0xFF00, 0xFF0000, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF000000, 0xFF0000, 0xFF00, 0),
        (0, 0, 0, 0),  # which says nothing: blue, green, red and alpha
    },
}


def strip(data: bytes) -> Stripped:
    """Return the file, which holds nothing that its pixels can spare; rare layouts as a usual one.

    Raises ImageRejected for compressions that are formats of their own.
    """
    try:
        header, *_ = unpack_from("<L", data, 14)
        if header == CORE_HEADER:
            (depth,), compression = unpack_from("<H", data, 24), RAW
        else:
            depth, compression = unpack_from("<HL", data, 28)
        if compression > ALPHA_BIT_FIELDS or (header == OS2_HEADER and compression > RUNS_OF_4):
            raise unsupported("the file is a BMP with a compression that few programs read")
        if compression in (JPEG, PNG):
            raise unsupported("the file is a BMP that holds a JPEG or a PNG")
        if depth not in DEPTHS:
            raise unsupported(f"the file is a BMP of {depth} bits a pixel")
        parts: Sequence[bytes] = [data]
        crop = None
        if compression in (BIT_FIELDS, ALPHA_BIT_FIELDS):
            fields = 4 if header > 52 or compression == ALPHA_BIT_FIELDS else 3
            masks = (*unpack_from(f"<{fields}L", data, 54), 0)[:4]
            if compression == ALPHA_BIT_FIELDS or masks not in MASKS.get(depth, ()):
                parts = with_usual_masks(data, depth, masks)
                width, height = unpack_from("<ll", data, 18)
                crop = (0, 0, width, abs(height))
    except error:
        raise truncated("BMP", data) from None
    return Stripped(
        parts=parts,
        ends_early=int.from_bytes(data[2:6], "little") > len(data),
        crop=crop,
        other_limit=compression in (RUNS_OF_8, RUNS_OF_4),
    )


def with_usual_masks(data: bytes, depth: int, masks: tuple[int, ...]) -> list[bytes]:
    """Return the BMP with 8 bits a sample: blue, green, red and alpha, in this order of bytes."""
    if depth not in (16, 32):
        raise corrupt(f"the BMP has bit fields in pixels of {depth} bits")
    (start,), (width, height) = unpack_from("<L", data, 10), unpack_from("<ll", data, 18)
    row = (width * depth + 31) // 32 * 4  # bytes; rows begin at multiples of 4
    pixels = data[start : start + row * abs(height)]
    if width <= 0 or not height:
        raise corrupt("the BMP has no pixels")
    if len(pixels) < row * abs(height):
        raise truncated("BMP", data)
    step = depth // 8
    samples = bytearray(len(pixels) // step * 4)
    for position, mask in zip((2, 1, 0, 3), masks, strict=True):
        if mask >> depth or f"{mask:b}".strip("0").count("0"):
            raise corrupt("the bit masks of the BMP are invalid")
        if mask:
            samples[position::4] = channel(pixels, step, mask)
    # What fills up the rows becomes pixels, which `crop` leaves out.
    usual = (0xFF0000, 0xFF00, 0xFF, 0xFF000000 if masks[3] else 0)
    header = pack(
        "<LllHHLLllLL4L52x",
        *(108, row // step, height, 1, 32, BIT_FIELDS, len(samples), 0, 0, 0, 0),
        *usual,
    )
    return [b"BM" + pack("<LLL", 122 + len(samples), 0, 122) + header, bytes(samples)]


def channel(pixels: bytes, step: int, mask: int) -> bytes:
    """Return the samples of 8 bits that a mask selects; step: bytes a pixel."""
    low = mask & -mask
    most = mask // low
    total = b""
    for lane in range(step):
        part = mask >> (8 * lane) & 0xFF
        if part:
            scale = (1 << 8 * lane) * 255
            table = bytes((value & part) * scale // (low * most) for value in range(256))
            found = pixels[lane::step].translate(table)
            total = bytes(map(add, total, found)) if total else found
    return total
