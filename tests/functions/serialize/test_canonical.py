"""Any file becomes a small upright RGB picture or ImageRejected: format by format."""

import base64
import functools
import io
import json
import struct
import subprocess
import sys
import zlib

import pytest
from PIL import Image, ImageCms, PngImagePlugin

from tests.functions.serialize import rare_heifs as heifs
from tests.functions.serialize.outcomes import (
    TOLERANCE,
    ImageRejected,
    canonical,
    check_quarters,
    picture_of,
    rejection_of,
)
from tests.functions.serialize.pictures import (
    ORIENTATION,
    Sample,
    corpus,
    file_of,
    png16,
    quarters,
)
from tests.support.functions import ROOT, load_function

SAMPLES = list(corpus())

MEMORY_SIZE_MIB = 1024


@functools.cache
def whole_pixels(sample: Sample) -> bytes:
    return picture_of(sample.data).tobytes()


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_picture_of_any_kind_becomes_small_upright_rgb(sample: Sample) -> None:
    image = picture_of(sample.data)

    assert image.mode == "RGB"
    assert max(image.size) <= canonical.LONGEST_SIDE
    if sample.shows != "any":
        check_quarters(image, grey=sample.shows == "grey")


@pytest.mark.parametrize("part", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("sample", SAMPLES, ids=lambda sample: sample.name)
def test_a_file_cut_short_is_rejected_or_shows_its_whole_picture(
    sample: Sample, part: float
) -> None:
    cut = sample.data[: int(len(sample.data) * part)]
    try:
        outcome = picture_of(cut).tobytes()
    except ImageRejected as rejected:
        outcome = rejected.reason
    # Too little is left of the smallest to tell their format; or nothing is missing but padding
    # and what follows the first picture.
    assert outcome in ("truncated", "unsupported_format", "empty", whole_pixels(sample))


def test_the_same_file_always_gives_the_same_bytes() -> None:
    data = file_of(Image.effect_noise((900, 700), 60).convert("RGB"), "JPEG")
    assert canonical.canonical_picture(data) == canonical.canonical_picture(data)


# --- Small clean inputs --------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("side", [1, 32, 256])
def test_a_small_clean_file_passes_unchanged(kind: str, side: int) -> None:
    data = file_of(quarters(side, side), kind)
    assert canonical.canonical_picture(data).data == data


def text_png() -> bytes:
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Author", "A. Driver")
    return file_of(quarters(), "PNG", pnginfo=notes)


def exif_jpeg() -> bytes:
    exif = Image.Exif()
    exif[0x010F] = "the camera's maker"
    return file_of(quarters(), "JPEG", exif=exif)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(file_of(quarters(257, 100), "PNG"), id="too-wide"),
        pytest.param(file_of(quarters().convert("RGBA"), "PNG"), id="transparency"),
        pytest.param(file_of(quarters().convert("L"), "JPEG"), id="grey"),
        pytest.param(png16(quarters(), 3), id="16-bit"),
        pytest.param(text_png(), id="an-author-in-a-PNG"),
        pytest.param(exif_jpeg(), id="a-camera-in-a-JPEG"),
        pytest.param(file_of(quarters(), "JPEG", comment=b"me"), id="a-comment-in-a-JPEG"),
        pytest.param(file_of(quarters(), "BMP"), id="another-format"),
    ],
)
def test_what_is_not_small_and_clean_is_encoded_anew(data: bytes) -> None:
    picture = canonical.canonical_picture(data)
    assert picture.data != data
    assert set(Image.open(io.BytesIO(picture.data)).info) <= {
        *("jfif", "jfif_version", "jfif_unit", "jfif_density")
    }


def test_a_small_picture_loses_nothing_in_encoding() -> None:
    image = Image.effect_noise((90, 70), 80).convert("RGB")
    assert picture_of(file_of(image, "BMP")).tobytes() == image.tobytes()


# --- Colours, transparency, proportions ----------------------------------------------------------


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF", "HEIF", "TIFF"])
def test_transparency_lies_on_white(kind: str) -> None:
    image = Image.new("RGBA", (300, 300), (255, 0, 0, 0))
    assert picture_of(file_of(image, kind)).getpixel((9, 9)) == (255, 255, 255)


