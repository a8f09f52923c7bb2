"""Monitor: memory and time over captures, generated as they are read.

    python -m benchmarks.monitor                      2,000 and 20,000 captures
    python -m benchmarks.monitor --captures 1000000   about an hour

A capture holds a picture as the workflow sends it and our endpoint's answer. The floor of the
memory is a tenth of the captures; the floor of the time is what no reader can leave out: parsing
the line, decoding base64 and the picture, and squashing it.
"""

import argparse
import base64
import io
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image

from benchmarks.process import memory_and_seconds
from benchmarks.table import Row, print_rows, row
from model.training.pictures import squashed
from ops.monitoring.captures import Captures
from ops.monitoring.windows import Windows

ROOT = Path(__file__).parents[1]
CAPTURES = 20_000
SIZE = 128
PHOTO = ROOT / "events" / "images" / "large-motorcycle.jpg"


def lines(captures: int) -> Iterator[bytes]:
    """Yield so many lines, a second apart."""
    with Image.open(PHOTO) as photo:
        file = io.BytesIO()
        squashed(photo.convert("RGB"), 256).quantize(64).save(file, "PNG")
    picture = base64.b64encode(file.getvalue()).decode()
    answer = json.dumps({"inferences": [{"label": "motorcycle", "confidence": 0.9}], "model": "m"})
    begin = datetime(2024, 1, 1, tzinfo=UTC)
    for number in range(captures):
        moment = (begin + timedelta(seconds=number)).strftime("%Y-%m-%dT%H:%M:%SZ")
        record = {
            "captureData": {
                "endpointInput": {"data": picture, "encoding": "BASE64"},
                "endpointOutput": {"data": answer, "encoding": "JSON"},
            },
            "eventMetadata": {"inferenceTime": moment},
        }
        yield json.dumps(record).encode()


def monitor(captures: int) -> None:
    """Read so many as the command does."""
    windows = Windows()
    windows.add_all(Captures([], 0.9, 0, SIZE).read(lines(captures), None))
    assert windows.whole().inferences == captures


def floor(captures: int) -> None:
    """Do with so many what cannot be left out."""
    for line in lines(captures):
        data = json.loads(line)["captureData"]["endpointInput"]["data"]
        with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
            squashed(picture.convert("RGB"), SIZE)


def measured(work: str, captures: int) -> tuple[float, float]:
    """Return the peak memory in MB and the seconds of a process of its own."""
    words = ("-m", "benchmarks.monitor", "--only", work, "--captures", str(captures))
    return memory_and_seconds(*words)


def rows(captures: int = CAPTURES) -> list[Row]:
    """Measure a tenth of the captures, then all of them."""
    less, _ = measured("monitor", captures // 10)
    memory, seconds = measured("monitor", captures)
    _, least = measured("floor", captures)
    return [
        row(
            f"peak memory of {captures:,} captures",
            memory,
            "MB",
            less,
            aim="<= 1.1x",
            note=f"the same for {captures // 10:,}",
        ),
        row(
            "time for each capture",
            seconds / captures * 1e3,
            "ms",
            least / captures * 1e3,
            note="parse, decode, squash",
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--captures", type=int, default=CAPTURES, help="default: %(default)s")
    parser.add_argument("--only", choices=["monitor", "floor"], help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.only:
        began = time.perf_counter()
        {"monitor": monitor, "floor": floor}[arguments.only](arguments.captures)
        elapsed = time.perf_counter() - began
        status = dict(
            line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines()
        )
        print(int(status["VmHWM"].split()[0]) / 1024, elapsed)
    else:
        print_rows((__doc__ or "").splitlines()[0], rows(arguments.captures))
