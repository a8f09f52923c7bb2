"""Kinds of files that public bug reports of other programs tell of, each rebuilt here by code."""

import contextlib
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, PngImagePlugin

from tests.functions.serialize import rare_heifs as heifs
from tests.functions.serialize import rare_jpegs as jpegs
from tests.functions.serialize import rare_pngs as pngs
from tests.functions.serialize.outcomes import (
    TOLERANCE,
    ImageRejected,
    canonical,
    check_quarters,
    picture_of,
    sentence_of,
)
from tests.functions.serialize.pictures import Sample, corpus, file_of, quarters
from tests.functions.serialize.rare_bmps import JPEG as BMP_JPEG
from tests.functions.serialize.rare_bmps import bmp, packed
from tests.functions.serialize.rare_tiffs import tiff

WHITE = (255, 255, 255)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
JPEG = file_of(quarters(), "JPEG")
DETAILED = file_of(jpegs.detailed(), "JPEG", quality=85)
PROGRESSIVE = file_of(jpegs.detailed(), "JPEG", quality=85, progressive=True)


# --- Scans are those of the first picture --------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(jpegs.with_thumbnail(JPEG), id="a-progressive-thumbnail"),
        pytest.param(jpegs.motion_photo(), id="a-video-behind-it"),
        pytest.param(JPEG + JPEG, id="another-picture-behind-it"),
        pytest.param(JPEG[:2] + b"\xff\xff\xff" + JPEG[2:], id="fill-bytes-before-a-marker"),
        pytest.param(JPEG.replace(b"\xff\xc4", b"\0\0\xff\xc4"), id="zeros-between-segments"),
    ],
)
def test_only_scans_of_the_first_picture_are_counted(data: bytes) -> None:
    check_quarters(picture_of(data))


def test_a_camera_picture_above_64_megapixels_may_have_a_thumbnail() -> None:
    vast = file_of(Image.new("L", (10_000, 6_500), 90), "JPEG")
    assert picture_of(jpegs.with_thumbnail(vast)).getpixel((9, 9)) == (90, 90, 90)


def test_above_64_megapixels_a_jpeg_has_one_scan_of_all_components() -> None:
    progressive = file_of(Image.new("L", (10_000, 6_500)), "JPEG", progressive=True)
    assert sentence_of(progressive)[0] == "too_many_pixels"
    assert sentence_of(jpegs.one_of_three(10_000, 6_500))[0] == "corrupt"


# --- Orientation is EXIF's, or the container's ---------------------------------------------------


def xmp_png() -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_itxt("XML:com.adobe.xmp", jpegs.stale_xmp().decode())
    return file_of(quarters(), "PNG", pnginfo=notes)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(
            jpegs.with_segments(
                JPEG, jpegs.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + jpegs.stale_xmp())
            ),
            id="JPEG",
        ),
        pytest.param(xmp_png(), id="PNG"),
        pytest.param(file_of(quarters(), "WEBP", xmp=jpegs.stale_xmp()), id="WebP"),
        pytest.param(file_of(quarters(), "TIFF", tiffinfo={700: jpegs.stale_xmp()}), id="TIFF"),
        pytest.param(file_of(quarters(), "AVIF", xmp=jpegs.stale_xmp()), id="AVIF"),
        pytest.param(
            heifs.with_metadata(quarters(), "HEIF", b"mime", jpegs.stale_xmp()), id="HEIF"
        ),
    ],
)
def test_xmp_turns_no_picture(data: bytes) -> None:
    assert b"Orientation" in data
    check_quarters(picture_of(data))


def test_a_heif_is_turned_by_its_container_alone() -> None:
    exif = b"\0\0\0\0MM\0*\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\x06\0\0\0\0\0\0"
    check_quarters(picture_of(heifs.with_metadata(quarters(), "HEIF", b"Exif", exif)))


# --- What is no pixel spoils none ----------------------------------------------------------------


def text(size: int) -> bytes:
    return pngs.chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * size))


def profile(data: bytes = SRGB, method: int = 0, broken: bool = False) -> bytes:
    return pngs.chunk(b"iCCP", b"sRGB\0" + bytes([method]) + zlib.compress(data), broken)