def test_a_profile_is_converted_to_srgb() -> None:
    rgb = Image.new("RGB", (300, 300), (10, 250, 10))
    lab = ImageCms.createProfile("LAB")
    in_lab = ImageCms.profileToProfile(rgb, ImageCms.createProfile("sRGB"), lab, outputMode="LAB")
    profile = ImageCms.ImageCmsProfile(lab).tobytes()
    shown = picture_of(file_of(in_lab, "TIFF", icc_profile=profile)).getpixel((9, 9))
    assert shown == pytest.approx((10, 250, 10), abs=TOLERANCE)


@pytest.mark.parametrize(
    ("size", "small"),
    [
        ((4000, 3000), (256, 192)),
        ((300, 4000), (19, 256)),
        ((5000, 2), (256, 1)),
        ((257, 257), (256, 256)),
        ((256, 10), (256, 10)),
    ],
)
def test_proportions_stay_and_nothing_is_enlarged(
    size: tuple[int, int], small: tuple[int, int]
) -> None:
    assert picture_of(file_of(quarters(*size), "PNG")).size == small


# --- The document's bound ------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(128, 128), (256, 256), (900, 900)])
def test_even_noise_with_the_longest_key_makes_a_document_of_at_most_64_kib(
    size: tuple[int, int],
) -> None:
    noise = Image.effect_noise(size, 255).point(lambda sample: 255 * (sample > 127))
    noise = Image.merge("RGB", (noise, noise.rotate(90), noise.rotate(180)))
    picture = canonical.canonical_picture(file_of(noise, "PNG"))
    document = {
        "s3_bucket": "b" * 63,
        "s3_key": "\x01" * 1024,
        "etag": "0" * 32 + "-10000",
        "content_type": picture.content_type,
        "image_data": base64.b64encode(picture.data).decode(),
    }
    assert len(json.dumps(document)) <= 65_536


# --- What is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"a text named photo.jpg", id="text"),
        pytest.param(b"BMW 320d, offers welcome", id="text-that-begins-with-BM"),
        pytest.param(b"%PDF-1.7\n", id="PDF"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n", id="EPS"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
        pytest.param(b"\xd7\xcd\xc6\x9a" + b"\0" * 40, id="WMF"),
        pytest.param(b"8BPS\0\1" + b"\0" * 40, id="PSD"),
        pytest.param(b"\0\0\0\x0cjP  \r\n\x87\n" + b"\0" * 40, id="JPEG-2000"),
        pytest.param(b"\0\0\0\x18ftypmp42\0\0\0\0isommp42" + b"\0" * 40, id="video"),
        pytest.param(file_of(quarters(), "PPM"), id="PPM"),
        pytest.param(file_of(quarters(), "ICO"), id="ICO"),
        pytest.param(file_of(quarters().convert("F"), "TIFF"), id="TIFF-of-floats"),
        pytest.param(file_of(quarters(), "TIFF", compression="zstd"), id="TIFF-by-zstd"),
    ],
)
def test_a_format_off_the_list_is_unsupported(data: bytes) -> None:
    assert rejection_of(data) == "unsupported_format"


def test_a_file_is_judged_by_its_content_alone() -> None:
    formats = load_function("serialize", "formats")
    assert formats.format_of(file_of(quarters(), "GIF")).name == "GIF"


def test_no_bytes_are_an_empty_upload() -> None:
    assert rejection_of(b"") == "empty"


def png(width: int, height: int, *chunks: tuple[bytes, bytes], colours: int = 0) -> bytes:
    """Return a PNG with these chunks after its header; colours 0 is grey, 3 a palette's."""
    header = (b"IHDR", struct.pack(">LLBBBBB", width, height, 8, colours, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(body)) + name + body + struct.pack(">L", zlib.crc32(name + body))
        for name, body in (header, *chunks)
    )


