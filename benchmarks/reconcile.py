"""Reconcile: memory and time over a listing of a million objects, generated as it is read.

    python -m benchmarks.reconcile                   100,000 and 1,000,000 objects
    python -m benchmarks.reconcile --objects 5000000

Listing and ledger are generators in the shape of boto3's answers: what is measured is the
command's own memory, not that of S3 and DynamoDB. The floor of the memory is a tenth of the
objects: if memory grew with their number the ratio would be near 10.
"""

import argparse

from benchmarks.process import memory_and_seconds
from benchmarks.table import Row, print_rows, row

OBJECTS = 1_000_000

# Peak resident memory (VmHWM) and seconds of one run, in a process of its own.
MEASURED = """
import sys, time
from datetime import UTC, datetime, timedelta
from ops.commands.reconcile import Count, missing

objects = int(sys.argv[1])
then = datetime.now(UTC) - timedelta(days=1)

def pages():
    for first in range(0, objects, 1000):
        yield [
            {"Key": f"uploads/{n:012}.jpg", "ETag": f'"{n:032x}"', "Size": n, "LastModified": then}
            for n in range(first, min(first + 1000, objects))
        ]

def outcomes(names):  # one upload of a hundred has none
    return dict.fromkeys(names[1:], "accepted")

count = Count()
start = time.perf_counter()
found = sum(1 for _ in missing(pages(), "bucket", outcomes, then + timedelta(hours=1), count))
seconds = time.perf_counter() - start
assert (count.objects, found) == (objects, -(-objects // 100)), count
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(int(status["VmHWM"].split()[0]) / 1024, seconds)
"""


def measured(objects: int) -> tuple[float, float]:
    """Return the peak memory in MB and the seconds for so many objects."""
    return memory_and_seconds("-c", MEASURED, str(objects))


def rows(objects: int = OBJECTS) -> list[Row]:
    """Measure a tenth of the objects, then all of them."""
    less, _ = measured(objects // 10)
    memory, seconds = measured(objects)
    return [
        row(
            f"peak memory of {objects:,} objects",
            memory,
            "MB",
            less,
            aim="<= 1.1x",
            note=f"the same for {objects // 10:,}",
        ),
        row(
            "own time for each object",
            seconds / objects * 1e6,
            "us",
            aim="< 100 us",
            note="S3 lists 1,000 in about 100 ms",
        ),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--objects", type=int, default=OBJECTS, help="default: %(default)s")
    print_rows((__doc__ or "").splitlines()[0], rows(parser.parse_args().objects))
