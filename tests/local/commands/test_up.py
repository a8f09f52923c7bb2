"""`python -m local up`: what it prints works as it is, with the ordinary tools."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import boto3
import pytest

from tests.support.processes import started
from tests.support.project import ROOT


def test_up_prints_what_the_ordinary_tools_need(
    images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")  # where nobody listens
    monkeypatch.setenv("no_proxy", "intranet.example")
    with started("up", "--stack", "another-name") as process:
        said = ""
        assert process.stdout
        for line in process.stdout:
            said += line
            if "Ctrl-C stops everything" in line:
                break
        printed = said.split()
        assert printed[printed.index("console") + 1].startswith("http://127.0.0.1:")
        assert said.index("Open the console") < said.index("Upload pictures to")
        exports = dict(re.findall(r"^export (\w+)=(\S+)$", said, re.M))
        session = boto3.Session(
            exports["AWS_ACCESS_KEY_ID"],
            exports["AWS_SECRET_ACCESS_KEY"],
            region_name=exports["AWS_DEFAULT_REGION"],
        )
        url = exports["AWS_ENDPOINT_URL"]
        for name in ("NO_PROXY", "no_proxy"):
            assert exports[name] == "intranet.example,127.0.0.1,localhost"
            monkeypatch.setenv(name, exports[name])
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

        [status] = re.findall(r"^\S+ -m ops status.*$", said, re.M)
        done = subprocess.run(
            shlex.split(status),
            cwd=ROOT,
            env=os.environ | exports,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        [picture] = re.findall(r"^aws s3 cp (\S+)", said, re.M)
        assert (ROOT / picture).is_file()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130


def test_up_prints_its_environment_and_outputs_as_json() -> None:
    with started("up", "--json", "--no-console") as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        assert printed["environment"]["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert printed["outputs"]["UploadAddress"].startswith("s3://")
        assert printed["console"] == ""


def test_up_starts_the_console_for_its_own_stack_and_ends_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    nobody = "http://127.0.0.1:9"
    monkeypatch.setenv("http_proxy", nobody)
    monkeypatch.setenv("AWS_ENDPOINT_URL_DYNAMODB", nobody)  # stronger than AWS_ENDPOINT_URL
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    with started("up", "--json", "--stack", "mine", "--console-port", str(port)) as process:
        assert process.stdout
        address, _, token = json.loads(process.stdout.readline())["console"].partition("#")
        assert address == f"http://127.0.0.1:{port}/"
        page = Request(f"{address}pages/today", headers={"X-Console-Token": token})
        direct = build_opener(ProxyHandler({}))
        with direct.open(page, timeout=60) as answer:
            assert "mine in us-east-1, STANDARD" in answer.read().decode()
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 130
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port)).close()


def test_up_goes_on_without_a_console_that_does_not_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with started("up", "--console-port", port) as process:
            assert process.stdout
            said = ""
            for line in process.stdout:
                said += line
                if "Ctrl-C stops everything" in line:
                    break
    assert f"cannot listen at 127.0.0.1:{port}" in said
    assert "Give another --console-port, or --no-console" in " ".join(said.split())
    assert "Upload pictures to" in said
    assert "Open the console" not in said