def test_a_png_of_colours_without_a_palette_is_corrupt() -> None:
    pixels = (b"IDAT", zlib.compress(b"\0\1\2\3\1" * 2))
    colourless = png(4, 2, pixels, (b"IEND", b""), colours=3)
    assert rejection_of(colourless) == "corrupt"


def vast_webp() -> bytes:
    """Return an animation of 64 x 48 pixels on a canvas of 12,288 x 12,288."""
    webp = file_of(quarters(), "WEBP", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    return webp[:24] + b"\xff\x2f\0\xff\x2f\0" + webp[30:]


def run_length_bmp(width: int, height: int) -> bytes:
    """Return a BMP of one colour, each row as runs of 255 pixels at most."""
    runs = [255] * (width // 255) + [width % 255]
    pixels = (b"".join(bytes([run, 0]) for run in runs) + b"\0\0") * height + b"\0\1"
    header = struct.pack("<LllHHLLllLL", 40, width, height, 1, 8, 1, len(pixels), 0, 0, 1, 0)
    start = 14 + len(header) + 4
    size = struct.pack("<LLL", start + len(pixels), 0, start)
    return b"BM" + size + header + b"\0\0\0\0" + pixels


def test_a_bmp_with_run_lengths_is_read() -> None:
    assert canonical.canonical_picture(run_length_bmp(300, 200)).data


def patched(data: bytes, old: bytes, new: bytes) -> bytes:
    assert old in data
    return data.replace(old, new)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(png(60_000, 60_000, (b"IDAT", b"")), id="PNG"),
        pytest.param(
            patched(file_of(quarters(64, 48), "GIF"), b"\x40\0\x30\0", b"\xff\xff\xff\xff"),
            id="GIF",
        ),
        pytest.param(
            patched(file_of(quarters(), "JPEG"), b"\0\x30\0\x40", b"\xff\xdc\xff\xdc"), id="JPEG"
        ),
        pytest.param(
            patched(
                file_of(quarters(), "JPEG", progressive=True), b"\0\x30\0\x40", b"\x27\x10\x27\x10"
            ),
            id="progressive-JPEG",
        ),
        pytest.param(vast_webp(), id="WebP"),
        pytest.param(
            patched(file_of(quarters(), "BMP"), struct.pack("<ll", 64, 48), b"\0\0\1\0\0\0\1\0"),
            id="BMP",
        ),
        pytest.param(run_length_bmp(4_001, 4_000), id="run-length-BMP"),
        pytest.param(
            file_of(Image.new("1", (20_000, 20_000)), "TIFF", compression="group4"), id="TIFF"
        ),
        pytest.param(
            patched(
                file_of(quarters(64, 64), "HEIF"),
                struct.pack(">LL", 64, 64),
                struct.pack(">LL", 30_000, 30_000),
            ),
            id="HEIF",
        ),
        pytest.param(
            patched(
                file_of(quarters(), "AVIF"),
                struct.pack(">LL", 64, 48),
                struct.pack(">LL", 16_000, 16_000),
            ),
            id="AVIF",
        ),
    ],
)
def test_a_decompression_bomb_is_refused_for_its_pixels(bomb: bytes) -> None:
    assert rejection_of(bomb) == "too_many_pixels"


def scans(number: int) -> bytes:
    """Return a progressive JPEG whose last scan is there again and again."""
    jpeg = file_of(quarters(), "JPEG", progressive=True)
    start = jpeg.rindex(b"\xff\xda")
    return jpeg[:start] + number * jpeg[start:-2] + jpeg[-2:]


