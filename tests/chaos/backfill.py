"""Prove that a backfill that is stopped, resumed and ended by its budget decides all, each once.

    python -m tests.chaos.backfill                    20,000 objects; an hour and more
    python -m tests.chaos.backfill --objects 300 --uploads 20 --type EXPRESS

The objects are in a bucket that was there before: good pictures and broken ones. A sample of them
is decided first. Then a run over all is stopped in its middle while some are deleted; it is resumed
with a budget that does not suffice, and once more without one. Pictures of today are uploaded
before it and beside the run with the budget, one after the other. Exit code 1 if a promise was
broken.
"""

import argparse
import json
import logging
import os
import random
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from local.cloud import EmbeddedAws, embedded_aws
from local.follow import Follower
from tests.chaos.__main__ import STACK, come_to_rest, ops, print_table, print_verdict
from tests.chaos.uploads import IMAGES, Upload, Uploads
from tests.chaos.verdict import judge
from tests.support.cloud import GRANTING

BUCKET = GRANTING["BackfillBucket"]
SAMPLE, STOPPED_AT, DELETED, BUDGETED = 0.15, 0.4, 0.05, 0.2  # shares of the objects
PAUSE_S = 0.5  # between uploads
LOOKS = 1000  # objects for each second between looks: each reads all outcomes anew
LATE_S = 10  # what a stopped run has started has its outcome by then
ALONE, BESIDE = 12, 4  # children at once; the pictures that come today need room beside them


@dataclass
class Bench:
    """What the run is made of."""

    aws: EmbeddedAws
    outputs: dict[str, str]
    put: list[Upload]
    broken: list[str]

    def asked(self, *words: str) -> dict[str, Any]:
        """Return what a command tells as JSON."""
        command = [sys.executable, "-m", "ops", "backfill", *words, "--stack", STACK, "--json"]
        done = subprocess.run(
            command, env=os.environ | self.aws.environment(), capture_output=True, check=False
        )
        return dict(json.loads(done.stdout)) if done.stdout else {"error": done.stderr.decode()}

    def begun(self, *words: str, concurrency: int = ALONE) -> str:
        """Begin a run as an operator does, and return its name."""
        time.sleep(1.1)  # it is called by the second
        given = (*words, "--yes", "--concurrency", str(concurrency))
        print(f"\n$ python -m ops backfill {' '.join(given)}", flush=True)
        return str(self.asked(*given)["run"])

    def ended(self, name: str) -> dict[str, Any]:
        """Wait for a run and what it has started; return how it ended.

        Nobody watches it meanwhile: here a query of an index goes over all items of the table, and
        holds up all else.
        """
        states, machine = self.aws.client("stepfunctions"), self.outputs["BackfillWorkflowArn"]
        run = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
        while states.describe_execution(executionArn=run)["status"] == "RUNNING":
            time.sleep(1)
        ops(self.aws, "backfill", "watch", name)
        time.sleep(LATE_S)
        return self.asked("watch", name)

    def hold(self, true: bool, promise: str) -> None:
        """Note a promise that is broken."""
        if not true:
            self.broken.append(promise)


