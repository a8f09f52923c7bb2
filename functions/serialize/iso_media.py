"""HEIF and AVIF (ISO/IEC 23008-12 and 14496-12): boxes that describe a picture's items."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from struct import error, unpack, unpack_from

from av1 import coded_size as av1_size
from hevc import Coded, coded, coded_within
from rejection import ImageRejected, Reason, corrupt, truncated, unsupported
from stripped import Box, Coding, Kept, Stripped

HEIF, AVIF = "HEIF", "AVIF"
CODINGS = {b"hvc1": HEIF, b"hev1": HEIF, b"av01": AVIF}
OTHER_CODINGS = {
    b"avc1": "H.264",
    b"evc1": "EVC",
    b"j2k1": "JPEG 2000",
    b"jpeg": "JPEG",
    b"unci": "plain samples",
    b"vvc1": "H.266",
}
DERIVED = {b"grid", b"iden", b"iovl"}  # pictures made of others
MAX_DERIVED = 4  # one made of one made of ...

HEVC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"}
AV1_BRANDS = {b"avif", b"avis"}
STILL_BRANDS = {b"mif1", b"mif2", b"msf1", b"miaf", b"MiHB", b"MiHE", b"MiHA", b"MiPr"}
# What the decoders look for at a file's beginning, and what to put there instead of others.
MAJOR_BRANDS = {HEIF: (HEVC_BRANDS, b"heic"), AVIF: (AV1_BRANDS, b"avif")}
MAX_BRANDS_BYTES = 256

MAX_ENTRIES = 65_536  # of a box: items, references, properties; a phone's grid has 50
# Boxes of many small numbers; properties may hold an ICC profile. A phone's have 10 KB.
TABLES = {b"iinf", b"iloc", b"iref", b"iprp"}
MAX_TABLE_BYTES = 4_194_304
MAX_SOURCES = 1_024  # coded pictures that one is made of
# 50 megapixels, and what fills up the sides to multiples of 64. A grid's tiles cover it once and
# reach beyond its edges; the pictures of an overlay may cover it a hundred times.
MAX_CODED_PIXELS = 52_000_000
MAX_CODED_PIXELS_IN_ALL = 100_000_000


@dataclass
class Items:
    """The items of a file's meta box."""

    primary: int = 0
    kinds: dict[int, bytes] = field(default_factory=dict)
    references: dict[tuple[bytes, int], tuple[int, ...]] = field(default_factory=dict)
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)  # name and content
    associations: dict[int, list[int]] = field(default_factory=dict)  # with properties, from 1
    places: dict[int, list[tuple[int, int]]] = field(default_factory=dict)  # start and end of data
    descriptions: list[int] = field(default_factory=list)  # where a reference's name "cdsc" is

    def properties_of(self, item: int) -> list[tuple[bytes, bytes]]:
        """Return name and content of an item's properties."""
        numbers = self.associations.get(item, ())
        return [self.properties[n - 1] for n in numbers if 0 < n <= len(self.properties)]

    def property(self, item: int, name: bytes) -> bytes:
        """Return the content of an item's first property of that name."""
        return next((content for n, content in self.properties_of(item) if n == name), b"")

    def auxiliary(self) -> list[int]:
        """Return the items that belong to the primary picture, such as its transparency."""
        return [
            item
            for (kind, item), to in self.references.items()
            if kind == b"auxl" and self.primary in to
        ]

    def sources(self) -> list[int]:
        """Return the coded items that the primary picture is made of, once for each use."""
        found = [self.primary]
        for _ in range(MAX_DERIVED):
            found = [
                source
                for item in found
                for source in (
                    self.references.get((b"dimg", item), ())
                    if self.kinds.get(item) in DERIVED
                    else (item,)
                )
            ]
            if len(found) > MAX_SOURCES:
                raise corrupt(f"the picture is made of more than {MAX_SOURCES:,} others")
        return found


def coding_of(data: bytes) -> str:
    """Return "HEIF" or "AVIF": how the primary picture is coded, or else what the brands say.

    Raises ImageRejected (unsupported_format) for other codings, and for what is no picture.
    """
    brands = set(brands_of(data))
    try:
        items = items_of(data)
    except (error, IndexError):  # cut within; the brands have to do
        items = None
    for item in items.sources() if items else ():
        kind = items.kinds.get(item, b"") if items else b""
        if kind in CODINGS:
            return CODINGS[kind]
        if kind in OTHER_CODINGS:
            raise unsupported(f"the file is a HEIF picture of {OTHER_CODINGS[kind]}")
    if brands & AV1_BRANDS:
        return AVIF
    if brands & (HEVC_BRANDS | STILL_BRANDS):
        if items is None and any(name == b"moov" for name, *_ in top_level(data)):
            raise unsupported("the file is a HEIF sequence without a still picture")
        return HEIF
    raise unsupported("the file is a video, or another ISO media file without a picture")