def strips(number: int) -> bytes:
    """Return a TIFF that lists so many strips."""
    tiff = file_of(quarters(), "TIFF")
    at = tiff.index(struct.pack("<HH", 273, 4))
    return tiff[: at + 4] + struct.pack("<L", number) + tiff[at + 8 :] + b"\0" * 4 * number


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(scans(1_000), id="scans-of-a-JPEG"),
        pytest.param(strips(1_000_000), id="strips-of-a-TIFF"),
        pytest.param(png(9, 9, *[(b"abCd", b"")] * 500_000), id="chunks-of-a-PNG"),
        pytest.param(
            file_of(quarters(), "GIF")[:13] + b"!\xfe\1a\0" * 500_000, id="comments-of-a-GIF"
        ),
        pytest.param(
            file_of(quarters(), "JPEG")[:2] + b"\xff\xfe\0\2" * 500_000, id="comments-of-a-JPEG"
        ),
        pytest.param(b"\xff\xd8" + b"\xff" * 20_000_000 + b"\0\xff\xd9", id="fill-bytes-of-a-JPEG"),
        pytest.param(
            heifs.heif(
                [(b"hvc1", b"", [heifs.size_of(64, 48)])],
                [(b"dimg", item, range(1_000)) for item in range(3_000)],
            ),
            id="references-of-a-HEIF",
        ),
    ],
)
def test_a_file_of_countless_parts_is_corrupt(data: bytes) -> None:
    assert rejection_of(data) == "corrupt"


def test_garbage_between_a_good_start_and_a_good_end_is_corrupt() -> None:
    jpeg = file_of(quarters(), "PNG")
    assert rejection_of(jpeg[:40] + b"\xff" * 20 + jpeg[60:]) == "corrupt"


def test_metadata_that_cannot_be_read_does_not_spoil_the_picture() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    broken = exif.tobytes()[:-10] + b"\xff" * 10
    assert picture_of(file_of(quarters(), "JPEG", exif=broken)).mode == "RGB"


# --- What it costs -------------------------------------------------------------------------------


def test_a_decoder_is_imported_when_its_format_arrives() -> None:
    program = (
        "import sys; sys.path.insert(0, 'functions/serialize'); import app\n"
        "print([m for m in ('PIL.AvifImagePlugin', 'PIL.ImageCms', 'PIL.TiffImagePlugin',"
        " 'PIL.WebPImagePlugin', 'pi_heif', 'boto3', 'numpy') if m in sys.modules])"
    )
    modules = subprocess.check_output([sys.executable, "-c", program], cwd=ROOT, text=True)
    assert modules.strip() == "[]"


PEAK_PROGRAM = """
import sys; sys.path.insert(0, 'functions/serialize')
import app, canonical
canonical.canonical_picture(sys.stdin.buffer.read())
status = dict(line.split(':', 1) for line in open('/proc/self/status'))
print(int(status['VmHWM'].split()[0]) // 1024)
"""


REFUSAL_PROGRAM = f"""
import resource, sys; sys.path.insert(0, 'functions/serialize')
import canonical
resource.setrlimit(resource.RLIMIT_AS, 2 * [{MEMORY_SIZE_MIB} * 2**20])
try: canonical.canonical_picture(sys.stdin.buffer.read())
except canonical.ImageRejected as rejection: print(rejection)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="macOS does not hold a process to its limit")
def test_the_size_of_an_animation_is_checked_before_memory_is_taken() -> None:
    frames = (b"acTL", struct.pack(">LL", 2, 0))
    first = (b"fcTL", struct.pack(">LLLLLHHBB", 0, 20_000, 20_000, 0, 0, 1, 1, 1, 0))
    bomb = png(20_000, 20_000, frames, first, (b"IDAT", b""), colours=2)
    refusal = subprocess.check_output([sys.executable, "-c", REFUSAL_PROGRAM], input=bomb, cwd=ROOT)
    assert "20,000 x 20,000 = 400,000,000 pixels" in refusal.decode()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from Linux's /proc")
@pytest.mark.parametrize("kind", ["PNG", "WEBP"])
def test_the_largest_pictures_fit_the_functions_memory(kind: str) -> None:
    formats = load_function("serialize", "formats")
    side = int(getattr(formats, kind).max_pixels ** 0.5)
    image = Image.new("RGBA", (side, side), (0, 100, 0, 128))
    options = {"method": 0} if kind == "WEBP" else {"compress_level": 1}
    data = file_of(image, kind, **options)
    peak = subprocess.check_output(
        [sys.executable, "-c", PEAK_PROGRAM], input=data, cwd=ROOT, timeout=240
    )
    assert int(peak) < MEMORY_SIZE_MIB
