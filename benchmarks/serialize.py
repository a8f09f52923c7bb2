"""Serialize: time and memory of large photos, beside Pillow's own shortest way.

    python -m benchmarks.serialize            the table
    python -m benchmarks.serialize --limits   the peak at each format's limit of pixels

The floor opens the file, lets the decoder reduce it where it can, resizes once and encodes once
(Image.thumbnail and Image.save), without a check, a colour profile or a turn. The peak is that of
the child that decodes, where there is one.
"""

import argparse
import io
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pillow_heif
from PIL import Image, ImageChops

from benchmarks.table import Row, print_rows, row

ROOT = Path(__file__).parents[1]
FUNCTION = ROOT / "functions" / "serialize"

PREPARE = f"""
import io, statistics, sys, time
sys.path.insert(0, {str(FUNCTION)!r})
data = open(sys.argv[1], "rb").read()
def ours():
    import contained
    return contained.contained_picture(data).data
def floor():
    from PIL import Image
    if data[4:8] == b"ftyp":
        import pi_heif
        pi_heif.register_heif_opener()
    image = Image.open(io.BytesIO(data))
    small = max(image.size) <= 256
    image.thumbnail((256, 256))
    encoded = io.BytesIO()
    image.save(encoded, "PNG") if small else image.save(encoded, "JPEG", quality=90, subsampling=0)
    return encoded.getvalue()
"""
# Turn about, so that both see the same load of the machine.
TIME = """
times = {ours: [], floor: []}
for call in (ours, floor) * (int(sys.argv[2]) + 1):
    start = time.perf_counter()
    call()
    times[call].append((time.perf_counter() - start) * 1000)
print(*(statistics.median(measured[1:]) for measured in times.values()))
"""
PEAK = """
import resource
try:
    globals()[sys.argv[2]]()
except Exception as refused:
    print(str(refused)[:99], file=sys.stderr)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(max(int(status["VmHWM"].split()[0]), child) / 1024)
"""


def rows() -> list[Row]:
    """Return a row of time and one of peak memory for each picture."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        for name, make, calls in PICTURES:
            path.write_bytes(make())
            ours, floor = map(float, child(TIME, path, str(calls)).split())
            note = "thumbnail and save"
            result.append(row(f"{name}, time", ours, "ms", floor, aim="<= 1.25x", note=note))
            if sys.platform == "linux":  # where a process can read its own peak
                peaks = [float(child(PEAK, path, way)) for way in ("ours", "floor")]
                result.append(
                    row(f"{name}, peak memory", peaks[0], "MiB", peaks[1], aim="<= 1.2x", note=note)
                )
    return result


def child(code: str, path: Path, *arguments: str) -> str:
    """Run the code on a file in a fresh process and return what it prints."""
    command = [sys.executable, "-c", PREPARE + code, str(path), *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def photo(width: int, height: int) -> Image.Image:
    """Return noise of three scales, which compresses about as a photo does."""
    image = Image.new("RGB", (width, height), "grey")
    for scale, contrast in ((400, 90), (40, 40), (4, 12)):
        size = (max(1, width // scale), max(1, height // scale))
        channels = [Image.effect_noise(size, contrast) for _ in range(3)]
        octave = Image.merge("RGB", channels).resize((width, height), Image.Resampling.BICUBIC)
        image = ImageChops.add(image, octave, 1, -128)
    return image


def file_of(image: Image.Image, kind: str, **options: Any) -> bytes:
    """Return the file that Pillow writes."""
    pillow_heif.register_heif_opener()
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


PICTURES: list[tuple[str, Callable[[], bytes], int]] = [
    ("12-megapixel JPEG", lambda: file_of(photo(4000, 3000), "JPEG", quality=90), 9),
    ("50-megapixel JPEG", lambda: file_of(photo(8160, 6144), "JPEG", quality=90), 5),
    ("12-megapixel HEIC", lambda: file_of(photo(4000, 3000), "HEIF", quality=60), 5),
    ("24-megapixel PNG", lambda: file_of(photo(6000, 4000), "PNG", compress_level=1), 3),
    ("32x32 PNG", lambda: file_of(photo(32, 32), "PNG"), 300),
]


def largest() -> Iterator[tuple[str, int, bytes]]:
    """Yield name, pixels and file of the pictures that take the most memory at each limit."""
    wide, middle, narrow = (8000, 8000), (8000, 5000), (8000, 4000)
    cmyk = Image.new("CMYK", wide, "teal")
    yield "JPEG, progressive CMYK", 64_000_000, file_of(cmyk, "JPEG", progressive=True)
    yield "JPEG, one scan", 199_756_800, file_of(Image.new("RGB", (16320, 12240)), "JPEG")
    glass = Image.new("RGBA", wide, (9, 99, 9, 128))
    yield "PNG, RGBA", 64_000_000, file_of(glass, "PNG", compress_level=1)
    exif = Image.Exif()
    exif[274] = 6
    yield "TIFF, turned", 64_000_000, file_of(glass, "TIFF", compression="tiff_lzw", exif=exif)
    yield "GIF", 64_000_000, file_of(Image.new("P", wide), "GIF")
    glass = glass.resize(middle)
    yield "WEBP, RGBA", 40_000_000, file_of(glass, "WEBP", method=0)
    avif = file_of(glass, "AVIF", speed=10, subsampling="4:4:4")
    yield "AVIF, RGBA, 4:4:4", 40_000_000, avif
    del cmyk, glass
    for mode, size in (("RGB;16", (8333, 6000)), ("RGBA;16", narrow)):
        heif = pillow_heif.HeifFile()
        channels = len(mode) - 3
        heif.add_frombytes(mode, size, bytes(2 * channels * size[0] * size[1]))
        file = io.BytesIO()
        heif.save(file, chroma=444)
        yield f"HEIF, {mode}, 4:4:4", size[0] * size[1], file.getvalue()


def limits() -> list[Row]:
    """Return the peak memory of the function at each format's limit."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture"
        for name, pixels, data in largest():
            path.write_bytes(data)
            # As in the function, which has S3's client loaded too.
            peak = float(child("import app\n" + PEAK, path, "ours"))
            per_pixel = f"{peak * 2**20 / pixels:.1f} bytes a pixel of {pixels / 1e6:.0f} million"
            result.append(row(name, peak, "MiB", aim="< 1,024 MiB", note=per_pixel))
    return result


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--limits", action="store_true", help="the peak at each limit of pixels")
    if parser.parse_args().limits:
        print_rows("Peak memory of Serialize image at the limits of pixels", limits())
    else:
        print_rows((__doc__ or "").splitlines()[0], rows())
