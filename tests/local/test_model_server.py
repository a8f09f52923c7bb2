"""The model server of the embedded AWS: it comes back, and it goes with its context."""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

import pytest
import urllib3

from local.model_server import ModelServerError, model_server
from local.paths import PRETRAINED

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def server_of(model: Path) -> list[int]:
    """Return the processes that serve a folder."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(model).encode() in (folder / "cmdline").read_bytes().split(b"\0"):
                found.append(int(folder.name))
    return found


def test_a_server_that_is_killed_is_started_again_at_its_url(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    model = shutil.copytree(PRETRAINED, tmp_path / "model")
    with model_server(model) as url:
        [killed] = server_of(model)
        for _ in range(2):
            os.kill(killed, signal.SIGKILL)
            deadline = time.monotonic() + 60
            while server_of(model) in ([], [killed]):
                assert time.monotonic() < deadline, "it does not come back"
                time.sleep(0.05)
            [killed] = server_of(model)
            retries = urllib3.Retry(20, backoff_factor=0.1, backoff_max=2)
            assert urllib3.request("GET", f"{url}/ping", retries=retries).status == 200
    assert server_of(model) == []
    told = "the model server has ended (SIGKILL) and is started again\n"
    assert capfd.readouterr().err == 2 * told


def test_a_server_that_does_not_start_is_an_error(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with (
        pytest.raises(ModelServerError, match="did not start: see its output above"),
        model_server(tmp_path),
    ):
        pass
    assert "InvalidProtobuf" in capfd.readouterr().err
    assert server_of(tmp_path) == []
