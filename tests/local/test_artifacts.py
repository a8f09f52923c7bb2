"""What the demo keeps in .demo/."""

import fcntl
import os
import shutil
import threading
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from local import artifacts
from ops.stack.executions import NO_HISTORY
from tests.support.browser import chromium
from tests.support.cloud import Stack
from tests.support.waiting import until

SCRIPT = "<img src=x onerror=document.title='ran'>'\"`\u202e.png"


class Addresses(HTMLParser):
    """Collects what a page shows and links to."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in ("src", "href")]


def kept(
    stack: Stack, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Path, str]:
    """Keep five photos of a stack; return the page's path and text."""
    monkeypatch.setattr(artifacts, "FOLDER", tmp_path / "kept")
    photos = [images / "no-image.jpg", images / "bicycle.png"]
    for name in ("a b.png", "A-B.png", SCRIPT):
        photos.append(tmp_path / name)
        shutil.copyfile(images / "bicycle.png", photos[-1])
    pictures = list(stack.follower.follow(photos))
    pictures.append(stack.follower.decide(tmp_path / "gone.png"))
    for picture in pictures:
        picture.states = stack.follower.states(picture.execution)
    page = artifacts.keep(stack.aws, stack.outputs, pictures)
    return page, page.read_text()


def test_two_demos_in_one_folder_write_one_after_the_other(
    standard: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(artifacts, "FOLDER", tmp_path)
    of_the_first = tmp_path / artifacts.CAPTURES / "requests.jsonl"
    of_the_first.parent.mkdir()
    of_the_first.touch()
    descriptor = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    second = threading.Thread(target=artifacts.keep, args=(standard.aws, standard.outputs, []))
    second.start()
    second.join(1)
    kept = of_the_first.exists()
    os.close(descriptor)
    second.join()
    assert (kept, of_the_first.exists()) == (True, False)


def test_the_page_needs_no_server_and_runs_no_name(
    standard: Stack, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, text = kept(standard, images, tmp_path, monkeypatch)
    addresses = Addresses()
    addresses.feed(text)
    files = [
        unquote(found) for found in addresses.found if found[0] != "#" and found[:5] != "data:"
    ]
    assert len(files) > 10
    for name in files:
        assert (page.parent / name).is_file(), name
    ways = [name for name in files if name.startswith("executions/")]
    assert len(set(ways)) == 5, "two photos share a drawing"
    assert text.count("<script") == text.count("<img src=x") == text.count("\u202e") == 0
    assert "onerror=document.title=&#39;ran&#39;&gt;" in text
    assert "gone.png" in text
    with chromium("--window-size=1400,900") as browser:
        device = {"width": 360, "height": 740, "deviceScaleFactor": 1, "mobile": True}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", device)
        browser.get(page.as_uri())
        images_of = "return [...document.images].filter(i => i.loading != 'lazy')"
        assert until(lambda: browser.execute_script(f"{images_of}.every(i => i.naturalWidth)"))
        assert browser.execute_script(f"{images_of}.length") == 4
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 360
        assert browser.title == "The demo - Scones Unlimited"
        assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_each_photo_is_shown_as_uploaded_as_the_model_saw_it_and_with_its_way(
    standard: Stack, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, text = kept(standard, images, tmp_path, monkeypatch)
    assert (page.parent / "pictures/bicycle.png.jpg").read_bytes()[:3] == b"\xff\xd8\xff"
    assert (page.parent / "pictures/bicycle.png-as-the-model-saw-it.png").is_file()
    assert "accepted: bicycle 0.9" in (page.parent / "executions/bicycle.png.svg").read_text()
    assert "Serialize image &gt; Classify image &gt; Filter inferences" in text
    assert "unsupported_format: the file is none of these" in text
    assert text.count("The model's guesses") == 4
    shown = text.count('<img class="way"')
    assert (shown, text.count("<details open>")) == (5, 2), "the first of each way is open"


def test_of_express_the_page_says_that_no_way_is_kept(
    express: Stack, images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page, text = kept(express, images, tmp_path, monkeypatch)
    assert f"Its execution is not drawn: {NO_HISTORY}." in text
    assert list((page.parent / "executions").iterdir()) == []