def brands_of(data: bytes) -> list[bytes]:
    """Return the brands of the file: the major one, then those that it is compatible with."""
    end = min(int.from_bytes(data[:4], "big"), MAX_BRANDS_BYTES)
    return [data[8:12], *(data[at : at + 4] for at in range(16, end - 3, 4))]


def strip(data: bytes) -> Stripped:
    """Return the file without the ties of its metadata to the picture; its boxes stay in place.

    Raises ImageRejected for pictures whose coded data are larger than the decoder has memory for.
    """
    coding = coding_of(data)
    top = list(top_level(data))
    ends_early = not top or top[-1][2] > len(data)
    try:
        items = items_of(data)
    except (error, IndexError):
        raise truncated(coding, data) from None
    if items is None:
        if ends_early:
            raise truncated(coding, data)
        if coding == HEIF:
            raise corrupt("the HEIF file has no picture in it")
        return Stripped(parts=[data])  # an AVIF sequence without a still picture
    check_coded_size(data, items)
    return Stripped(
        parts=patched(data, coding, items),
        ends_early=ends_early or not (b"mdat" in data or b"idat" in data),
        coding=colours_of(items),
        crop=clean_aperture(items) if coding == AVIF else None,  # HEIF's decoder applies it
    )


def patched(data: bytes, coding: str, items: Items) -> list[bytes | memoryview]:
    """Return the file with a brand that its decoder knows, and without metadata of its items.

    EXIF that cannot be read ends libavif, a type that is no text ends libheif's process, and
    both would turn by XMP a picture that the container turns.
    """
    known, brand = MAJOR_BRANDS[coding]
    kept = Kept(data)
    patches = dict.fromkeys(items.descriptions, b"skip")
    major, *compatible = brands_of(data)
    if major not in known:
        patches[8] = brand
    if compatible and known.isdisjoint(compatible):
        patches[16] = brand
    at = 0
    for place, patch in sorted(patches.items()):
        kept.keep(at, place)
        kept.add(patch)
        at = place + 4
    kept.keep(at, len(data))
    return kept.close()


def check_coded_size(data: bytes, items: Items) -> None:
    """Raise ImageRejected if the coded pictures, whatever they declare, are too large."""
    total = 0
    for item in (*items.sources(), *items.auxiliary()):
        sizes = [coded_picture(items, item)[:2]]
        places = items.places.get(item, ())
        if sum(end - start for start, end in places) > len(data):
            raise corrupt("the file's table of item locations is invalid")
        if places:
            content = b"".join(data[start:end] for start, end in places)
            configuration = items.property(item, b"hvcC")
            if items.kinds.get(item) == b"av01":
                with suppress(IndexError):  # the decoder will not find a picture either
                    sizes.append(av1_size(content))
            elif configuration:
                sizes.append(coded_within(configuration, content)[:2])
        if len(declared := items.property(item, b"ispe")) >= 12:
            sizes.append(unpack(">LL", declared[4:12]))
        pixels = max(width * height for width, height in sizes)
        total += pixels
        if pixels > MAX_CODED_PIXELS or total > MAX_CODED_PIXELS_IN_ALL:
            raise ImageRejected(
                Reason.TOO_MANY_PIXELS,
                f"the file holds coded pictures of {total:,} pixels; the limit is "
                f"{MAX_CODED_PIXELS:,} in one, {MAX_CODED_PIXELS_IN_ALL:,} in all. "
                "Upload a smaller picture.",
            )


def coded_picture(items: Items, item: int) -> Coded:
    """Return the size and the colours that an item's HEVC has; no pixels for another coding."""
    configuration = items.property(item, b"hvcC")
    try:
        return coded(configuration) if configuration else Coded(0, 0)
    except (error, IndexError):
        raise corrupt("the HEVC configuration of the HEIF file is invalid") from None


def colours_of(items: Items) -> Coding | None:
    """Return the colours of the primary picture: its own, its first part's, or the codec's."""
    for item in (items.primary, *items.sources()[:1]):
        for name, content in items.properties_of(item):
            if name == b"colr" and content.startswith(b"nclx") and len(content) >= 8:
                return Coding(*unpack(">HH", content[4:8]))
        if colours := coded_picture(items, item).colours:
            return Coding(*colours)
    return None


def clean_aperture(items: Items) -> Box | None:
    """Return the part of the primary picture that its clap box shows (14496-12, 12.1.4)."""
    size, aperture = items.property(items.primary, b"ispe"), items.property(items.primary, b"clap")
    if len(size) < 12 or len(aperture) < 32:
        return None
    whole = unpack(">LL", size[4:12])
    *extents, x_offset, x_by, y_offset, y_by = unpack(">LLLLlLlL", aperture[:32])
    if 0 in (extents[1], extents[3], x_by, y_by):
        return None
    box = []
    for length, part, offset in (
        (whole[0], extents[0] / extents[1], x_offset / x_by),
        (whole[1], extents[2] / extents[3], y_offset / y_by),
    ):
        start = round((length - part) / 2 + offset)
        box.append((start, start + round(part)))
    (left, right), (top, bottom) = box
    inside = 0 <= left < right <= whole[0] and 0 <= top < bottom <= whole[1]
    return (left, top, right, bottom) if inside else None


