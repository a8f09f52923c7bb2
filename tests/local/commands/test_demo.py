"""`python -m local demo`: what tests/test_readme.py does not hold against the README."""

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.processes import alive, command, mark_of, started
from tests.support.project import ROOT


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["starting the AWS services", "deploying", "uploading"])
def test_a_stop_in_any_phase_leaves_no_process_and_no_file(
    phase: str, number: signal.Signals
) -> None:
    with started("demo") as process:
        assert process.stdout
        for line in process.stdout:
            if phase in line:
                break
        else:
            pytest.fail(f"the demo never said {phase!r}")
        mark = mark_of(process)
        assert alive(mark, but=process.pid), "it had started nothing yet"
        process.send_signal(number)
        assert process.wait(30) == 130
        deadline = time.monotonic() + 10
        while (left := alive(mark)) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert left == []
    assert list((ROOT / ".local").glob(f"{process.pid}-*")) == []


def test_the_page_is_opened_where_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser, opened = tmp_path / "browser", tmp_path / "opened"
    browser.write_text(f'#!/bin/sh\nprintf %s "$1" > {opened}\n')
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", str(browser))
    done = subprocess.run(
        command("demo", "--json", "--open"), cwd=ROOT, capture_output=True, text=True, check=True
    )
    page = ROOT / ".demo" / "index.html"
    assert opened.read_text() == page.as_uri()
    pictures = [json.loads(line)["image"] for line in done.stdout.splitlines()]
    assert f"What became of {len(pictures)} photos" in page.read_text()
