"""The pictures of pages that README.md shows, of a real run.

    python -m tests.support.screenshots      write them anew

The sample pictures go through the workflow of an embedded AWS, one is labelled, and a headless
Chromium shows the demo's page and the console's.
"""

import contextlib
import io
import logging
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from PIL import Image

from local.artifacts import keep
from local.cloud import embedded_aws
from local.follow import Follower
from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack
from tests.support.browser import chromium
from tests.support.project import ROOT
from tests.support.session import STACK, environment
from tests.support.waiting import until

IMAGES = ROOT / "events" / "images"
DOCS = ROOT / "docs"
COLOURS = 96
MAX_BYTES = 150_000
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
        with console(reviews) as server, chromium("--force-color-profile=srgb") as browser:
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


@contextlib.contextmanager
def console(reviews: Reviews) -> Iterator[ConsoleServer]:
    """Serve the console."""
    with ConsoleServer(reviews, "newest", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


def taken(browser: Any, shot: Shot) -> bytes:
    """Return a PNG of a page when it shows all that it is to show."""
    size = {"width": shot.width, "height": shot.height or 900}
    device = size | {"deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
    browser.execute_cdp_cmd("Emulation.setScrollbarsHidden", {"hidden": True})
    browser.get("about:blank")
    browser.get(shot.address)
    if not until(lambda: browser.execute_script(SETTLED), patience_s=60):
        raise TimeoutError(f"{shot.name}: the page does not come to rest")
    if shot.height is None:
        height = browser.execute_script("return document.documentElement.scrollHeight")
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device | {"height": height})
        until(lambda: browser.execute_script(SETTLED), patience_s=60)
    found: bytes = browser.get_screenshot_as_png()
    return found


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