@pytest.mark.parametrize("behind", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(text(2_000_000), id="text-of-2-MB"),
        pytest.param(text(2_000_000) * 40, id="texts-of-80-MB"),
        pytest.param(pngs.chunk(b"iTXt", b"\xff" * 99), id="text-that-is-none"),
        pytest.param(profile(SRGB.ljust(1_500_000, b"\0")), id="profile-of-1.5-MB"),
        pytest.param(profile(method=7), id="profile-by-an-unknown-method"),
        pytest.param(profile(broken=True), id="profile-with-a-bad-check-sum"),
        pytest.param(pngs.chunk(b"iCCP", b"no profile"), id="profile-that-is-none"),
        pytest.param(pngs.chunk(b"pHYs", bytes(9), broken=True), id="density-with-a-bad-check-sum"),
        pytest.param(pngs.chunk(b"eXIf", b"no EXIF"), id="EXIF-that-is-none"),
        pytest.param(pngs.chunk(b"gAMA", b"1"), id="gamma-that-is-none"),
        pytest.param(pngs.chunk(b"gAMA", bytes(4)), id="gamma-of-0"),
        pytest.param(pngs.chunk(b"acTL", bytes(3)), id="animation-that-is-none"),
        pytest.param(pngs.chunk(b"PLTE", bytes(6), broken=True), id="palette-beside-RGB"),
        pytest.param(pngs.chunk(b"abCd", b"?" * 99, broken=True), id="unknown"),
    ],
)
def test_a_chunk_that_holds_no_pixels_does_not_spoil_a_png(chunk: bytes, behind: bool) -> None:
    data = pngs.of_quarters(behind=chunk) if behind else pngs.of_quarters(before=chunk)
    check_quarters(picture_of(data))


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
@pytest.mark.parametrize(
    ("item", "data"),
    [
        pytest.param(b"Exif", b"\0\0\0\0no TIFF header", id="unreadable-EXIF"),
        pytest.param(b"mime", b"\xff<", id="unreadable-XMP"),
        pytest.param(b"\xff\xfe\xff\xfe", b"?", id="of-a-type-that-is-no-text"),
    ],
)
def test_metadata_do_not_spoil_a_heif_or_avif(kind: str, item: bytes, data: bytes) -> None:
    check_quarters(picture_of(heifs.with_metadata(quarters(), kind, item, data)))


def test_entries_that_share_one_value_take_no_memory() -> None:
    entries = b"".join(struct.pack("<HHLL", tag, 7, 60_000, 8) for tag in range(5_000, 9_000))
    exif = b"II*\0" + struct.pack("<LH", 8, 4_000) + entries
    check_quarters(picture_of(jpegs.with_segments(JPEG, jpegs.segment(0xE1, b"Exif\0\0" + exif))))


# --- Transparency lies on white ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("depth", "colours", "clear", "opaque", "shown"),
    [
        (1, pngs.GREY, 0, 1, 255),
        (1, pngs.GREY, 1, 0, 0),
        (2, pngs.GREY, 1, 2, 170),
        (4, pngs.GREY, 3, 7, 119),
        (8, pngs.GREY, 9, 99, 99),
        (16, pngs.GREY, 1234, 1235, 4),
        (8, pngs.RGB, 9, 99, 99),
        (16, pngs.RGB, 0x1234, 0x5678, 0x56),
    ],
)
def test_the_transparent_sample_of_a_png_is_white(
    depth: int, colours: int, clear: int, opaque: int, shown: int
) -> None:
    image = picture_of(pngs.half_clear(depth, colours, clear, opaque))
    assert image.getpixel((4, 4)) == WHITE
    assert image.getpixel((28, 4)) == pytest.approx((shown,) * 3, abs=1)


def small_frame_gif() -> bytes:
    """Return a frame of 64 x 48 at 20, 10 of a canvas of 100 x 80."""
    gif = file_of(quarters().quantize(4), "GIF")
    at = gif.index(b",\0\0\0\0\x40\0\x30\0")
    place = struct.pack("<HH", 20, 10)
    return gif[:6] + struct.pack("<HH", 100, 80) + gif[10 : at + 1] + place + gif[at + 5 :]


