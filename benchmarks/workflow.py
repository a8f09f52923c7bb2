"""Upload to recorded decision through the embedded AWS, and the bytes of state per picture."""

import json
import logging
import statistics
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks.table import Row, row
from local.cloud import embedded_aws
from local.follow import Follower

EVENTS = Path(__file__).parents[1] / "events"
ALONE = 40
IN_A_ROW = 200
WORKERS = 4
CALLS = 7  # to the server that an upload and its decision make


def rows() -> list[Row]:
    """Return a row for one upload at a time, two for many, and one a document of the state."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    picture = (EVENTS / "images" / "bicycle.png").read_bytes()
    with embedded_aws() as aws:
        follower = Follower(aws, aws.deploy(parameters={"WorkflowType": "EXPRESS"}))
        for warm_up in range(5):
            decided_ms(follower, picture, f"warm-up-{warm_up}")
        s3, bucket = aws.client("s3"), follower.outputs["UploadBucket"]
        floor = statistics.median(bare_calls_ms(s3, bucket, picture) for _ in range(ALONE))
        alone = statistics.median(decided_ms(follower, picture, f"{n}") for n in range(ALONE))
        began, busy = time.perf_counter(), time.process_time()
        names = [f"row-{n}.png" for n in range(IN_A_ROW)]
        with ThreadPoolExecutor(WORKERS) as pool:
            uploads = list(pool.map(lambda name: follower.upload(picture, name).upload, names))
        # Each look takes milliseconds of the process that is measured.
        lost = [upload for upload in uploads if follower.outcome(upload, poll_s=0.1) is None]
        rate = IN_A_ROW / (time.perf_counter() - began)
        busy_ms = (time.process_time() - busy) * 1000 / IN_A_ROW
        began, busy = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(WORKERS) as pool:
            list(pool.map(lambda n: bare_calls_ms(s3, bucket, picture, n), range(IN_A_ROW)))
        floor_rate = IN_A_ROW / (time.perf_counter() - began)
        floor_busy_ms = (time.process_time() - busy) * 1000 / IN_A_ROW
    if lost:
        raise RuntimeError(f"{len(lost)} of {IN_A_ROW} uploads have no outcome: {lost[:3]}")
    sizes = {
        name: len(json.dumps(json.loads((EVENTS / f"{name}.json").read_text())))
        for name in ("object_created", "classify", "filter")
    }
    return [
        row(
            "upload to decision, alone, median",
            alone,
            "ms",
            floor,
            aim="below 70 ms",
            note=f"one put and {CALLS - 1} gets on the same server, as many calls as it makes",
        ),
        row(
            f"{IN_A_ROW} uploads in a row, all decided",
            rate,
            "/s",
            floor_rate,
            aim="at least 20 /s",
            note=f"{WORKERS} uploaded at once; the same bare calls, {WORKERS} times at once",
        ),
        row(
            "a decision's processor time, of them",
            busy_ms,
            "ms",
            floor_busy_ms,
            aim="below 50 ms",
            note="in the embedded AWS's own process, without the functions; the same bare calls",
        ),
        *(
            row(f"state: {name}.json", size / 1024, "KiB", 256, note="the limit of a state")
            for name, size in sizes.items()
        ),
    ]


def decided_ms(follower: Follower, picture: bytes, name: str) -> float:
    """Upload and wait for the ledger's item; raise if the upload has none."""
    began = time.perf_counter()
    uploaded = follower.upload(picture, f"{name}.png")
    if follower.outcome(uploaded.upload) is None:
        raise RuntimeError(f"{name}: no outcome was recorded")
    return (time.perf_counter() - began) * 1000


def bare_calls_ms(s3: Any, bucket: str, picture: bytes, number: int = 0) -> float:
    """Time as many calls to the same server as an upload makes, with nothing between them."""
    began = time.perf_counter()
    key = f"floor/{number}.png"  # outside of the prefix
    s3.put_object(Bucket=bucket, Key=key, Body=picture)
    for _ in range(CALLS - 1):
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    return (time.perf_counter() - began) * 1000
