"""axe-core finds nothing on any page of the console, light and dark, wide and narrow."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.support.cloud import Stack
from tests.support.console import Console
from tests.support.workflow import decided
from tests.verify.tools import AXE, ToolMissing

WIDTHS = (360, 1400)  # pixels: a phone, a desk
SCHEMES = ("light", "dark")
PAGES = (
    "",
    "uploads",
    "uploads?search=of-no-name",
    "upload",
    "review",
    "try",
    "quality",
    "monitor",
)
RUN = """
const [done] = arguments;
axe.run(document, { resultTypes: ["violations"] }).then((found) => done(found.violations.map(
  (rule) => [rule.id, rule.help, ...rule.nodes.map((node) => `${node.html} ${node.failureSummary}`)]
)), (error) => done([[String(error)]]));
"""


@pytest.fixture(scope="module")
def axe() -> str:
    """Its text. The pages' policy lets no page load it; a driver is not held by that policy."""
    try:
        return AXE.require().read_text()
    except ToolMissing as missing:
        pytest.skip(str(missing))


def findings(console: Console, axe: str) -> list[Any]:
    """Return what axe-core finds at each width in each colour scheme."""
    found = []
    browser = console.browser
    browser.execute_script(axe)
    for width in WIDTHS:
        device = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        for scheme in SCHEMES:
            feature = {"name": "prefers-color-scheme", "value": scheme}
            browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
            found += [[width, scheme, *rule] for rule in browser.execute_async_script(RUN)]
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page or "today")
def test_no_page_has_findings(
    console: Console, axe: str, standard: Stack, images: Path, page: str
) -> None:
    items = [decided(standard, (images / name).read_bytes()) for name in ("cat.jpg", "bicycle.png")]
    address = f"upload?upload={quote(items[0]['upload'])}" if page == "upload" else page
    console.browser.set_script_timeout(60)
    if page == "try":
        console.browser.get(f"{console.address}try#{console.token}")
        console.all("#files")[0].send_keys(str((images / "cat.jpg").resolve()))
        console.settled()
    else:
        console.open(address)
    if page == "review":  # with all that can be opened
        body = console.browser.find_element("tag name", "body")
        body.send_keys("?")
        body.send_keys("z")
    assert findings(console, axe) == []


def test_axe_runs_and_finds_what_is_wrong(console: Console, axe: str) -> None:
    console.open("")
    console.browser.execute_script(
        "const image = document.createElement('img'); image.src = 'data:,';"
        "document.getElementById('main').append(image)"
    )
    rules = {rule for _width, _scheme, rule, *_ in findings(console, axe)}
    assert rules == {"image-alt"}
