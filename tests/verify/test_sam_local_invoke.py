"""events/*.json through `sam local invoke`: the real CLI, a container, the embedded AWS.

The image is Lambda-like, not Lambda's: this machine's Python and Lambda's own runtime client.
"""

import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.base_image import make_base_image
from tests.support.container_engine import Engine, NoEngine, running_engine
from tests.support.documents import committed, comparable
from tests.support.project import ROOT
from tests.verify.tools import SAM, offline_environment

MACHINE = "172.17.0.1"  # as containers see it
BASE, IMAGE = "local-base", "lambda-like"
RUNTIME = ("awslambdaric", "boto3")
DOCKERFILE = f"""FROM {BASE}
COPY runtime /var/runtime
WORKDIR /var/task
"""
BOOTSTRAP = """#!/bin/sh
export PYTHONPATH=/var/runtime
exec /usr/local/bin/python3 -m awslambdaric "$_HANDLER"
"""
PUT = """
import boto3, sys
s3 = boto3.client("s3")
s3.create_bucket(Bucket=sys.argv[1])
s3.upload_file(sys.argv[3], sys.argv[1], sys.argv[2])
"""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """An engine of its own that has the image."""
    context = tmp_path_factory.mktemp("image")
    runtime = context / "runtime"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    done = subprocess.run(
        [*command, "--target", str(runtime), *RUNTIME],
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    if done.returncode:
        pytest.skip(f"pip cannot fetch Lambda's runtime client: {done.stderr.strip()[-300:]}")
    (runtime / "bootstrap").write_text(BOOTSTRAP)
    (runtime / "bootstrap").chmod(0o755)
    (context / "Dockerfile").write_text(DOCKERFILE)
    try:
        with running_engine(bridge=True) as running:
            make_base_image(running, BASE, context, programs=("mv", "chmod"))  # SAM's layer
            running.docker("build", "--network", "none", "--tag", IMAGE, str(context), timeout=240)
            yield running
    except NoEngine as reason:
        pytest.skip(str(reason))


@pytest.fixture(scope="module")
def exports(engine: Engine) -> Iterator[dict[str, str]]:
    """The export lines of `python -m local up`, which listens in the engine's network."""
    up = subprocess.Popen(
        [*engine.prefix, sys.executable, "-m", "local", "up", "--host", MACHINE],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert up.stdout is not None
    found: dict[str, str] = {}
    for line in up.stdout:
        if match := re.match(r"\s*export (\w+)=(\S+)", line):
            found[match[1]] = match[2]
        if len(found) == 4:
            break
    # What else it prints must not fill the pipe.
    reader = threading.Thread(target=up.stdout.read, daemon=True)
    reader.start()
    yield found
    up.terminate()
    up.wait(30)
    reader.join()
    up.stdout.close()


@pytest.fixture(scope="module")
def folder(engine: Engine, exports: dict[str, str], application: Path) -> Path:
    """The application as a user has it after `sam build` and `python -m local sam`."""
    environment = offline_environment() | exports
    subprocess.run(
        [sys.executable, "-m", "local", "sam"],
        cwd=application,
        env=environment | {"PYTHONPATH": str(ROOT)},
        check=True,
    )
    document = committed("serialize")
    where = (document["s3_bucket"], document["s3_key"])
    picture = ROOT / "events" / "images" / "bicycle.png"
    subprocess.run(
        [*engine.prefix, sys.executable, "-c", PUT, *where, str(picture)],
        env=environment,
        check=True,
    )
    return application


@pytest.fixture
def invoke(engine: Engine, exports: dict[str, str], folder: Path) -> Any:
    def result(step: str) -> Any:
        """Return what the function answers; the exit code is 0 whatever happened."""
        command = [SAM.require(), "local", "invoke", f"{step.title()}Function"]
        command += ["--template", ".aws-sam/build/embedded.yaml"]
        command += ["--event", str(ROOT / "events" / f"{step}.json")]
        command += ["--invoke-image", IMAGE, "--skip-pull-image"]
        done = subprocess.run(
            [*engine.prefix, *command],
            cwd=folder,
            env=offline_environment() | engine.environment | exports | path_of(engine),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        try:
            return json.loads(done.stdout.strip().splitlines()[-1])
        except (IndexError, ValueError):
            raise AssertionError(done.stdout + done.stderr) from None

    return result


def path_of(engine: Engine) -> dict[str, str]:
    return {"PATH": f"{offline_environment()['PATH']}:{engine.environment['PATH']}"}


@pytest.mark.parametrize(
    ("step", "next_step"), [("serialize", "classify"), ("classify", "filter")], ids=str
)
def test_a_step_makes_the_next_one_s_document(invoke: Any, step: str, next_step: str) -> None:
    assert comparable(invoke(step)) == comparable(committed(next_step))


def test_the_last_step_decides(invoke: Any) -> None:
    assert invoke("filter")["decision"] == "accepted"