def small_frame_webp() -> bytes:
    """Return the same as a WebP."""
    webp = file_of(
        quarters(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (64, 48))]
    )
    at = webp.index(b"ANMF") + 8
    canvas = (99).to_bytes(3, "little") + (79).to_bytes(3, "little")
    place = (10).to_bytes(3, "little") + (5).to_bytes(3, "little")
    return webp[:24] + canvas + webp[30:at] + place + webp[at + 6 :]


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(small_frame_gif(), id="GIF"),
        pytest.param(
            small_frame_gif().replace(b",\x14", b"\0,\x14"), id="GIF-with-a-block-ended-twice"
        ),
        pytest.param(small_frame_webp(), id="WebP"),
    ],
)
def test_around_a_first_frame_that_is_smaller_than_its_canvas_is_white(data: bytes) -> None:
    image = picture_of(data)
    assert image.size == (100, 80)
    assert image.getpixel((19, 9)) == image.getpixel((85, 59)) == WHITE
    check_quarters(image.crop((20, 10, 84, 58)))


def test_a_bmp_whose_alpha_is_0_everywhere_is_opaque() -> None:
    masks = (0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    pixels = quarters().transpose(Image.Transpose.FLIP_TOP_BOTTOM).convert("RGBA")
    pixels.putalpha(0)
    data = bmp((64, 48), 32, pixels.tobytes("raw", "BGRA"), masks)
    check_quarters(picture_of(data))


# --- Values of TIFF ------------------------------------------------------------------------------


def samples(image: Image.Image, bits: int, inverted: bool = False) -> bytes:
    """Return the grey samples of a picture in so many bits, packed; 16 little-endian."""
    most = 2**bits - 1
    values = [round(sample * most / 255) for sample in image.convert("L").tobytes()]
    values = [most - value for value in values] if inverted else values
    if bits == 16:
        return struct.pack(f"<{len(values)}H", *values)
    text = "".join(f"{value:0{bits}b}" for value in values)
    return int(text, 2).to_bytes(len(text) // 8, "big")


@pytest.mark.parametrize("inverted", [False, True], ids=["black-is-0", "white-is-0"])
@pytest.mark.parametrize("bits", [4, 8, 12, 16])
def test_grey_of_any_depth_is_as_bright_as_it_is(bits: int, inverted: bool) -> None:
    data = tiff((64, 48), [samples(quarters(), bits, inverted)], [bits], not inverted)
    check_quarters(picture_of(data), grey=True)


def test_grey_of_16_bits_that_does_not_say_which_end_is_white_has_black_at_zero() -> None:
    data = tiff((64, 48), [samples(quarters(), 16)], [16], 1)
    photometric, unknown = (struct.pack("<HHL", tag, 3, 1) for tag in (262, 263))
    assert photometric in data
    check_quarters(picture_of(data.replace(photometric, unknown)), grey=True)


@pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])
@pytest.mark.parametrize("bits", [8, 16])
def test_planes_may_lie_apart(bits: int, order: str) -> None:
    planes = [
        band.tobytes()
        if bits == 8
        else struct.pack(f"{order}3072H", *(257 * s for s in band.tobytes()))
        for band in quarters().split()
    ]
    data = tiff((64, 48), planes, [bits] * 3, 2, (284, 2), order=order)
    check_quarters(picture_of(data))


# --- Healthy, but of a kind that is not supported ------------------------------------------------


def float_tiff() -> bytes:
    return tiff((2, 2), [bytes(48)], [32, 32, 32], 2, (339, 3))


def sequence() -> bytes:
    beginning = heifs.box(b"ftyp", b"hevc", bytes(4), b"msf1", b"hevc")
    return beginning + heifs.box(b"moov", bytes(99)) + heifs.box(b"mdat", bytes(99))


def of_coding(coding: bytes, *brands: bytes) -> bytes:
    return heifs.heif([(coding, b"data", [heifs.size_of(64, 48)])], brands=(*brands, b"mif1"))


