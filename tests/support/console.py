"""The console in a browser, as a person sees it."""

import contextlib
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews

PATIENCE_S = 30
SCREENSHOTS = os.environ.get("CONSOLE_SCREENSHOTS")  # a folder to write them to
WIDTHS = (360, 768, 1400)


@contextlib.contextmanager
def served(reviews: Reviews, page: str = "") -> Iterator[ConsoleServer]:
    """Serve the console of a stack. page: that its address leads to."""
    with ConsoleServer(reviews, "newest", 0, page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class Console:
    """The console as a person sees it."""

    def __init__(self, browser: Any, server: ConsoleServer) -> None:
        self.browser = browser
        self.address, self.token = server.url.split("#")

    def until(self, true: Callable[[Any], Any]) -> Any:
        from selenium.webdriver.support.wait import WebDriverWait

        return WebDriverWait(self.browser, PATIENCE_S, 0.02).until(true)

    def open(self, path: str) -> str:
        """Open a page, wait until it shows what it is for, and return its text."""
        self.browser.get("about:blank")
        self.browser.get(f"{self.address}{path}#{self.token}")
        return self.settled()

    def settled(self) -> str:
        self.until(
            lambda browser: browser.execute_script("return document.body.dataset.ready || 0")
        )
        return self.text()

    def text(self) -> str:
        return str(self.browser.find_element("id", "main").text)

    def all(self, selector: str) -> list[Any]:
        return list(self.browser.find_elements("css selector", selector))

    def shoot(self, name: str) -> None:
        """Write a page at each width, as high as it is; for people to look at."""
        if not SCREENSHOTS:
            return
        for width in WIDTHS:
            device = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
            self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
            height = self.browser.execute_script("return document.documentElement.scrollHeight")
            self.browser.execute_cdp_cmd(
                "Emulation.setDeviceMetricsOverride", device | {"height": height}
            )
            self.until(lambda _: not self.all("img[data-picture]:not([data-shown])"))
            self.browser.save_screenshot(str(Path(SCREENSHOTS) / f"{name}-{width}.png"))
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
