"""Pictures of every kind that people upload, made on the spot: the corpus of tests and fuzzing.

Each shows the same four quarters: red and green above, blue and yellow below.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import pillow_heif
from PIL import Image, ImageChops, ImageCms

RED, GREEN, BLUE, YELLOW = (200, 30, 30), (30, 160, 30), (30, 30, 200), (200, 200, 30)
QUARTERS = (RED, GREEN, BLUE, YELLOW)

ORIENTATION = 274

# How a picture is turned before it is stored with this orientation: the inverse of its meaning.
STORED = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}

pillow_heif.register_heif_opener()


class Sample(NamedTuple):
    """A file, and what the upright picture in it is: "colour", "grey" or "any"."""

    name: str
    data: bytes
    shows: str = "colour"


def quarters(width: int = 64, height: int = 48) -> Image.Image:
    """Return the upright picture, RGB."""
    image = Image.new("RGB", (2, 2))
    image.putdata(QUARTERS)
    return image.resize((width, height), Image.Resampling.NEAREST)


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file that Pillow writes of an image."""
    file = io.BytesIO()
    image.save(file, kind, **({"speed": 10} if kind == "AVIF" else {}), **options)
    return file.getvalue()


def corpus() -> Iterator[Sample]:
    """Yield a few hundred files: format x mode x orientation x bit depth x size."""
    yield from oriented()
    yield from jpegs()
    yield from pngs()
    yield from tiffs()
    yield from others()


def oriented() -> Iterator[Sample]:
    """Yield each format that has EXIF in each of its eight orientations, small and large."""
    for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"):
        for size in ((64, 48), (400, 300)):
            for orientation, turn in STORED.items():
                stored = quarters(*size) if turn is None else quarters(*size).transpose(turn)
                exif = Image.Exif()
                exif[ORIENTATION] = orientation
                name = f"{kind}-{size[0]}-orientation-{orientation}"
                yield Sample(name, file_of(stored, kind, exif=exif.tobytes()))


