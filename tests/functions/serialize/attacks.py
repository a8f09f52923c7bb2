"""One file of each kind that exhausts or crashes a decoder, and what becomes of it.

    python -m tests.functions.serialize.attacks

Each is made here, small or of few patterns, and decoded as in the function: in a fresh process
with the handler's modules loaded. Peak memory is that of the process, or of the child that decodes,
which counts what it shares with its parent.
"""

import json
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from PIL import Image, ImageCms

from tests.functions.serialize import rare_heifs as heifs
from tests.functions.serialize import rare_jpegs as jpegs
from tests.functions.serialize import rare_pngs as pngs
from tests.functions.serialize.pictures import file_of, quarters
from tests.support.functions import ROOT

MEBIBYTE = 2**20


class Attack(NamedTuple):
    """A file that asks for more than it weighs; outcomes: reasons, or "decoded"."""

    name: str
    make: Callable[[], bytes]
    outcomes: tuple[str, ...]


class Measured(NamedTuple):
    """What became of a file: a reason or "decoded", seconds of CPU, peak memory in MiB."""

    outcome: str
    cpu_s: float
    peak_mib: int


MEASURE = """
import json, resource, sys
sys.path.insert(0, "functions/serialize")
import app, contained
data = sys.stdin.buffer.read()
SELF_AND_CHILDREN = resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN
def cpu_s(): return sum(sum(resource.getrusage(who)[:2]) for who in SELF_AND_CHILDREN)
before = cpu_s()
try:
    contained.contained_picture(data)
    outcome = "decoded"
except contained.ImageRejected as rejected:
    outcome = rejected.reason
# Not this process's ru_maxrss, which counts what its parent held before exec.
own = dict(line.split(":", 1) for line in open("/proc/self/status"))["VmHWM"].split()[0]
child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
print(json.dumps([outcome, cpu_s() - before, max(int(own), child) // 1024]))
"""


def measured(data: bytes) -> Measured:
    """Decode a file in a fresh process, on Linux, and return what it took."""
    done = subprocess.run(
        [sys.executable, "-c", MEASURE],
        input=data,
        cwd=ROOT,
        env={"AWS_DEFAULT_REGION": "us-east-1"},
        capture_output=True,
        check=True,
    )
    assert done.stderr == b"", "a decoder wrote to the log"
    return Measured(*json.loads(done.stdout))


# --- Metadata ------------------------------------------------------------------------------------


def shared_entries(entries: int, size: int, *before: tuple[int, int, int, int]) -> bytes:
    """Return a TIFF directory whose further entries all have the same value, the whole file."""
    directory = struct.pack("<H", len(before) + entries)
    for entry in (*before, *((40_000 + n, 7, size - 8, 8) for n in range(entries))):
        directory += struct.pack("<HHLL", *entry)
    return directory + bytes(4)


def exif_of_shared_values() -> bytes:
    size = 120_000
    exif = (b"II*\0" + struct.pack("<L", 8) + shared_entries(9_500, size)).ljust(size, b"\0")
    return pngs.of_quarters(pngs.chunk(b"eXIf", exif))


def tiff_of_shared_values() -> bytes:
    size, pixels = 1_000_000, bytes(64 * 48)
    own = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, 1, 8), (259, 3, 1, 1), (262, 3, 1, 1)]
    own += [(273, 4, 1, 8), (278, 4, 1, 48), (279, 4, 1, len(pixels))]
    start = struct.pack("<L", 8 + len(pixels))
    return (b"II*\0" + start + pixels + shared_entries(900, size, *own)).ljust(size, b"\0")


def profile_of_elements() -> bytes:
    """Return a PNG with an ICC profile of one matrix that is listed 20,000 times."""
    number = 20_000
    matrix = (
        b"matf" + bytes(4) + struct.pack(">HH12f", 3, 3, *(1, 0, 0, 0, 1, 0, 0, 0, 1), *[0] * 3)
    )
    elements = struct.pack(">LL", 16 + 8 * number, len(matrix)) * number
    tag = b"mpet" + bytes(4) + struct.pack(">HHL", 3, 3, number) + elements + matrix
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    size = 128 + 4 + 12 + len(tag)
    table = struct.pack(">L4sLL", 1, b"D2B0", 128 + 4 + 12, len(tag))
    return file_of(
        quarters(), "PNG", icc_profile=struct.pack(">L", size) + srgb[4:128] + table + tag
    )