def main() -> int:
    """Run, print what became of it, judge."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.chaos.backfill",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--objects", type=int, default=20_000, metavar="N")
    parser.add_argument("--uploads", type=int, default=200, metavar="N", help="of today")
    parser.add_argument("--seed", type=int, default=1, help="of the pictures")
    parser.add_argument("--type", choices=("STANDARD", "EXPRESS"), default="STANDARD")
    arguments = parser.parse_args()
    for chatty in ("werkzeug", "moto", "local", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    with embedded_aws() as aws:
        outputs = aws.deploy(STACK, {"WorkflowType": arguments.type, "BackfillBucket": BUCKET})
        aws.client("s3").create_bucket(Bucket=BUCKET)
        old = Uploads(aws, {"UploadBucket": BUCKET, "UploadPrefix": "old/"}, arguments.seed)
        old.run(arguments.objects, fates=False)
        bench = Bench(aws, outputs, list(old.put), [])
        return run(bench, arguments)


def run(bench: Bench, arguments: argparse.Namespace) -> int:
    """Go through it all; return the exit code."""
    today = Today(bench.aws, bench.outputs)
    before = [today.upload() for _ in range(arguments.uploads)]
    where = ("--bucket", BUCKET)
    sampled = bench.ended(bench.begun("start", *where, "--sample", f"{SAMPLE:.0%}"))
    began = time.monotonic()
    first = bench.begun("start", *where)
    delete_some(bench, random.Random(arguments.seed))
    while (now := bench.asked("watch", first, "--once"))["status"] == "RUNNING":
        if now["photos"] >= STOPPED_AT * arguments.objects:
            break
        time.sleep(arguments.objects / LOOKS)
    ops(bench.aws, "backfill", "stop", first)
    stopped = bench.ended(first)
    plan = bench.asked("plan", *where)
    asking, photo = plan["dollars_asked"], plan["dollars_photo"]
    paid = min(BUDGETED * arguments.objects, plan["to_decide"] / 2)  # the stop may come late
    budget = plan["listed"] * asking + paid * photo
    with today.beside() as during:
        given = ("resume", first, "--budget", f"{budget:.6f}")
        second = bench.begun(*given, concurrency=BESIDE)
        used_up = bench.ended(second)
    last = bench.ended(bench.begun("resume", second, "--limit", str(arguments.objects)))
    seconds = time.monotonic() - began
    bench.hold(stopped["end"] == "stopped", "it was not stopped")
    bench.hold(used_up["end"] == "used up", "its budget did not end it")
    bench.hold(used_up["dollars"] <= budget, f"${used_up['dollars']} spent of ${budget}")
    bench.hold(last["end"] == "complete", f"it ended as {last['end']}")
    runs = (sampled, stopped, used_up, last)
    print_table(
        "photos started", {f"{number}. {r['end']}": r["photos"] for number, r in enumerate(runs, 1)}
    )
    photos = sum(r["photos"] for r in runs[1:])
    print(
        f"  {photos / seconds:.1f} a second; ${used_up['dollars']:.6f} of a budget of ${budget:.6f}"
    )
    medians = [statistics.median(times) for times in (before, during)]
    print_table(
        "uploads, milliseconds",
        {
            f"median of {len(before):,} before": round(medians[0]),
            f"median of {len(during):,} beside": round(medians[1]),
        },
    )
    come_to_rest(bench.outputs)
    verdict = judge(bench.aws, bench.outputs, bench.put + today.put)
    verdict.broken += bench.broken
    print_verdict(verdict, len(bench.put) + len(today.put))
    return 1 if verdict.broken else 0


def delete_some(bench: Bench, chance: random.Random) -> None:
    """Delete a share of the objects while the run is on its way."""
    s3 = bench.aws.client("s3")
    for place in chance.sample(range(len(bench.put)), round(DELETED * len(bench.put))):
        upload = bench.put[place]
        key = upload.name.partition("/")[2].rpartition("#")[0]
        s3.delete_object(Bucket=BUCKET, Key=key)
        bench.put[place] = replace(upload, survives=False)


class Today:
    """Uploads of today, one after the other, each a picture of its own."""

    def __init__(self, aws: EmbeddedAws, outputs: dict[str, str]) -> None:
        self.put: list[Upload] = []
        self._follower = Follower(aws, outputs)
        self._picture = (IMAGES / "bicycle.png").read_bytes()

    def upload(self) -> float:
        """Upload a picture; return the milliseconds until it has its outcome."""
        number = len(self.put)
        began = time.monotonic()
        followed = self._follower.upload(self._picture + f"{number}".encode(), f"{number:06}.png")
        outcome = self._follower.outcome(followed.upload)
        assert outcome, f"{followed.upload} has no outcome"
        self.put.append(Upload(followed.upload, "good picture", True))
        return (time.monotonic() - began) * 1000

    @contextmanager
    def beside(self) -> Iterator[list[float]]:
        """Upload until the context ends; yield the milliseconds of each."""
        times: list[float] = []
        done = threading.Event()

        def go_on() -> None:
            while not done.wait(PAUSE_S):
                times.append(self.upload())

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            yield times
        finally:
            done.set()
            thread.join()


if __name__ == "__main__":
    sys.exit(main())
