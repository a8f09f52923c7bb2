"""HEIF and AVIF files, their boxes written here around what an encoder made."""

import struct
from collections.abc import Sequence

from PIL import Image

from tests.functions.serialize.pictures import file_of
from tests.support.functions import load_function

iso_media = load_function("serialize", "iso_media")

DISPLAY_P3, BT2020, SRGB_CURVE, PQ, HLG = 12, 9, 13, 16, 18


def box(name: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">L4s", 8 + len(content), name) + content


def full(name: bytes, *contents: bytes, version: int = 0, flags: int = 0) -> bytes:
    return box(name, struct.pack(">L", version << 24 | flags), *contents)


def size_of(width: int, height: int) -> tuple[bytes, bytes]:
    return b"ispe", struct.pack(">LLL", 0, width, height)


def colours(primaries: int, transfer: int) -> tuple[bytes, bytes]:
    """Return code points; the matrix is that of the encoders here, BT.601."""
    return b"colr", b"nclx" + struct.pack(">HHHB", primaries, transfer, 6, 0x80)


def clean_aperture(width: int, height: int, right: int, down: int) -> tuple[bytes, bytes]:
    """Return a part of the picture, its centre so far from the picture's."""
    return b"clap", struct.pack(">LLLLlLlL", width, 1, height, 1, right, 1, down, 1)


def parameter_set(width: int, height: int) -> bytes:
    """Return a sequence parameter set of HEVC up to the size, of 4:2:0."""

    def number(value: int) -> str:  # in Exp-Golomb code
        digits = f"{value + 1:b}"
        return "0" * (len(digits) - 1) + digits

    bits = "0" * (4 + 3 + 1 + 96) + number(0) + number(1) + number(width) + number(height) + "1"
    bits += "0" * (-len(bits) % 8)
    return b"\x42\1" + int("1" + bits, 2).to_bytes(len(bits) // 8 + 1, "big")[1:]


def configuration(width: int, height: int) -> tuple[bytes, bytes]:
    """Return the configuration of HEVC with that size in its only parameter set."""
    unit = parameter_set(width, height)
    header = bytes(16) + b"\1" + bytes(5)
    return b"hvcC", header + b"\1\x21" + struct.pack(">HH", 1, len(unit)) + unit


def av1_header(width: int, height: int) -> bytes:
    """Return the short header of a still picture of AV1, behind a temporal delimiter."""
    bits = f"00011{0:05b}{15:04b}{15:04b}{width - 1:016b}{height - 1:016b}1"
    body = int(bits.ljust(56, "0"), 2).to_bytes(7, "big")
    return b"\x12\0\x0a" + bytes([len(body)]) + body


def coded(image: Image.Image, kind: str) -> tuple[list[tuple[bytes, bytes]], bytes]:
    """Return the properties of a picture without colours, and its coded data."""
    options = {"subsampling": "4:4:4"} if kind == "AVIF" else {"chroma": 444, "quality": 90}
    data = file_of(image, kind, **options)
    items = iso_media.items_of(data)
    found = [item for item in items.properties_of(items.primary) if item[0] != b"colr"]
    at = data.index(b"mdat")
    (size,) = struct.unpack(">L", data[at - 4 : at])
    return found, data[at + 4 : at - 4 + size]


def heif(
    items: Sequence[tuple[bytes, bytes, Sequence[tuple[bytes, bytes]]]],
    references: Sequence[tuple[bytes, int, Sequence[int]]] = (),
    brands: Sequence[bytes] = (b"heic", b"mif1", b"heic"),
) -> bytes:
    """Return a file of items: type, data and properties; the first, number 1, is the primary.

    references: type, from, to which.
    """
    beginning = box(b"ftyp", brands[0], bytes(4), *brands[1:])
    properties = [item for _, _, own in items for item in own]
    number, links = 1, b""
    for index, (_, _, own) in enumerate(items, 1):
        numbers = range(number, number + len(own))
        links += struct.pack(">HB", index, len(own)) + bytes(0x80 | n for n in numbers)
        number += len(own)

    def meta(start: int) -> bytes:
        places, at = b"", start
        for index, (_, data, _) in enumerate(items, 1):
            places += struct.pack(">HHHLL", index, 0, 1, at, len(data))
            at += len(data)
        return full(
            b"meta",
            full(b"hdlr", bytes(4), b"pict", bytes(13)),
            full(b"pitm", struct.pack(">H", 1)),
            full(b"iloc", struct.pack(">BBH", 0x44, 0, len(items)), places),
            full(
                b"iinf",
                struct.pack(">H", len(items)),
                *(
                    full(
                        b"infe",
                        struct.pack(">HH", index, 0),
                        kind + b"\0" + b"application/rdf+xml\0" * (kind == b"mime"),
                        version=2,
                    )
                    for index, (kind, _, _) in enumerate(items, 1)
                ),
            ),
            full(
                b"iref",
                *(
                    box(kind, struct.pack(f">{2 + len(to)}H", origin, len(to), *to))
                    for kind, origin, to in references
                ),
            ),
            box(
                b"iprp",
                box(b"ipco", *(box(name, content) for name, content in properties)),
                full(b"ipma", struct.pack(">L", len(items)), links),
            ),
        )

    start = len(beginning) + len(meta(0)) + 8
    return beginning + meta(start) + box(b"mdat", *(data for _, data, _ in items))


def still(
    image: Image.Image,
    kind: str = "HEIF",
    *more: tuple[bytes, bytes],
    size: tuple[int, int] | None = None,
    brands: Sequence[bytes] | None = None,
) -> bytes:
    """Return a picture with more properties; size: what it declares instead of its own."""
    own, data = coded(image, kind)
    if size:
        own = [size_of(*size) if name == b"ispe" else (name, body) for name, body in own]
    coding, usual = (b"hvc1", b"heic") if kind == "HEIF" else (b"av01", b"avif")
    return heif([(coding, data, [*own, *more])], brands=brands or (usual, b"mif1", usual))


def with_metadata(image: Image.Image, kind: str, item: bytes, data: bytes) -> bytes:
    """Return a picture with an item that describes it."""
    own, pixels = coded(image, kind)
    coding, brand = (b"hvc1", b"heic") if kind == "HEIF" else (b"av01", b"avif")
    items = [(coding, pixels, own), (item, data, [])]
    return heif(items, [(b"cdsc", 2, [1])], (brand, b"mif1", brand))


def identity(image: Image.Image, *turns: tuple[bytes, bytes]) -> bytes:
    """Return a HEIF whose primary picture is another one, turned."""
    own, data = coded(image, "HEIF")
    items = [(b"iden", b"", [size_of(*image.size), *turns]), (b"hvc1", data, own)]
    return heif(items, [(b"dimg", 1, [2])])