@pytest.mark.parametrize(
    ("data", "what"),
    [
        pytest.param(jpegs.as_frame(JPEG, 0xC1, bits=12), "12 bits", id="JPEG-of-12-bits"),
        pytest.param(jpegs.as_frame(JPEG, 0xC3), "lossless JPEG", id="lossless-JPEG"),
        pytest.param(jpegs.as_frame(JPEG, 0xF7), "JPEG-LS", id="JPEG-LS"),
        pytest.param(jpegs.as_frame(JPEG, 0xC9), "arithmetic", id="arithmetic-JPEG"),
        pytest.param(jpegs.as_frame(JPEG, 0xC5), "hierarchical", id="hierarchical-JPEG"),
        pytest.param(
            pngs.SIGNATURE + pngs.chunk(b"CgBI", bytes(4)) + pngs.of_quarters()[8:],
            "iOS",
            id="PNG-of-Apple",
        ),
        pytest.param(
            bmp((64, 48), 0, JPEG, compression=BMP_JPEG), "holds a JPEG", id="BMP-of-JPEG"
        ),
        pytest.param(bmp((8, 8), 2, bytes(99), compression=0), "2 bits", id="BMP-of-2-bits"),
        pytest.param(float_tiff(), "floating-point", id="TIFF-of-floats"),
        pytest.param(tiff((4, 4), [bytes(64)], [16, 16], 1, (338, 2)), "16 bits", id="TIFF-LA-16"),
        pytest.param(tiff((4, 4), [b"x"], [8], 1, compression=50002), "JPEG XL", id="TIFF-JPEG-XL"),
        pytest.param(
            tiff((4, 4), [b"x"], [8], 1, compression=34712), "JPEG 2000", id="TIFF-JPEG-2000"
        ),
        pytest.param(tiff((4, 4), [bytes(16)], [8], 32803), "raw picture", id="DNG"),
        pytest.param(b"II+\0\x08\0\0\0" + bytes(99), "BigTIFF", id="BigTIFF"),
        pytest.param(sequence(), "sequence without a still", id="HEIF-sequence"),
        pytest.param(of_coding(b"avc1", b"avci"), "H.264", id="HEIF-of-H.264"),
        pytest.param(of_coding(b"j2k1", b"j2ki"), "JPEG 2000", id="HEIF-of-JPEG-2000"),
        pytest.param(of_coding(b"vvc1", b"vvic"), "H.266", id="HEIF-of-H.266"),
        pytest.param(heifs.box(b"ftyp", b"isom", bytes(4), b"mp42"), "video", id="video"),
        pytest.param(b"\xff\x0a" + bytes(40), "JPEG XL", id="JPEG-XL"),
    ],
)
def test_a_healthy_file_that_nothing_here_reads_is_called_what_it_is(
    data: bytes, what: str
) -> None:
    reason, sentence = sentence_of(data)
    assert reason == "unsupported_format"
    assert what in sentence
    assert "JPEG" in sentence.rpartition("ave ")[2] or "one of these" in sentence


@pytest.mark.parametrize(
    "brands",
    [(b"MiHB", b"mif1", b"heic"), (b"miaf", b"heic"), (b"mif1", b"miaf"), (b"heix", b"mif1")],
    ids=lambda brands: brands[0].decode(),
)
def test_rare_brands_of_heif_are_read(brands: tuple[bytes, ...]) -> None:
    check_quarters(picture_of(heifs.still(quarters(), brands=brands)))


def test_rare_brands_of_avif_are_read() -> None:
    check_quarters(picture_of(heifs.still(quarters(), "AVIF", brands=(b"MiAB", b"avif", b"mif1"))))


def test_a_heif_whose_picture_is_another_one_turned_is_read() -> None:
    turned = quarters(48, 64).transpose(Image.Transpose.ROTATE_90)
    image = picture_of(heifs.identity(turned, (b"irot", b"\3")))
    assert image.size == (48, 64)
    check_quarters(image)


def test_a_heif_that_declares_more_rows_than_it_has_is_read() -> None:
    check_quarters(picture_of(heifs.still(quarters(64, 64), size=(64, 67))))


@pytest.mark.parametrize(
    ("depth", "masks"),
    [
        (16, (0xF00, 0xF0, 0xF, 0xF000)),
        (16, (0x1F, 0x7E0, 0xF800, 0)),
        (16, (0x7C00, 0x3E0, 0x1F, 0x8000)),
        (32, (0xFF, 0xFF00, 0xFF0000, 0)),
        (32, (0xFF00, 0xFF0000, 0xFF000000, 0xFF)),
        (32, (0x3FF00000, 0xFFC00, 0x3FF, 0)),
    ],
)
@pytest.mark.parametrize("width", [64, 63])
def test_bit_fields_may_lie_anywhere(
    width: int, depth: int, masks: tuple[int, int, int, int]
) -> None:
    image = picture_of(packed(quarters(width, 48), depth, masks))
    assert image.size == (width, 48)
    check_quarters(image)


# --- Damage --------------------------------------------------------------------------------------