def jpegs() -> Iterator[Sample]:
    """Yield JPEGs of every colour space, sampling and way of scanning."""
    for size in ((64, 48), (700, 500), (2000, 8), (8, 2000), (1, 1)):
        shows = "colour" if min(size) > 8 else "any"
        image = quarters(*size)
        for mode in ("RGB", "L", "CMYK"):
            for progressive in (False, True):
                name = f"JPEG-{mode}-{size[0]}x{size[1]}{'-progressive' * progressive}"
                data = file_of(image.convert(mode), "JPEG", progressive=progressive)
                yield Sample(name, data, "grey" if shows != "any" and mode == "L" else shows)
    for subsampling in (0, 1, 2):
        data = file_of(quarters(300, 200), "JPEG", quality=95, subsampling=subsampling)
        yield Sample(f"JPEG-subsampling-{subsampling}", data)
    for size in ((64, 48), (700, 500)):
        yield Sample(f"JPEG-YCCK-{size[0]}", ycck(quarters(*size)))
        mpo = file_of(quarters(*size), "MPO", save_all=True, append_images=[quarters(20, 20)])
        yield Sample(f"JPEG-MPO-{size[0]}", mpo)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    yield Sample("JPEG-profile", file_of(quarters(), "JPEG", icc_profile=srgb))
    yield Sample("JPEG-broken-profile", file_of(quarters(), "JPEG", icc_profile=srgb[:200]))
    yield Sample(
        "JPEG-profile-of-another-mode",
        file_of(quarters().convert("L"), "JPEG", icc_profile=srgb),
        "grey",
    )
    yield Sample("JPEG-broken-exif", file_of(quarters(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\0\0"))
    yield Sample("JPEG-behind-it-anything", file_of(quarters(), "JPEG") + b"\0" * 999)


def ycck(image: Image.Image) -> bytes:
    """Return a YCCK JPEG, as Photoshop writes: CMYK, its colours as YCbCr, all inverted."""
    luma_chroma = ImageChops.invert(ImageChops.invert(image).convert("YCbCr"))
    black = Image.new("L", image.size, 0)
    jpeg = file_of(Image.merge("CMYK", (*luma_chroma.split(), black)), "JPEG", quality=95)
    adobe = jpeg.index(b"\xff\xee\x00\x0eAdobe")
    return jpeg[: adobe + 15] + b"\x02" + jpeg[adobe + 16 :]


def pngs() -> Iterator[Sample]:
    """Yield PNGs of every colour type and bit depth, with and without transparency."""
    for size in ((64, 48), (400, 300)):
        image = quarters(*size)
        for mode, shows in (
            ("RGB", "colour"),
            ("RGBA", "colour"),
            ("P", "any"),
            ("L", "grey"),
            ("LA", "grey"),
            ("1", "any"),
        ):
            yield Sample(f"PNG-{mode}-{size[0]}", file_of(image.convert(mode), "PNG"), shows)
        for bits in (2, 4):
            data = file_of(image.quantize(4), "PNG", bits=bits)
            yield Sample(f"PNG-P{bits}-{size[0]}", data)
        grey16 = Image.frombytes(
            "I;16",
            size,
            bytes(byte for sample in image.convert("L").tobytes() for byte in (0, sample)),
        )
        yield Sample(f"PNG-16-bit-grey-{size[0]}", file_of(grey16, "PNG"), "grey")
        for channels, mode in ((3, "RGB"), (4, "RGBA")):
            yield Sample(f"PNG-16-bit-{mode}-{size[0]}", png16(image.convert(mode), channels))
        palette = image.quantize(4)
        data = file_of(palette, "PNG", transparency=b"\xff\xff\xff\xff")
        yield Sample(f"PNG-P-transparency-{size[0]}", data)
        yield Sample(f"PNG-key-{size[0]}", file_of(image, "PNG", transparency=(1, 2, 3)))
        grey = image.convert("L")
        yield Sample(f"PNG-grey-key-{size[0]}", file_of(grey, "PNG", transparency=1), "grey")
        more = [Image.new("RGB", size)]
        yield Sample(f"APNG-{size[0]}", file_of(image, "PNG", save_all=True, append_images=more))


def png16(image: Image.Image, channels: int) -> bytes:
    """Return a PNG of 16 bits a sample, which Pillow reads but does not write."""

    def chunk(name: bytes, body: bytes) -> bytes:
        check = zlib.crc32(name + body)
        return struct.pack(">L", len(body)) + name + body + struct.pack(">L", check)

    row = image.width * channels
    samples = image.tobytes()
    rows = b"".join(
        b"\0" + bytes(byte for sample in samples[at : at + row] for byte in (sample, 0))
        for at in range(0, len(samples), row)
    )
    colour_type = {3: 2, 4: 6}[channels]
    header = struct.pack(">LLBBBBB", *image.size, 16, colour_type, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def tiffs() -> Iterator[Sample]:
    """Yield TIFFs of every mode and common compression, of 8 and 16 bits."""
    lab = ImageCms.profileToProfile(
        quarters(), ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), outputMode="LAB"
    )
    yield Sample("TIFF-LAB", file_of(lab, "TIFF"))
    yield Sample("TIFF-YCbCr", file_of(quarters().convert("YCbCr"), "TIFF"))
    for size in ((64, 48), (400, 300)):
        image = quarters(*size)
        for mode, shows in (
            ("RGB", "colour"),
            ("RGBA", "colour"),
            ("CMYK", "colour"),
            ("P", "any"),
            ("L", "grey"),
            ("1", "any"),
        ):
            yield Sample(f"TIFF-{mode}-{size[0]}", file_of(image.convert(mode), "TIFF"), shows)
        for method in ("tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg"):
            yield Sample(f"TIFF-{method}-{size[0]}", file_of(image, "TIFF", compression=method))
        for method in ("group3", "group4"):
            data = file_of(image.convert("1"), "TIFF", compression=method)
            yield Sample(f"TIFF-{method}-{size[0]}", data, "any")
        for mode in ("L", "RGB", "CMYK"):
            for order in "<>":
                name = f"TIFF-16-bit-{mode}-{size[0]}-{'little' if order == '<' else 'big'}"
                data = tiff16(image.convert(mode), order)
                yield Sample(name, data, "grey" if mode == "L" else "colour")
        pages = [Image.new("L", (9, 9))]
        yield Sample(
            f"TIFF-pages-{size[0]}", file_of(image, "TIFF", save_all=True, append_images=pages)
        )


def tiff16(image: Image.Image, order: str) -> bytes:
    """Return an uncompressed TIFF of 16 bits a sample, which Pillow reads but does not write."""
    channels = len(image.getbands())
    pair = (lambda sample: (0, sample)) if order == "<" else (lambda sample: (sample, 0))
    pixels = bytes(byte for sample in image.tobytes() for byte in pair(sample))
    depths = struct.pack(f"{order}{channels}H", *[16] * channels)
    photometric = {1: 1, 3: 2, 4: 5}[channels]
    entries = [
        (256, 4, 1, image.width), (257, 4, 1, image.height),
        (258, 3, channels, 8 if channels > 1 else 16), (259, 3, 1, 1), (262, 3, 1, photometric),
        (273, 4, 1, 8 + len(depths)), (277, 3, 1, channels), (278, 4, 1, image.height),
        (279, 4, 1, len(pixels)),
    ]  # fmt: skip
    directory = struct.pack(order + "H", len(entries))
    for tag, kind, count, value in entries:
        layout = "HHLHxx" if kind == 3 and count == 1 else "HHLL"
        directory += struct.pack(order + layout, tag, kind, count, value)
    start = struct.pack(order + "L", 8 + len(depths) + len(pixels))
    magic = b"II*\0" if order == "<" else b"MM\0*"
    return magic + start + depths + pixels + directory + b"\0\0\0\0"


def others() -> Iterator[Sample]:
    """Yield WebP, GIF, BMP, HEIF and AVIF in their modes, still and animated."""
    for size in ((64, 48), (400, 300)):
        image = quarters(*size)
        more = [Image.new("RGB", size)]
        for mode in ("RGB", "RGBA"):
            for kind in ("WEBP", "HEIF", "AVIF"):
                yield Sample(f"{kind}-{mode}-{size[0]}", file_of(image.convert(mode), kind))
            data = file_of(image.convert(mode), "WEBP", lossless=True)
            yield Sample(f"WEBP-lossless-{mode}-{size[0]}", data)
        for kind in ("WEBP", "GIF", "AVIF", "HEIF"):
            data = file_of(image, kind, save_all=True, append_images=more)
            yield Sample(f"{kind}-of-two-{size[0]}", data)
        for kind in ("HEIF", "AVIF"):
            yield Sample(f"{kind}-grey-{size[0]}", file_of(image.convert("L"), kind), "grey")
            data = file_of(image, kind, subsampling="4:4:4", chroma=444)
            yield Sample(f"{kind}-444-{size[0]}", data)
        heif = pillow_heif.HeifFile()
        samples = bytes(byte for sample in image.tobytes() for byte in (0, sample))
        heif.add_frombytes("RGB;16", size, samples)
        file = io.BytesIO()
        heif.save(file, quality=80)
        yield Sample(f"HEIF-10-bit-{size[0]}", file.getvalue())
        for mode, shows in (
            ("RGB", "colour"),
            ("RGBA", "colour"),
            ("P", "any"),
            ("L", "grey"),
            ("1", "any"),
        ):
            yield Sample(f"BMP-{mode}-{size[0]}", file_of(image.convert(mode), "BMP"), shows)
        palette = image.quantize(5)
        yield Sample(f"GIF-{size[0]}", file_of(palette, "GIF"))
        yield Sample(f"GIF-transparency-{size[0]}", file_of(palette, "GIF", transparency=4))
