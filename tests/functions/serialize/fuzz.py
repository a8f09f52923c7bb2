"""Fuzz the decoding of uploads, guided by the coverage of Pillow's parsers and of this function.

    python -m tests.functions.serialize.fuzz --minutes 30
    python -m tests.functions.serialize.fuzz --minutes 30 --contained

It needs `pip install atheris` (Linux). The corpus of the tests is the seed. A finding is any
exception but ImageRejected, a document over its limit, or a file that takes over 5 s of CPU: it is
kept under --findings, and the run goes on. A crash of native code, or memory beyond the
function's, ends the run, with the file kept there too. Exit code 1 if there was any finding.

Coverage guides only what runs in this process, so this way decodes without a child and finds what
the child contains. With --contained each file is decoded as in the function, at a tenth of the
speed and unguided where it is a child that decodes: what is found there is an upload that fails.
"""

import argparse
import hashlib
import importlib
import shutil
import struct
import sys
import tempfile
import time
import traceback
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import atheris

FUNCTION = Path(__file__).parents[3] / "functions" / "serialize"

MAX_SECONDS = 5.0
MAX_FILE_BYTES = 24_000  # the seeds are smaller; little files are tried more often
# The function's 1,024 MB and what the instrumentation takes.
MAX_RESIDENT_MIB = 1_250

sys.path.insert(0, str(FUNCTION))
# Readers and decoders are imported when their format arrives; here before, to be instrumented.
NOT_DECODING = ("app", "contained", "upload")
MODULES = [path.stem for path in FUNCTION.glob("*.py") if path.stem not in NOT_DECODING]
with atheris.instrument_imports(include=["PIL", "pi_heif", *MODULES]):
    import canonical
    from formats import FORMATS
    from rejection import ImageRejected

    for module in (*MODULES, *(kind.decoder for kind in FORMATS)):
        importlib.import_module(module)

import contained  # noqa: E402

from tests.functions.serialize import rare_heifs as heifs  # noqa: E402
from tests.functions.serialize import rare_jpegs as jpegs  # noqa: E402
from tests.functions.serialize import rare_pngs as pngs  # noqa: E402
from tests.functions.serialize.pictures import corpus, file_of, quarters  # noqa: E402
from tests.functions.serialize.rare_bmps import packed  # noqa: E402
from tests.functions.serialize.rare_tiffs import tiff  # noqa: E402

runs = 0
slowest = 0.0
reasons: dict[str, int] = {}
findings: dict[str, Path] = {}


def keep(findings_folder: Path, name: str, data: bytes) -> None:
    """Keep the first file of each kind of finding."""
    if name not in findings:
        path = findings_folder / f"finding-{hashlib.sha256(data).hexdigest()[:12]}"
        path.write_bytes(data)
        findings[name] = path
        print(f"FINDING {name}: {path}", flush=True)


def try_one(data: bytes, findings_folder: Path, decode: Callable[[bytes], Any]) -> None:
    """Decode one file and keep it if something is wrong."""
    global runs, slowest
    runs += 1
    started = time.process_time()
    try:
        picture = decode(data)
        outcome = "decoded"
        if len(picture.data) > canonical.MAX_DATA_BYTES:
            keep(findings_folder, "too long a document", data)
    except ImageRejected as rejection:
        outcome = rejection.reason
    except Exception as error:
        outcome = "exception"
        where = traceback.extract_tb(error.__traceback__)[-1]
        keep(findings_folder, f"{error!r} in {where.filename}:{where.lineno}", data)
    reasons[outcome] = reasons.get(outcome, 0) + 1
    seconds = time.process_time() - started
    slowest = max(slowest, seconds)
    if seconds > MAX_SECONDS:
        keep(findings_folder, f"{seconds:.0f} s of CPU, {outcome}", data)
    if runs % 10_000 == 0:
        print(f"{runs:,} runs, {len(findings)} findings, slowest {slowest:.1f} s", flush=True)


