"""No command but those for AWS tells anybody anything: no look-up, no connection, no file at home.

onnxruntime sends telemetry from native code unless it is told not to before it is imported, so the
commands are watched at their system calls.
"""

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.support.project import ROOT
from tests.support.watch import watched

VARIABLE = "ORT_DISABLE_TELEMETRY"
ROOMS = ("benchmarks", "cli", "functions", "local", "model", "ops", "tests")

SERVE = """
import urllib.request
from pathlib import Path
from local.model_server import model_server
with model_server(Path("model/pretrained")) as url:
    picture = Path("events/images/bicycle.png").read_bytes()
    request = urllib.request.Request(f"{url}/invocations", picture, {"Content-Type": "image/png"})
    print(urllib.request.urlopen(request).status)
"""


def importing_onnxruntime() -> dict[str, set[str]]:
    """Return the packages whose modules import onnxruntime, with these modules."""
    found: dict[str, set[str]] = {}
    for room in ROOMS:
        for path in (ROOT / room).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                if any(name.split(".")[0] == "onnxruntime" for name in names):
                    found.setdefault(room, set()).add(str(path.relative_to(ROOT)))
    return found


@pytest.mark.parametrize("package", importing_onnxruntime())
def test_a_package_with_modules_that_import_onnxruntime_switches_its_telemetry_off(
    package: str,
) -> None:
    code = (
        f"import os, sys, {package}; print('onnxruntime' in sys.modules, os.environ['{VARIABLE}'])"
    )
    environment = {name: text for name, text in os.environ.items() if name != VARIABLE}
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True
    )
    assert ended.stdout == "False 1\n", ended.stderr


def test_the_notebook_imports_no_onnxruntime_of_its_own() -> None:
    assert "import onnxruntime" not in (ROOT / "notebooks" / "walkthrough.ipynb").read_text()


def test_the_model_server_calls_nobody_and_writes_nothing_at_home(tmp_path: Path) -> None:
    ended, called, written = watched([sys.executable, "-c", SERVE], tmp_path)
    assert ended.stdout == "200\n", ended.stderr
    assert (called, written) == ([], [])


def test_the_demo_calls_nobody_and_writes_nothing_at_home(tmp_path: Path) -> None:
    ended, called, written = watched([sys.executable, "-m", "local", "demo"], tmp_path)
    assert ended.returncode == 0, ended.stderr
    assert (called, written) == ([], [])


def test_a_training_calls_nobody_and_writes_nothing_at_home(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="training needs the extra `train`")
    pytest.importorskip("efficientnet_lite_pytorch", reason="training needs the extra `train`")
    rng = np.random.default_rng(0)
    for name in ("across", "down", "other"):
        (tmp_path / "data" / name).mkdir(parents=True)
        for number in range(6):
            noise = Image.fromarray(rng.integers(0, 256, (32, 32, 3), np.uint8))
            noise.save(tmp_path / "data" / name / f"{number}.png")
    command = [sys.executable, "-m", "model.train", "--data", str(tmp_path / "data")]
    command += ["--out", str(tmp_path / "model"), "--epochs", "1", "--folds", "2", "--size", "64"]
    command += ["--network", "lite0", "--batch", "12", "--threads", "1"]
    fonts = {"MPLCONFIGDIR": str(tmp_path / "fonts")}  # matplotlib keeps a list of those it finds
    ended, called, written = watched(command, tmp_path, fonts)
    assert ended.returncode == 0, ended.stderr
    assert (called, written) == ([], [])


CONNECT = """
import socket
socket.socket(socket.{family}).connect_ex(("{address}", {port}))
"""
NATIVE = """
import ctypes, socket, struct
address = struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", 443, bytes([192, 0, 2, 1]))
thing = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
ctypes.CDLL(None).sendto(thing.fileno(), b"telemetry", 9, 0, address, len(address))
"""
LOOK_UP = """
import socket
try: socket.getaddrinfo("telemetry.invalid", 443)
except OSError: pass
"""


@pytest.mark.parametrize(
    ("code", "called"),
    [
        pytest.param(
            CONNECT.format(family="AF_INET", address="127.0.0.1", port=9), [], id="loopback"
        ),
        pytest.param(
            CONNECT.format(family="AF_INET", address="127.0.0.53", port=53),
            ["127.0.0.53 port 53"],
            id="a-resolver-on-loopback",
        ),
        pytest.param(
            CONNECT.format(family="AF_INET6", address="2001:db8::1", port=443),
            ["2001:db8::1 port 443"],
            id="version-6",
        ),
        pytest.param(NATIVE, ["192.0.2.1 port 443"], id="native-code"),
    ],
)
def test_the_watch_sees_who_is_called(code: str, called: list[str], tmp_path: Path) -> None:
    code = f"import socket; socket.setdefaulttimeout(1)\n{code}"
    assert watched([sys.executable, "-c", code], tmp_path)[1] == called


def test_the_watch_sees_a_look_up(tmp_path: Path) -> None:
    _, called, _ = watched([sys.executable, "-c", LOOK_UP], tmp_path)
    assert called


def test_the_watch_sees_what_is_written_at_home(tmp_path: Path) -> None:
    code = "import pathlib; (pathlib.Path.home() / 'device').write_text('id')"
    assert watched([sys.executable, "-c", code], tmp_path)[2] == ["device"]
