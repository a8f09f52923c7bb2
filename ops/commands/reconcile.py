"""Hold every object under the upload prefix against the ledger: is anything unaccounted for?

    python -m ops reconcile
    python -m ops reconcile --missing missing.txt  their keys, one a line
    python -m ops reconcile --start                start what is missing

An object is decided (the ledger has an outcome), failed (it has only a failure: see redrive), in
flight (no outcome yet, but younger than --grace) or missing. What the ledger says was gone before
it was read is missing too, since here it is. Exit code 1 if any is missing and was not started. It
finds what no other part can record: an execution that ended by its own time-out, an event that was
lost. Memory does not grow with the number of objects.
"""

import argparse
import contextlib
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cli.arguments import add_json, duration
from cli.errors import CommandError
from cli.escaping import escaped
from cli.terminal import Progress
from ops.stack.executions import created_event, start_all
from ops.stack.ledger import ABSENT, BATCH_SIZE, Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.rate_limit import RateLimit, add_rate_limit
from ops.stack.uploads import stands_for_folder

# An execution ends within 5 minutes; the rest is for EventBridge's first retries.
GRACE = "15m"

Listed = Mapping[str, Any]  # an entry of ListObjectsV2: Key, ETag, Size, LastModified
Lookup = Callable[[list[str]], Mapping[str, str]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--grace",
        type=duration,
        default=GRACE,
        metavar="AGE",
        help="an object without an outcome is in flight this long (default: %(default)s)",
    )
    parser.add_argument(
        "--newer-than",
        type=duration,
        metavar="AGE",
        help="leave out older objects, which `prune` has taken out of the ledger",
    )
    parser.add_argument("--start", action="store_true", help="start what is missing")
    add_rate_limit(parser)
    parser.add_argument("--missing", type=Path, metavar="FILE", help="write the missing keys here")
    parser.add_argument("--prefix", help="look only under this part of the upload prefix")
    add_json(parser, "one object")


@dataclass
class Count:
    """How many objects are in each state; outcomes: those that the ledger has."""

    decided: int = 0
    failed: int = 0
    in_flight: int = 0
    missing: int = 0
    started: int = 0
    refused: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def objects(self) -> int:
        """All objects that were seen."""
        return self.decided + self.failed + self.in_flight + self.missing


def run(arguments: argparse.Namespace) -> int:
    """Compare bucket and ledger."""
    stack = Stack.of(arguments)
    ledger, bucket = Ledger(stack), stack.outputs["UploadBucket"]
    prefix = arguments.prefix or stack.outputs["UploadPrefix"]
    if not prefix.startswith(stack.outputs["UploadPrefix"]):
        raise CommandError(
            f"--prefix {prefix}: only objects under {stack.outputs['UploadPrefix']} start the"
            " workflow"
        )
    count, deadline = Count(), datetime.now(UTC) - arguments.grace
    with contextlib.ExitStack() as closing:
        progress = closing.enter_context(Progress())
        out = closing.enter_context(arguments.missing.open("w")) if arguments.missing else None
        pages = watched(listing(stack, bucket, prefix), count, progress)
        if arguments.newer_than is not None:
            pages = newer(pages, datetime.now(UTC) - arguments.newer_than)

        def events() -> Iterator[str]:
            for item in missing(pages, bucket, ledger.outcomes, deadline, count):
                if out:
                    print(escaped(json.dumps(item["Key"], ensure_ascii=False)), file=out)
                yield created_event(stack, item, bucket, "ops reconcile")

        if arguments.start:
            limit = RateLimit(arguments.per_second)
            try:
                for refusal in start_all(stack, events(), "reconcile", limit):
                    count.started += not refusal
                    count.refused += bool(refusal)
                    if refusal and count.refused == 1:
                        print(f"! {refusal}", file=sys.stderr)
            except KeyboardInterrupt:
                progress.clear()
                print(f"started {count.started:,}, refused {count.refused:,}", file=sys.stderr)
                raise
        else:
            for _ in events():
                pass
    print(as_json(count) if arguments.json else as_text(count, stack, f"s3://{bucket}/{prefix}"))
    return 1 if count.missing > count.started else 0


def listing(stack: Stack, bucket: str, prefix: str) -> Iterator[list[Listed]]:
    """Yield the pages of uploads under a prefix, at most 1,000 each, without folders."""
    pages = stack.client("s3").get_paginator("list_objects_v2")
    for page in pages.paginate(Bucket=bucket, Prefix=prefix):
        objects = page.get("Contents", [])
        yield [item for item in objects if not stands_for_folder(item["Key"], item["Size"])]


def watched(
    pages: Iterable[list[Listed]], count: Count, progress: Progress
) -> Iterator[list[Listed]]:
    """Yield the pages, and show before each how far it has come."""
    for page in pages:
        progress.tell(f"{count.objects:,} objects, {count.missing:,} missing")
        yield page


def newer(pages: Iterable[list[Listed]], than: datetime) -> Iterator[list[Listed]]:
    """Yield the pages without the objects that are older."""
    for page in pages:
        yield [item for item in page if item["LastModified"] > than]


def missing(
    pages: Iterable[list[Listed]], bucket: str, outcomes: Lookup, deadline: datetime, count: Count
) -> Iterator[Listed]:
    """Yield the objects that are older than the deadline and have no outcome; count all.

    pages: of the listing. outcomes: looks up at most 100 uploads. Holds one page at a time.
    """
    for page in pages:
        for start in range(0, len(page), BATCH_SIZE):
            part = page[start : start + BATCH_SIZE]
            names = [name_of(bucket, item["Key"], item["ETag"]) for item in part]
            known = outcomes(names)
            for name, item in zip(names, part, strict=True):
                outcome = known.get(name, ABSENT)
                if outcome != ABSENT:
                    count.outcomes[outcome] += 1
                    count.failed += outcome == "failed"
                    count.decided += outcome != "failed"
                elif item["LastModified"] > deadline:
                    count.in_flight += 1
                else:
                    count.missing += 1
                    yield item


def as_json(count: Count) -> str:
    """Return the figures as one JSON object."""
    return json.dumps({"objects": count.objects, **vars(count)})


def as_text(count: Count, stack: Stack, address: str) -> str:
    """Return the figures as lines to read."""
    again = stack.command("redrive") if count.failed else ""
    start = stack.command("reconcile", "--start") if count.missing > count.started else ""
    outcomes = sorted(item for item in count.outcomes.items() if item[0] != "failed")
    by_outcome = ", ".join(f"{number:,} {name}" for name, number in outcomes)
    lines = [
        f"{count.objects:,} object{'s' * (count.objects != 1)} under {address}",
        f"  decided    {count.decided:>9,}" + (f"  {by_outcome}" * bool(by_outcome)),
        f"  failed     {count.failed:>9,}  {again}".rstrip(),
        f"  in flight  {count.in_flight:>9,}",
        f"  missing    {count.missing:>9,}  {start}".rstrip(),
    ]
    if count.started or count.refused:
        lines.append(f"  started    {count.started:>9,}, refused {count.refused:,}")
    return "\n".join(lines)
