"""What the demo keeps in .demo/."""

import fcntl
import os
import threading
from pathlib import Path

import pytest

from local import artifacts
from tests.support.cloud import Stack


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
