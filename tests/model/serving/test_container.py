"""model/serving/Dockerfile, built and run by a real engine, as SageMaker runs it."""

import base64
import io
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.base_image import make_base_image
from tests.support.container_engine import Engine, NoEngine, running_engine

ROOT = Path(__file__).parents[3]
BASE = "local-base"
IMAGE = "model-server"
# The image's tag and the user that the server runs as there: root for SageMaker, or another one.
USERS = {"latest": "0", "unprivileged": "10001"}
# Runs in the engine's network namespace: prints the status and the body of one request.
REQUEST = """
import base64, http.client, json, sys
method, path, content_type, body = sys.argv[1:]
connection = http.client.HTTPConnection("127.0.0.1", 8080, timeout=20)
connection.request(method, path, base64.b64decode(body), {"Content-Type": content_type})
answer = connection.getresponse()
print(json.dumps([answer.status, json.loads(answer.read())]))
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine that has built model/serving/Dockerfile, for root and for another user."""
    folder = tmp_path_factory.mktemp("wheels")
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    command += ["--requirement", str(ROOT / "model/serving/requirements.txt")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        pytest.skip(
            f"pip cannot fetch model/serving/requirements.txt: {done.stderr.strip()[-300:]}"
        )
    try:
        with running_engine() as running:
            make_base_image(running, BASE, folder, folder.glob("*.whl"))
            build = ("build", "--network", "none", "--build-arg", f"BASE={BASE}")
            context = str(ROOT / "model" / "serving")
            running.docker(*build, "--tag", IMAGE, context, timeout=240)
            user = ("--build-arg", f"SERVER_USER={USERS['unprivileged']}")
            running.docker(*build, *user, "--tag", f"{IMAGE}:unprivileged", context, timeout=240)
            yield running
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(params=USERS)
def tag(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def container(engine: Engine, tag: str) -> Iterator[str]:
    """The id of a container that serves model/pretrained, mounted where SageMaker unpacks it."""
    started = engine.docker(
        *("run", "--detach", "--network", "host", "--read-only", "--cap-drop", "ALL"),
        *("--volume", f"{ROOT / 'model/pretrained'}:/opt/ml/model:ro", f"{IMAGE}:{tag}", "serve"),
    )
    deadline = time.monotonic() + 30
    while "serving" not in (log := engine.docker("logs", started)):
        assert time.monotonic() < deadline, f"the server does not start: {log}"
        time.sleep(0.1)
    yield started
    engine.docker("rm", "--force", started)


def ask(engine: Engine, method: str, path: str, body: bytes = b"") -> tuple[int, Any]:
    encoded = base64.b64encode(body).decode()
    command = [sys.executable, "-c", REQUEST, method, path, "image/png", encoded]
    status, document = json.loads(engine.run(command).stdout)
    return status, document


def png() -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48), (200, 30, 30)).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.usefixtures("container")
def test_docker_run_serve_answers_the_hosting_contract(engine: Engine) -> None:
    assert ask(engine, "GET", "/ping")[0] == 200
    status, document = ask(engine, "POST", "/invocations", png())
    assert status == 200
    confidences = [inference["confidence"] for inference in document["inferences"]]
    assert sum(confidences) == pytest.approx(1, abs=1e-4)
    assert ask(engine, "POST", "/invocations", b"garbage")[0] == 400


def test_the_server_is_process_1_of_its_user(engine: Engine, container: str, tag: str) -> None:
    code = "print(open('/proc/1/cmdline').read().split(chr(0))[1:3], __import__('os').getuid())"
    assert engine.docker("exec", container, "python3", "-c", code) == (
        f"['server.py', 'serve'] {USERS[tag]}"
    )


def test_onnxruntime_sends_no_telemetry(engine: Engine, container: str) -> None:
    environment = engine.docker("exec", container, "python3", "-c", "import os; print(os.environ)")
    assert "'ORT_DISABLE_TELEMETRY': '1'" in environment


def test_docker_stop_ends_the_server_with_exit_code_0(engine: Engine, container: str) -> None:
    engine.docker("stop", "--time", "20", container)
    state = json.loads(engine.docker("inspect", "--format", "{{json .State}}", container))
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_a_missing_model_is_named_and_ends_the_container(engine: Engine) -> None:
    done = engine.run(["docker", "run", "--rm", "--network", "none", IMAGE, "serve"], check=False)
    assert done.returncode == 2
    assert "/opt/ml/model: it holds no model.onnx" in done.stderr


def test_the_image_adds_nothing_but_the_server_and_its_libraries(engine: Engine) -> None:
    listing = "import os; print(sorted(os.listdir('/app')))"
    command = ("run", "--rm", "--network", "none", "--entrypoint", "python3", IMAGE, "-c", listing)
    assert engine.docker(*command) == "['requirements.txt', 'server.py']"
