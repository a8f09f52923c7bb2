"""`python -m local` as it is typed: what it prints, its exit codes, and that nothing is left."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from local.follow import named
from tests.support.project import ROOT

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def command(*arguments: str | Path) -> list[str]:
    return [sys.executable, "-m", "local", *map(str, arguments)]


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )


@contextlib.contextmanager
def started(*arguments: str | Path) -> Iterator[subprocess.Popen[str]]:
    """Run a command with a mark in its environment, which all its descendants inherit."""
    process = subprocess.Popen(
        command(*arguments),
        cwd=ROOT,
        env=os.environ | {"TEST_MARK": f"{os.getpid()}-{time.monotonic_ns()}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        # A shell's background jobs ignore Ctrl-C, and so would what they start.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def mark_of(process: subprocess.Popen[str]) -> bytes:
    environ = Path(f"/proc/{process.pid}/environ").read_bytes().split(b"\0")
    [mark] = [each for each in environ if each.startswith(b"TEST_MARK=")]
    return mark


def alive(mark: bytes, but: int = 0) -> list[str]:
    """Return the command lines of the processes with a mark."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark in (folder / "environ").read_bytes() and int(folder.name) != but:
                found.append((folder / "cmdline").read_text().replace("\0", " "))
    return [each for each in found if each]


def test_files_of_one_name_are_told_apart_by_their_folders() -> None:
    names = ("a/1.jpg", "b/c/1.jpg", "b/2.jpg", "../b/3.jpg")
    told = named([Path(name) for name in names])
    assert list(told.values()) == ["a/1.jpg", "b/c/1.jpg", "2.jpg", "3.jpg"]


def test_classify_prints_a_line_of_json_for_each_picture(images: Path) -> None:
    paths = [images / "large-motorcycle.jpg", images / "no-image.jpg"]
    done = run("classify", *paths, "--json", "--type", "EXPRESS")
    assert done.returncode == 0, done.stderr
    lines = {Path(line["image"]).name: line for line in map(json.loads, done.stdout.splitlines())}
    accepted, rejected = (lines[path.name] for path in paths)
    assert (accepted["decision"], accepted["label"]) == ("accepted", "motorcycle")
    assert (rejected["decision"], rejected["reason"]) == ("rejected", "unsupported_format")
    wanted = {"image", "decision", "label", "confidence", "reason", "execution", "milliseconds"}
    assert wanted <= set(accepted) & set(rejected)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["classify", "nowhere.jpg"], "nowhere.jpg: there is no such file"),
        (["demo", "--model", "ops"], "--model ops: it holds no model.onnx"),
        (["demo", "--parameter", "ConfidenceThreshold"], "write NAME=VALUE"),
        (["up", "--parameter", "ConfidenceThreshold=2"], "ConfidenceThreshold"),
    ],
)
def test_what_cannot_be_done_is_named(arguments: list[str], words: str) -> None:
    done = run(*arguments)
    assert done.returncode not in (0, 130)
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_up_prints_what_the_ordinary_tools_need(images: Path) -> None:
    with started("up", "--stack", "another-name") as process:
        said = ""
        assert process.stdout
        for line in process.stdout:
            said += line
            if "Ctrl-C stops everything" in line:
                break
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", said, re.M))
        session = boto3.Session(
            exports["AWS_ACCESS_KEY_ID"],
            exports["AWS_SECRET_ACCESS_KEY"],
            region_name=exports["AWS_DEFAULT_REGION"],
        )
        url = exports["AWS_ENDPOINT_URL"]
        stacks = session.client("cloudformation", endpoint_url=url).describe_stacks()["Stacks"]
        names = {stack["StackName"] for stack in stacks}
        assert names == {"another-name", "endpoint-scones-image-classifier"}
        match = re.search(r"s3://([^/\s]+)/(\S*)", said)
        assert match
        bucket, prefix = match.groups()
        table = re.search(r"--table-name (\S+)", said)
        assert table
        session.client("s3", endpoint_url=url).upload_file(
            images / "large-motorcycle.jpg", bucket, f"{prefix}photo.jpg"
        )
        dynamodb = session.client("dynamodb", endpoint_url=url)
        deadline = time.monotonic() + 30
        while not (items := dynamodb.scan(TableName=table[1])["Items"]):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert [item["outcome"]["S"] for item in items] == ["accepted"]
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("phase", ["starting the AWS services", "deploying", "uploading"])
def test_a_stop_in_any_phase_leaves_no_process_and_no_file(
    phase: str, number: signal.Signals
) -> None:
    before = set((ROOT / ".local").glob("*"))
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
    assert set((ROOT / ".local").glob("*")) <= before
