"""`python -m local up`: what it prints works as it is, with the ordinary tools."""

import json
import os
import re
import shlex
import signal
import subprocess
import time
from pathlib import Path

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
    with started("up", "--json") as process:
        assert process.stdout
        printed = json.loads(process.stdout.readline())
        assert printed["environment"]["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
        assert printed["outputs"]["UploadAddress"].startswith("s3://")