def gif_of_half_its_rows() -> bytes:
    half = file_of(quarters(300, 50).quantize(4), "GIF")
    return half.replace(struct.pack("<HH", 300, 50), struct.pack("<HH", 300, 100))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pngs.of_quarters(part=0.5), id="PNG-of-half-its-rows"),
        pytest.param(pngs.of_quarters(part=0.99), id="PNG-without-its-last-row"),
        pytest.param(pngs.clipped(pngs.of_quarters(), b"IDAT"), id="PNG-check-sum-of-pixels"),
        pytest.param(gif_of_half_its_rows(), id="GIF-of-half-its-rows"),
        pytest.param(jpegs.cut_scan(DETAILED, 0.5), id="JPEG-of-half-its-scan"),
        pytest.param(jpegs.cut_scan(DETAILED, 0.9), id="JPEG-of-most-of-its-scan"),
        pytest.param(
            jpegs.cut_scan(file_of(Image.new("RGB", (99, 99)), "JPEG"), 0.5), id="black-JPEG"
        ),
        pytest.param(jpegs.without_scans(PROGRESSIVE, 1), id="JPEG-of-1-scan-of-10"),
        pytest.param(jpegs.without_scans(PROGRESSIVE, 9), id="JPEG-of-9-scans-of-10"),
        pytest.param(DETAILED.replace(b"\n", b"\r\n"), id="JPEG-sent-as-text"),
        pytest.param(PROGRESSIVE.replace(b"\n", b"\r\n"), id="progressive-JPEG-sent-as-text"),
        pytest.param(
            file_of(jpegs.detailed(), "JPEG", optimize=True).replace(b"\n", b"\r\n"),
            id="JPEG-with-tables-of-its-own-sent-as-text",
        ),
        pytest.param(DETAILED.replace(b"\r", b"\n"), id="JPEG-sent-as-a-text-of-old-Macs"),
        pytest.param(DETAILED.replace(b"\r", b""), id="JPEG-sent-as-a-text-of-Unix"),
        pytest.param(
            file_of(jpegs.detailed(), "WEBP").replace(b"\n", b"\r\n"), id="WebP-sent-as-text"
        ),
        pytest.param(
            file_of(jpegs.detailed(), "HEIF").replace(b"\r", b"\n"), id="HEIF-sent-as-text"
        ),
        pytest.param(pngs.of_quarters().replace(b"\r\n", b"\n"), id="PNG-sent-as-text"),
        pytest.param(JPEG.decode("utf-8", "replace").encode(), id="JPEG-kept-as-UTF-8"),
        pytest.param(b"\xff\xd8" + JPEG, id="JPEG-with-two-beginnings"),
        pytest.param(JPEG.partition(b"\xff\xda")[0] + jpegs.EOI, id="JPEG-without-a-scan"),
    ],
)
def test_damage_is_corrupt_though_the_end_is_there(data: bytes) -> None:
    reason, sentence = sentence_of(data)
    assert reason == "corrupt"
    assert "Upload the original file again." in sentence


def test_the_check_sum_of_a_pngs_end_is_not_looked_at() -> None:
    check_quarters(picture_of(pngs.of_quarters()[:-1]))
    check_quarters(picture_of(pngs.of_quarters()[:-1] + b"?"))


