"""Reviewing: a session of 500 labels by keys in a browser, from a key to the next picture.

    python -m benchmarks.reviewing                 500 labels
    python -m benchmarks.reviewing --reviews 50

The console is the real one, on the embedded AWS. The floor is what a label takes without a page:
its record in the ledger and its copy in the bucket.
"""

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

from benchmarks.table import Row, print_rows, row
from local.cloud import embedded_aws
from local.follow import Follower
from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack

ROOT = Path(__file__).parents[1]
PHOTO = ROOT / "events" / "images" / "cat.jpg"
REVIEWS = 500
FLOOR = 50  # labels without a page
NAME = "reviewing"
PATIENCE_S = 3600  # of the driver, for the whole session
# Presses keys in turn and returns the milliseconds from each key to the page that is ready again.
SESSION = """
const [keys, done] = arguments;
const ready = () => document.body.dataset.ready;
const turned = (before) => new Promise((resolve) => {
  const observer = new MutationObserver(() => {
    if (ready() !== before) { observer.disconnect(); resolve(); }
  });
  observer.observe(document.body, { attributes: true });
});
(async () => {
  const taken = [];
  for (const key of keys) {
    const begin = performance.now(), next = turned(ready());
    document.body.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
    await next;
    taken.push(performance.now() - begin);
  }
  done(taken);
})();
"""


def waiting(aws: Any, outputs: dict[str, str], count: int) -> None:
    """Let so many uploads wait: one that the workflow decided, and copies beside its trigger."""
    follower = Follower(aws, outputs)
    upload = follower.upload(PHOTO.read_bytes(), PHOTO.name).upload
    item = follower.outcome(upload, patience_s=120)
    assert item is not None
    assert item["outcome"]["S"] == "review"
    s3, dynamodb = aws.client("s3"), aws.client("dynamodb")
    bucket, etag = item["s3_bucket"]["S"], item["etag"]["S"]
    for number in range(1, count):
        key = f"waiting/{number:05}.jpg"
        s3.put_object(Bucket=bucket, Key=key, Body=PHOTO.read_bytes())
        copy = item | {"upload": {"S": f"{bucket}/{key}#{etag}"}, "s3_key": {"S": key}}
        dynamodb.put_item(TableName=outputs["DecisionsTable"], Item=copy)


@contextlib.contextmanager
def chromium() -> Iterator[Any]:
    """Run a headless browser, without a sandbox: containers have no user namespaces for one."""
    from selenium import webdriver  # only here: the other suites need no browser

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium") or shutil.which("google-chrome") or ""
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--window-size=1100,800"):
        options.add_argument(word)
    browser = webdriver.Chrome(
        options=options, service=webdriver.ChromeService(shutil.which("chromedriver"))
    )
    try:
        yield browser
    finally:
        browser.quit()


def session(reviews: Reviews, count: int) -> list[float]:
    """Label so many in a browser; return the seconds of each. Raises if one is not recorded."""
    from selenium.webdriver.support.wait import WebDriverWait

    with (
        ConsoleServer(reviews, "newest", 0, "review") as server,
        chromium() as browser,
    ):
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            browser.set_script_timeout(PATIENCE_S)
            browser.get(server.url)
            ready = "return document.body.dataset.ready"
            WebDriverWait(browser, 60).until(lambda page: page.execute_script(ready))
            keys = ["120"[number % 3] for number in range(count)]
            taken = browser.execute_async_script(SESSION, keys)
        finally:
            server.shutdown()
            thread.join()
    found = reviews.ledger.of_outcome("reviewed")
    recorded = sum(item.revision == 2 and item.reviewer == reviews.reviewer for item in found)
    if recorded != count + FLOOR:
        raise RuntimeError(f"{recorded - FLOOR} of {count} labels were recorded")
    return [milliseconds / 1000 for milliseconds in taken]


def rows(count: int = REVIEWS) -> list[Row]:
    """Measure labels without a page, then a session; nothing where there is no browser."""
    if not shutil.which("chromedriver"):
        print("no browser: install Debian's chromium and chromium-driver", file=sys.stderr)
        return []
    with embedded_aws() as aws, patch.dict(os.environ, aws.environment()):
        outputs = aws.deploy(NAME, {"NoneThreshold": "0", "AuditShare": "0"})
        waiting(aws, outputs, count + FLOOR)
        reviews = Reviews(Stack(NAME), "ann", ["bicycle", "motorcycle"])
        without = []
        for item in reviews.waiting(FLOOR):
            begin = time.perf_counter()
            reviews.label(item, "bicycle")
            without.append(time.perf_counter() - begin)
        taken = session(reviews, count)
    floor, name = statistics.median(without), "record and copy, without a page"
    usual, late = statistics.median(taken), statistics.quantiles(taken, n=20)[-1]
    return [
        row("a label and the next picture, median", usual, "s", floor, note=name),
        row("the slowest of twenty", late, "s", floor, note=name),
        row(f"{count:,} labels", sum(taken), "s", count * floor, note=name),
    ]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        "python -m benchmarks.reviewing",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--reviews", type=int, default=REVIEWS, metavar="N")
    count = parser.parse_args().reviews
    print_rows((__doc__ or "").splitlines()[0], rows(count))
