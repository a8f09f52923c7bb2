"""A headless Chromium for tests of pages."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

import pytest


@contextlib.contextmanager
def chromium(*options: str) -> Iterator[Any]:
    """Run a browser; skip the test where there is none. options: of its command line."""
    selenium = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    program = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if not (program and driver):
        pytest.skip("no browser: install Debian's chromium and chromium-driver")
    chosen = selenium.ChromeOptions()
    chosen.binary_location = program
    # No sandbox: containers have no user namespaces to make it of.
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", *options):
        chosen.add_argument(word)
    chosen.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = selenium.ChromeService(driver)
    browser = selenium.Chrome(options=chosen, service=service)
    try:
        yield browser
    finally:
        browser.quit()
        service.stop()