def test_a_picture_that_lacks_nothing_but_its_end_marker_is_read() -> None:
    assert picture_of(DETAILED[:-2]).tobytes() == picture_of(DETAILED + b"more").tobytes()


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(DETAILED[: len(DETAILED) // 2], id="JPEG"),
        pytest.param(PROGRESSIVE[: len(PROGRESSIVE) // 2], id="progressive-JPEG"),
    ],
)
def test_what_ends_early_is_truncated(data: bytes) -> None:
    reason, sentence = sentence_of(data)
    assert reason == "truncated"
    assert f"{len(data):,} bytes" in sentence


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF"])
@pytest.mark.parametrize("colour", ["black", "white", "grey", "#0d0a0d"])
def test_a_picture_of_one_colour_is_whole(kind: str, colour: str) -> None:
    image = Image.new("RGB", (90, 70), colour)
    shown = picture_of(file_of(image, kind)).getpixel((80, 60))
    assert shown == pytest.approx(image.getpixel((80, 60)), abs=1)


@pytest.mark.parametrize(
    "masks", [(0x7800000, 0xF0, 0xF, 0), (0xF0F, 0xF0, 0xF000, 0)], ids=["beyond", "apart"]
)
def test_bit_fields_that_are_none_are_corrupt(masks: tuple[int, int, int, int]) -> None:
    assert sentence_of(bmp((4, 4), 16, bytes(32), masks))[0] == "corrupt"


def test_an_animation_without_a_canvas_is_corrupt() -> None:
    assert sentence_of(small_frame_webp().replace(b"VP8X", b"VP?X"))[0] == "corrupt"


@given(
    st.sampled_from(sorted((s for s in corpus() if len(s.data) < 24_000), key=lambda s: s.name)),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=9),
    st.floats(0.3, 1),
)
@settings(max_examples=300, deadline=None)
def test_any_damage_is_a_rejection_or_a_picture(
    sample: Sample, changes: list[tuple[float, int]], part: float
) -> None:
    data = bytearray(sample.data)
    for place, value in changes:
        data[int(place * (len(data) - 1))] = value
    with contextlib.suppress(ImageRejected):
        picture = canonical.canonical_picture(bytes(data[: int(len(data) * part)]))
        assert len(picture.data) <= canonical.MAX_DATA_BYTES


# --- What passes unchanged -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(pngs.of_quarters(pngs.chunk(b"caBX", b"who made it")), id="unknown-chunk"),
        pytest.param(pngs.of_quarters(behind=pngs.chunk(b"tEXt", b"Author\0I")), id="text-behind"),
        pytest.param(pngs.of_quarters() + b"and more", id="bytes-behind-a-PNG"),
        pytest.param(
            pngs.png((2, 1), 8, pngs.RGB, b"\0" + bytes(6) + b"bytes behind the rows"),
            id="bytes-behind-the-rows",
        ),
        pytest.param(JPEG + jpegs.with_thumbnail(JPEG), id="second-picture"),
        pytest.param(
            jpegs.with_segments(JPEG, jpegs.segment(0xEB, b"JP\0\1 who made it")), id="APP11"
        ),
        pytest.param(
            JPEG[:2] + jpegs.segment(0xE0, b"JFXX\0\x10" + JPEG) + JPEG[2:], id="JFXX-thumbnail"
        ),
        pytest.param(JPEG[:-2] + jpegs.segment(0xFE, b"me") + jpegs.EOI, id="comment-behind"),
    ],
)
def test_a_small_file_that_carries_more_than_its_picture_is_encoded_anew(data: bytes) -> None:
    assert canonical.canonical_picture(data).data not in (data, b"")


# --- Colours without a profile -------------------------------------------------------------------

# Colours of sRGB as Display P3 has them (CSS Color 4, 17.4: conversion by way of CIE XYZ).
P3_OF_SRGB = {(234, 51, 35): (255, 0, 0), (117, 251, 76): (0, 255, 0), (0, 0, 245): (0, 0, 255)}


def cicp(primaries: int, transfer: int) -> bytes:
    return pngs.chunk(b"cICP", bytes([primaries, transfer, 0, 1]))


def one_colour(colour: tuple[int, ...], *chunks: bytes) -> bytes:
    return pngs.png((64, 48), 8, pngs.RGB, (b"\0" + bytes(colour) * 64) * 48, b"".join(chunks))


@pytest.mark.parametrize("kind", ["PNG", "HEIF", "AVIF"])
@pytest.mark.parametrize("colour", P3_OF_SRGB, ids=["red", "green", "blue"])
def test_display_p3_by_code_points_becomes_srgb(kind: str, colour: tuple[int, int, int]) -> None:
    if kind == "PNG":
        data = one_colour(colour, cicp(heifs.DISPLAY_P3, heifs.SRGB_CURVE))
    else:
        image = Image.new("RGB", (64, 48), colour)
        data = heifs.still(image, kind, heifs.colours(heifs.DISPLAY_P3, heifs.SRGB_CURVE))
    assert picture_of(data).getpixel((30, 20)) == pytest.approx(P3_OF_SRGB[colour], abs=TOLERANCE)


@pytest.mark.parametrize("kind", ["PNG", "HEIF", "AVIF"])
@pytest.mark.parametrize(
    ("transfer", "sample", "shown"),
    [
        # White paper, 203 cd/m2, and a tenth of it (ITU-R BT.2408, table 1; ST 2084).
        pytest.param(heifs.PQ, 148, 246, id="PQ-white"),
        pytest.param(heifs.PQ, 92, 89, id="PQ-grey"),
        pytest.param(heifs.HLG, 191, 246, id="HLG-white"),
        pytest.param(heifs.HLG, 87, 89, id="HLG-grey"),
    ],
)
def test_hdr_is_tone_mapped(kind: str, transfer: int, sample: int, shown: int) -> None:
    if kind == "PNG":
        data = one_colour((sample,) * 3, cicp(heifs.BT2020, transfer))
    else:
        image = Image.new("RGB", (64, 48), (sample,) * 3)
        data = heifs.still(image, kind, heifs.colours(heifs.BT2020, transfer))
    assert picture_of(data).getpixel((30, 20)) == pytest.approx((shown,) * 3, abs=6)