def mutate(data: bytes, max_size: int, seed: int) -> bytes:
    """Change a file at random, but keep the check sums of a PNG, which would end most tries."""
    changed = atheris.Mutate(data, max_size)
    return bytes(checked_png(changed) if changed.startswith(b"\x89PNG") and seed % 8 else changed)


def checked_png(data: bytes) -> bytes:
    """Return the PNG with the check sum of each chunk set right."""
    file, at = bytearray(data), 8
    while at + 12 <= len(file):
        (size,) = struct.unpack_from(">L", file, at)
        end = at + 8 + size
        if end + 4 > len(file):
            break
        struct.pack_into(">L", file, end, zlib.crc32(file[at + 4 : end]))
        at = end + 4
    return bytes(file)


def seed_files() -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the corpus, and of rare files beside it."""
    yield from ((sample.name, sample.data) for sample in corpus())
    image = quarters(16, 16)
    jpeg = file_of(image, "JPEG")
    aperture, colours = heifs.clean_aperture(8, 8, -4, -4), heifs.colours(heifs.BT2020, heifs.PQ)
    chunks = [(b"cICP", b"\x0c\x0d\0\1"), (b"gAMA", b"\0\1\x86\xa0"), (b"cHRM", bytes(32))]
    rare = [
        *(heifs.still(image, kind, aperture, colours) for kind in ("HEIF", "AVIF")),
        *(heifs.with_metadata(image, kind, b"Exif", bytes(16)) for kind in ("HEIF", "AVIF")),
        heifs.identity(image, (b"irot", b"\1")),
        jpegs.with_thumbnail(jpeg),
        jpegs.without_scans(file_of(image, "JPEG", progressive=True), 5),
        *(pngs.half_clear(depth, pngs.GREY, 0, 1) for depth in (1, 2, 4, 8, 16)),
        *(pngs.of_quarters(pngs.chunk(*chunk)) for chunk in chunks),
        *(packed(image, 16, (0xF00 >> i, 0xF0, 0xF, 0xF000)) for i in range(2)),
        tiff((16, 16), [bytes(512)] * 3, [16] * 3, 2, (284, 2)),
        tiff((16, 16), [bytes(384)], [12], 1),
    ]
    yield from ((f"rare-{number}", data) for number, data in enumerate(rare))


def main() -> None:
    """Fuzz for so many minutes and say what came of it."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--minutes", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--findings", type=Path, default=Path("fuzz-findings"), help="folder")
    parser.add_argument("--contained", action="store_true", help="decode as the function does")
    options = parser.parse_args()
    decode = contained.contained_picture if options.contained else canonical.canonical_picture
    options.findings.mkdir(parents=True, exist_ok=True)
    seeds = Path(tempfile.mkdtemp(prefix="fuzz-seeds-"))
    for name, data in seed_files():
        if len(data) <= MAX_FILE_BYTES:
            (seeds / name).write_bytes(data)

    end = time.monotonic() + 60 * options.minutes

    def test_one(data: bytes) -> None:
        if time.monotonic() > end:
            report(seeds)
        try_one(data, options.findings, decode)

    arguments: list[Any] = [
        sys.argv[0],
        str(seeds),
        f"-artifact_prefix={options.findings}/",
        f"-max_len={MAX_FILE_BYTES}",
        f"-rss_limit_mb={MAX_RESIDENT_MIB}",
        "-timeout=60",
        "-verbosity=0",
    ]
    atheris.Setup(arguments, test_one, custom_mutator=mutate)
    atheris.Fuzz()


def report(seeds: Path) -> None:
    """Print the sum of it and end the process: libFuzzer has no other way out."""
    shutil.rmtree(seeds, ignore_errors=True)
    print(f"{runs:,} runs, {len(findings)} findings, slowest {slowest:.1f} s of CPU")
    print(", ".join(f"{name} {count:,}" for name, count in sorted(reasons.items())), flush=True)
    sys.stdout.flush()
    import os

    os._exit(1 if findings else 0)


if __name__ == "__main__":
    main()
