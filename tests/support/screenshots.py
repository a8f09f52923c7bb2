"""The pictures of pages that README.md and docs/ show, of a real run.

    python -m tests.support.screenshots      write them anew

The sample pictures go through the workflow of an embedded AWS, one is labelled, and a headless
Chromium shows the demo's page and the console's. The monitoring report is of two weeks of
benchmarks/camera.py, by the commands of docs/monitoring.md.
"""

import io
import logging
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from local.artifacts import keep
from local.cloud import embedded_aws
from local.follow import Follower
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack
from tests.support.browser import chromium
from tests.support.console import served
from tests.support.project import ROOT
from tests.support.session import STACK, environment
from tests.support.waiting import until

IMAGES = ROOT / "events" / "images"
DOCS = ROOT / "docs"
CAMERA = ".demo/camera"  # from the project's folder: the report says where its captures are
COLOURS = 96
MAX_BYTES = 150_000
PATIENCE_S = 60
SETTLED = """
    const unseen = [...document.images].filter(
      (image) => image.offsetParent && !image.naturalWidth
        && image.getBoundingClientRect().top < innerHeight); // others come when they are in sight
    return document.readyState == 'complete' && !unseen.length
      && (!document.querySelector('script') || document.body.dataset.ready > 0)
"""


@dataclass(frozen=True)
class Shot:
    """One picture. height: None for all of the page. width, height: pixels."""

    name: str
    address: str
    width: int = 1400
    height: int | None = None


def main() -> None:
    """Write all pictures. Raises ValueError for one that is too large for a README."""
    for chatty in ("werkzeug", "moto", "local", "waitress.queue"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    report = monitored().as_uri()
    with chromium("--force-color-profile=srgb") as browser:
        shot = Shot("monitor", report, width=1120)
        write(shot, taken(browser, shot))
    with embedded_aws() as aws, environment(aws.environment()):
        outputs = aws.deploy(STACK)
        follower = Follower(aws, outputs)
        photos = sorted(path for path in IMAGES.iterdir() if path.suffix != ".md")
        pictures = [follower.decide(path) for path in photos]
        for picture in pictures:
            picture.states = follower.states(picture.execution)
        demo = keep(aws, outputs, pictures).as_uri()
        reviews = Reviews(Stack(STACK), "ann")
        [drawing] = [found.upload for found in pictures if "drawing" in found.image]
        read = reviews.ledger.get(drawing)
        assert read is not None
        reviews.relabel(read, "motorcycle", "drawn, but one")
        with served(reviews) as server, chromium("--force-color-profile=srgb") as browser:
            page, token = server.url.split("#")
            [photo] = [found.upload for found in pictures if "large-motorcycle" in found.image]
            upload = f"{page}upload?upload={quote(photo)}#{token}"
            for shot in (
                Shot("demo", demo, height=1000),
                Shot("today", f"{page}today#{token}"),
                Shot("console", upload),
                Shot("review", f"{page}review#{token}", height=720),
                Shot("phone", f"{page}uploads#{token}", width=360, height=780),
            ):
                write(shot, taken(browser, shot))


def monitored() -> Path:
    """Return the report of a camera whose lens fogs, against a good week of it."""
    python, baseline, out = [sys.executable, "-m"], f"{CAMERA}/good.json", f"{CAMERA}/monitor"
    monitor = [*python, "ops", "monitor", "--out", out, "--captures"]
    for words, code in (
        ([*python, "benchmarks.camera", CAMERA], 0),
        ([*monitor, f"{CAMERA}/before", "--write-baseline", baseline], 0),
        ([*monitor, f"{CAMERA}/now", "--baseline", baseline], 1),  # drift
    ):
        ended = subprocess.run(words, cwd=ROOT, check=False)
        if ended.returncode != code:
            raise subprocess.CalledProcessError(ended.returncode, words)
    return ROOT / out / "index.html"


def taken(browser: Any, shot: Shot) -> bytes:
    """Return a PNG of a page when it shows all that it is to show."""
    size = {"width": shot.width, "height": shot.height or 900}
    device = size | {"deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    browser.get("about:blank")
    browser.get(shot.address)
    settle(browser, shot)
    if shot.height is None:
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device | {"height": height})
        settle(browser, shot)
    found: bytes = browser.get_screenshot_as_png()
    return found


def settle(browser: Any, shot: Shot) -> None:
    """Wait until a page shows all that it is to show. Raises TimeoutError if it never does."""
    if not until(lambda: browser.execute_script(SETTLED), patience_s=PATIENCE_S):
        raise TimeoutError(
            f"{shot.name}: the page still loads after {PATIENCE_S} s: run it where less else runs"
        )


def write(shot: Shot, png: bytes, folder: Path = DOCS) -> None:
    """Write a PNG with few colours. Raises ValueError if it is too large."""
    out = io.BytesIO()
    image = Image.open(io.BytesIO(png)).convert("RGB")
    image.quantize(COLOURS, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
    if len(data := out.getvalue()) > MAX_BYTES:
        raise ValueError(
            f"{shot.name}.png has {len(data):,} bytes; at most {MAX_BYTES:,}: show less of it"
        )
    (folder / f"{shot.name}.png").write_bytes(data)
    print(f"wrote docs/{shot.name}.png: {image.width} x {image.height}, {len(data):,} bytes")


if __name__ == "__main__":
    main()