def text_that_inflates() -> bytes:
    return pngs.of_quarters(pngs.chunk(b"zTXt", b"a\0\0" + zeros(256 * MEBIBYTE)) * 20)


def profile_that_inflates() -> bytes:
    return pngs.of_quarters(pngs.chunk(b"iCCP", b"a\0\0" + zeros(512 * MEBIBYTE)))


def comment_of_a_gif() -> bytes:
    gif = file_of(quarters(), "GIF")
    table = 13 + (3 << (gif[10] & 7) + 1)
    return gif[:table] + b"!\xfe" + (b"\xff" + b"x" * 255) * 99_000 + b"\0" + gif[table:]


# --- Pixels that are not declared, or take more than they should --------------------------------


def zeros(number: int) -> bytes:
    """Return so many zeros, deflated."""
    packer, block = zlib.compressobj(1), bytes(MEBIBYTE)
    parts = [packer.compress(block) for _ in range(number // MEBIBYTE)]
    return b"".join(parts) + packer.compress(bytes(number % MEBIBYTE)) + packer.flush()


def tiff_in_a_tile(side: int, samples: int, bits: int) -> bytes:
    """Return a TIFF of 64 x 48 pixels in one tile of side x side."""
    data = zeros(side * side * samples * bits // 8)
    depths = 8 + len(data)
    entries = [(256, 4, 1, 64), (257, 4, 1, 48), (258, 3, samples, depths), (259, 3, 1, 8)]
    entries += [(262, 3, 1, 2), (277, 3, 1, samples), (284, 3, 1, 1), (322, 4, 1, side)]
    entries += [(323, 4, 1, side), (324, 4, 1, 8), (325, 4, 1, len(data)), (338, 3, 1, 2)]
    return tiff_of(entries, data, struct.pack(f"<{samples}H", *[bits] * samples))


def tiff_of_a_strip() -> bytes:
    """Return a TIFF of 64 megapixels, 16 bits a sample, in one strip."""
    data, side = zeros(8_000 * 8_000 * 8), 8_000
    entries = [(256, 4, 1, side), (257, 4, 1, side), (258, 3, 4, 8 + len(data)), (259, 3, 1, 8)]
    entries += [(262, 3, 1, 2), (273, 4, 1, 8), (277, 3, 1, 4), (278, 4, 1, side)]
    entries += [(279, 4, 1, len(data)), (284, 3, 1, 1), (338, 3, 1, 2)]
    return tiff_of(entries, data, struct.pack("<4H", 16, 16, 16, 16))


def tiff_of(entries: list[tuple[int, int, int, int]], data: bytes, table: bytes = b"") -> bytes:
    """Return a TIFF of pixels, a table behind them and a directory."""
    directory = struct.pack("<H", len(entries))
    directory += b"".join(struct.pack("<HHLL", *entry) for entry in entries) + bytes(4)
    return b"II*\0" + struct.pack("<L", 8 + len(data + table)) + data + table + directory


def fax_of_damaged_rows() -> bytes:
    """Return a TIFF of 2,000,000 rows, each of which makes its decoder write to the log."""
    rows = 2_000_000
    data = bytes(n * n * 7 % 251 for n in range(100_000)) * 60
    entries = [(256, 4, 1, 8), (257, 4, 1, rows), (258, 3, 1, 1), (259, 3, 1, 3), (262, 3, 1, 0)]
    entries += [(273, 4, 1, 8), (277, 3, 1, 1), (278, 4, 1, rows), (279, 4, 1, len(data))]
    return tiff_of(entries, data)


def png_of_one_column() -> bytes:
    height = 64_000_000
    header = pngs.chunk(b"IHDR", struct.pack(">LLBBBBB", 1, height, 8, pngs.RGB, 0, 0, 0))
    pixels = pngs.chunk(b"IDAT", zeros(4 * height))
    return pngs.SIGNATURE + header + pixels + pngs.chunk(b"IEND", b"")


def jpeg_of_one_scan(marker: int, side: int, components: int) -> bytes:
    """Return a JPEG of grey zeros whose only scan holds the DC coefficients of all components."""
    blocks = (side // 8) ** 2 * components
    numbers = range(1, components + 1)
    frame = struct.pack(">BHHB", 8, side, side, components)
    scan = bytes([components, *(byte for n in numbers for byte in (n, 0)), 0, 0, 0])
    return (
        b"\xff\xd8"
        + jpegs.segment(0xDB, bytes([0] + [1] * 64))
        + jpegs.segment(marker, frame + bytes(byte for n in numbers for byte in (n, 0x11, 0)))
        + jpegs.segment(0xC4, bytes([0, 1, 1, *[0] * 14, 0, 1]))
        + jpegs.segment(0xDA, scan)
        + bytes(blocks // 8 + 1)
        + b"\xff\xd9"
    )


def jpeg_of_scans() -> bytes:
    """Return a progressive JPEG of 64 megapixels that is refined in all the scans allowed."""
    side, blocks = 8_000, 1_000_000
    jpeg = jpeg_of_one_scan(0xC2, side, 3)[:-2]
    jpeg += jpegs.segment(0xC4, bytes([0x10, 1, *[0] * 15, 0xE0]))  # runs of blocks without any
    runs, left = "", blocks
    while left > 0:
        run = min(32_767, max(left, 16_384))
        runs += f"0{run - 16_384:014b}"
        left -= run
    data = int(runs.ljust(-(-len(runs) // 8) * 8, "1"), 2).to_bytes(-(-len(runs) // 8), "big")
    data = data.replace(b"\xff", b"\xff\0")
    for number in range(63):
        # Each component's coefficients first at bit 13, then one bit lower each time.
        level, component = divmod(number, 3)
        bits = 13 if level == 0 else max(14 - level, 1) << 4 | max(13 - level, 0)
        jpeg += jpegs.segment(0xDA, bytes([1, component + 1, 0, 1, 63, bits])) + data
    return jpeg + b"\xff\xd9"


# --- HEIF and AVIF -------------------------------------------------------------------------------

VAST = 12_288  # pixels a side
SMALL = heifs.size_of(64, 64)


def metadata_of_no_text() -> bytes:
    return heifs.with_metadata(quarters(), "HEIF", b"\xff\xfe\xfd\xfc", bytes(16))


def heif_of_larger_code() -> bytes:
    return heifs.heif([(b"hvc1", b"", [SMALL, heifs.configuration(VAST, VAST)])])


def heif_of_hidden_parameters() -> bytes:
    """Return a HEIF whose data bring parameters of their own, which the decoder obeys."""
    own, data = heifs.coded(quarters(64, 64), "HEIF")
    unit = heifs.parameter_set(VAST, VAST)
    return heifs.heif([(b"hvc1", struct.pack(">L", len(unit)) + unit + data, own)])


def avif_of_larger_code() -> bytes:
    item = (b"av01", heifs.av1_header(VAST, VAST), [SMALL])
    return heifs.heif([item], brands=(b"avif", b"mif1", b"avif"))


def derived(kind: bytes, number: int) -> bytes:
    """Return a HEIF picture that is made of so many of 16 megapixels."""
    part = (b"hvc1", b"", [heifs.size_of(4_096, 4_096)])
    return heifs.heif([(kind, b"", [SMALL]), part], [(b"dimg", 1, [2] * number)])


def heif_of_properties() -> bytes:
    """Return a HEIF with 3,000,000 empty properties, in boxes of as many as may be."""
    properties = heifs.box(b"ipco", heifs.box(b"free") * 65_000)
    tables = heifs.box(b"iprp", properties) * 46
    return heifs.box(b"ftyp", b"heic", bytes(4), b"heic") + heifs.full(b"meta", tables)


def avif_sequence() -> bytes:
    """Return an AVIF sequence without a still picture whose track says that it is small."""
    frames = [Image.new("RGB", (8_000, 6_000), colour) for colour in ("red", "blue")]
    data = file_of(frames[0], "AVIF", save_all=True, append_images=frames[1:], quality=1)
    data = data.replace(b"meta", b"free", 1)
    for layout in (">HH", ">LL"):
        data = data.replace(struct.pack(layout, 8_000, 6_000), struct.pack(layout, 64, 64))
    return data.replace(
        struct.pack(">LL", 8_000 << 16, 6_000 << 16), struct.pack(">LL", 64 << 16, 64 << 16)
    )


VAST_TILE, LARGE_TILE = partial(tiff_in_a_tile, 26_000, 1, 8), partial(tiff_in_a_tile, 8_000, 4, 16)
PROGRESSIVE = partial(jpeg_of_one_scan, 0xC2, 14_480, 3)
ARITHMETIC = partial(jpeg_of_one_scan, 0xCA, 8_000, 3)
ONE_OF_THREE = partial(jpegs.one_of_three, 14_480, 14_480)
OVERLAY, GRID = partial(derived, b"iovl", 100), partial(derived, b"grid", 100)

DECODED = ("decoded",)
TOO_MANY = ("too_many_pixels",)
BY_LOAD = ("decoded", "too_expensive")  # within seconds of CPU; a busy machine may take longer

ATTACKS = (
    Attack("EXIF whose 9,500 entries share one value", exif_of_shared_values, DECODED),
    Attack("ICC profile of 20,000 elements", profile_of_elements, DECODED),
    Attack("PNG, texts that inflate to 5 GB", text_that_inflates, DECODED),
    Attack("PNG, profile that inflates to 512 MB", profile_that_inflates, DECODED),
    Attack("PNG, 1 x 64,000,000", png_of_one_column, BY_LOAD),
    Attack("GIF, comment of 25 MB", comment_of_a_gif, DECODED),
    Attack("TIFF whose 900 entries share one value", tiff_of_shared_values, DECODED),
    Attack("TIFF, 64 x 48 in a tile of 26,000 x 26,000", VAST_TILE, TOO_MANY),
    Attack("TIFF, 64 x 48 in a tile of 512 MB", LARGE_TILE, BY_LOAD),
    Attack("TIFF, 64 megapixels in a strip of 512 MB", tiff_of_a_strip, BY_LOAD),
    Attack("TIFF, fax of 2,000,000 damaged rows", fax_of_damaged_rows, BY_LOAD),
    Attack("JPEG, progressive, 210 megapixels", PROGRESSIVE, TOO_MANY),
    Attack("JPEG, 64 scans of 64 megapixels", jpeg_of_scans, BY_LOAD),
    Attack("JPEG, one component of three, 210 megapixels", ONE_OF_THREE, ("corrupt",)),
    Attack("JPEG, arithmetic coding", ARITHMETIC, ("unsupported_format",)),
    Attack("HEIC, item type that is no text", metadata_of_no_text, DECODED),
    Attack("HEIC, declares 64 x 64, codes 12,288 x 12,288", heif_of_larger_code, TOO_MANY),
    Attack("HEIC, the same, hidden in the coded data", heif_of_hidden_parameters, TOO_MANY),
    Attack("HEIC, overlay of 100 x 16 megapixels", OVERLAY, TOO_MANY),
    Attack("HEIC, grid of 100 x 16 megapixels", GRID, TOO_MANY),
    Attack("HEIC, 3,000,000 properties", heif_of_properties, ("corrupt",)),
    Attack("AVIF, declares 64 x 64, codes 12,288 x 12,288", avif_of_larger_code, TOO_MANY),
    Attack(
        "AVIF, sequence that declares 64 x 64, codes 8,000 x 6,000", avif_sequence, ("corrupt",)
    ),
)


def table() -> list[tuple[str, ...]]:
    """Return a header and a row for each attack."""
    rows: list[tuple[str, ...]] = [("attack", "bytes", "outcome", "CPU seconds", "peak MB")]
    for attack in ATTACKS:
        data = attack.make()
        outcome, cpu_s, peak_mib = measured(data)
        rows.append(
            (attack.name, f"{len(data):,}", f"`{outcome}`", f"{cpu_s:.1f}", f"{peak_mib:,}")
        )
    return rows


if __name__ == "__main__":
    for row in table():
        print(" | ".join(row), flush=True)