@pytest.mark.parametrize(
    ("gamma", "shown"), [(100_000, 188), (45_455, 128), (55_556, 147)], ids=["1", "1/2.2", "1/1.8"]
)
def test_the_gamma_of_a_png_is_converted(gamma: int, shown: int) -> None:
    data = one_colour((128,) * 3, pngs.chunk(b"gAMA", struct.pack(">L", gamma)))
    assert picture_of(data).getpixel((9, 9)) == pytest.approx((shown,) * 3, abs=4)


def test_a_profile_outweighs_gamma_and_code_points_a_profile() -> None:
    gamma = pngs.chunk(b"gAMA", struct.pack(">L", 100_000))
    assert picture_of(one_colour((128,) * 3, profile(), gamma)).getpixel((9, 9)) == (128,) * 3
    linear = cicp(1, 8)
    assert picture_of(one_colour((128,) * 3, profile(), linear)).getpixel((9, 9)) != (128,) * 3
    nothing = cicp(2, 2)
    assert picture_of(one_colour((128,) * 3, gamma, nothing)).getpixel((9, 9)) != (128,) * 3


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_a_clean_aperture_is_cropped(kind: str) -> None:
    image = Image.new("RGB", (128, 96), "black")
    image.paste(quarters(), (0, 0))
    shown = picture_of(heifs.still(image, kind, heifs.clean_aperture(64, 48, -32, -24)))
    assert shown.size == (64, 48)
    check_quarters(shown)


def test_a_clean_aperture_beyond_the_picture_is_left_out() -> None:
    data = heifs.still(quarters(), "AVIF", heifs.clean_aperture(90, 90, 0, 0))
    check_quarters(picture_of(data))


# --- Bounds --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(tiff((64, 48), [bytes(99)], [8], 1, (322, 9_000), (323, 9_000)), id="tile"),
        pytest.param(
            heifs.heif(
                [
                    (b"iovl", b"", [heifs.size_of(64, 48)]),
                    *[(b"hvc1", b"", [heifs.size_of(4_096, 4_096)])] * 9,
                ],
                [(b"dimg", 1, tuple(range(2, 11)))],
            ),
            id="overlay-of-many-pictures",
        ),
        pytest.param(
            heifs.heif(
                [(b"hvc1", b"", [heifs.size_of(64, 64), heifs.configuration(12_288, 12_288)])]
            ),
            id="coded-size-of-a-HEIF",
        ),
        pytest.param(
            heifs.heif(
                [(b"av01", heifs.av1_header(16_384, 16_384), [heifs.size_of(64, 64)])],
                brands=(b"avif", b"mif1", b"avif"),
            ),
            id="coded-size-of-an-AVIF",
        ),
    ],
)
def test_more_pixels_than_declared_are_refused_before_they_are_decoded(data: bytes) -> None:
    assert sentence_of(data)[0] == "too_many_pixels"


def test_coded_pixels_that_fill_up_the_sides_are_none_too_many() -> None:
    properties = [heifs.size_of(8_333, 6_000), heifs.configuration(8_336, 6_000)]
    assert sentence_of(heifs.heif([(b"hvc1", b"", properties)]))[0] != "too_many_pixels"


def test_a_profile_of_multi_process_elements_is_left_out() -> None:
    data = one_colour((128,) * 3, profile(SRGB + b"mpet" * 1_000))
    assert picture_of(data).getpixel((9, 9)) == (128,) * 3


# --- Sentences -----------------------------------------------------------------------------------


def test_no_sentence_has_words_of_python_or_of_a_library() -> None:
    for data in (b"\xff\xd8\xff", b"BM", b"\x80\x81\x82", b"GIF89a", pngs.SIGNATURE, b"II*\0" * 9):
        _, sentence = sentence_of(data)
        assert not any(word in sentence for word in ("b'", "0x", "_", "()", "Error", "PIL"))
        assert sentence.rstrip(".").rpartition(". ")[2].startswith(("Upload", "Save"))