def top_level(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield the boxes of a file, the last one also if it is cut."""
    try:
        yield from boxes(data, 0, len(data))
    except error:
        return


def boxes(data: bytes, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Yield name, start of the content and end of each box; struct.error: one is cut short."""
    for _ in range(MAX_ENTRIES):
        if at >= end:
            return
        size, name = unpack_from(">L4s", data, at)
        content = at + 8
        if size == 1:  # the size proper, in 64 bits, follows
            (size,) = unpack_from(">Q", data, content)
            content += 8
        stop = end if size == 0 else at + size
        if stop < content:
            raise corrupt("a box of the file is smaller than its header")
        yield name, content, stop
        at = stop
    raise corrupt(f"the file has more than {MAX_ENTRIES:,} boxes in one")


def items_of(data: bytes) -> Items | None:
    """Return the items of the file's meta box; None without one.

    struct.error or IndexError: it is cut short.
    """
    for name, start, end in top_level(data):
        if name == b"meta":
            if end > len(data):
                raise error
            return read_items(data, start + 4, end)
    return None


def read_items(data: bytes, start: int, end: int) -> Items:
    """Read a meta box: its primary item, and the items' kinds, references and properties."""
    items, tables = Items(), 0
    for name, at, stop in boxes(data, start, end):
        tables += stop - at if name in TABLES else 0
        if tables > MAX_TABLE_BYTES:
            raise corrupt(f"the file's tables have more than {MAX_TABLE_BYTES:,} bytes")
        version = data[at]
        identifier = ">L" if version else ">H"
        if name == b"pitm":
            (items.primary,) = unpack_from(identifier, data, at + 4)
        elif name == b"iinf":
            for entry, place, _ in boxes(data, at + (8 if version else 6), stop):
                if entry == b"infe":
                    layout = {2: ">H2x4s", 3: ">L2x4s"}.get(data[place])
                    if layout:
                        number, kind = unpack_from(layout, data, place + 4)
                        items.kinds[number] = kind
        elif name == b"iref":
            for kind, place, _ in boxes(data, at + 4, stop):
                if kind == b"cdsc":
                    items.descriptions.append(place - 4)
                number, count = unpack_from(">LH" if version else ">HH", data, place)
                if count > MAX_SOURCES:
                    raise corrupt(f"an item of the file refers to more than {MAX_SOURCES:,} others")
                place += 6 if version else 4
                found = unpack_from(f">{count}{identifier[1]}", data, place)
                items.references.setdefault((kind, number), found)
        elif name == b"iloc":
            read_places(items, data, at)
        elif name == b"iprp":
            read_properties(items, data, at, stop)
    return items


def read_places(items: Items, data: bytes, at: int) -> None:
    """Read an iloc box (14496-12, 8.11.3): where the data of items lie in the file."""
    version, sizes = data[at], data[at + 4 : at + 6]
    offset_size, length_size = sizes[0] >> 4, sizes[0] & 15
    base_size, index_size = sizes[1] >> 4, sizes[1] & 15 if version else 0
    (count,) = unpack_from(">L" if version == 2 else ">H", data, at + 6)
    at += 10 if version == 2 else 8

    def number(size: int) -> int:
        nonlocal at
        at += size
        return int.from_bytes(data[at - size : at], "big")

    extents_in_all = 0
    for _ in range(count):
        item = number(4 if version == 2 else 2)
        method = number(2) & 15 if version else 0
        number(2)
        base = number(base_size)
        extents = number(2)
        extents_in_all += 1 + extents
        if extents_in_all > MAX_ENTRIES or at > len(data):
            raise corrupt("the file's table of item locations is invalid")
        places = []
        for _ in range(extents):
            number(index_size)
            start = min(base + number(offset_size), len(data))
            length = number(length_size) or len(data)  # 0: up to the file's end
            places.append((start, min(start + length, len(data))))
        if method == 0:  # in the file itself
            items.places.setdefault(item, places)


def read_properties(items: Items, data: bytes, start: int, end: int) -> None:
    """Read an iprp box: the properties, and which items have them."""
    for name, at, stop in boxes(data, start, end):
        if name == b"ipco":
            for kind, place, last in boxes(data, at, stop):
                items.properties.append((kind, data[place:last]))
        elif name == b"ipma":
            version, wide = data[at], data[at + 3] & 1
            (entries,) = unpack_from(">L", data, at + 4)
            if entries > MAX_ENTRIES:
                raise corrupt(f"the file has more than {MAX_ENTRIES:,} items")
            at += 8
            for _ in range(entries):
                number, count = unpack_from(">LB" if version else ">HB", data, at)
                at += 5 if version else 3
                found = unpack_from(f">{count}{'H' if wide else 'B'}", data, at)
                at += count * (2 if wide else 1)
                essential = 0x7FFF if wide else 0x7F  # the highest bit says: not to be ignored
                items.associations[number] = [index & essential for index in found]
