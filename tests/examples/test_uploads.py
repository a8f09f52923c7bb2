"""Uploads from a server and from a browser, and what S3 does not take of a signed form."""

import importlib.util
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import boto3
import pytest
import requests

from tests.examples.conftest import EXAMPLES
from tests.support.browser import chromium
from tests.support.cloud import Cloud, Stack
from tests.support.processes import interrupted
from tests.support.project import ROOT
from tests.support.waiting import until

Run = Callable[..., subprocess.CompletedProcess[str]]
STACK = "takes-browsers"


def load(path: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(Path(path).stem, EXAMPLES / path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


server = load("browser/server.py")


@pytest.mark.parametrize(
    ("picture", "outcome", "label", "code"),
    [("bicycle.png", "accepted", "bicycle", 0), ("no-image.jpg", "rejected", "", 1)],
)
def test_a_server_uploads_and_waits_for_the_outcome(
    standard: Stack,
    run_example: Run,
    images: Path,
    picture: str,
    outcome: str,
    label: str,
    code: int,
) -> None:
    del standard
    ran = run_example("upload_and_wait.py", images / picture, "--stack", "test-standard")
    assert ran.returncode == code, ran.stderr
    said = json.loads(ran.stdout)
    assert (said["outcome"], said["label"]) == (outcome, label)
    assert said["upload"].rpartition("#")[0].endswith(f"/{picture}")


def test_who_waits_longer_than_patience_hears_of_what(
    standard: Stack, run_example: Run, images: Path
) -> None:
    del standard
    options = ("--stack", "test-standard", "--patience", "0")
    ran = run_example("upload_and_wait.py", images / "bicycle.png", *options)
    assert ran.returncode == 1
    assert "bicycle.png#" in ran.stderr
    assert "within 0 s: ask again later" in ran.stderr


@pytest.mark.parametrize(
    ("program", "words", "named"),
    [
        ("upload_and_wait.py", ["nope.png", "--stack", "test-standard"], "'nope.png'"),
        ("upload_and_wait.py", ["nope.png", "--stack", "nope"], "id nope does not exist"),
        ("browser/server.py", ["--stack", "nope"], "id nope does not exist"),
        ("consumer/on_sqs.py", ["--stack", "nope"], "id nope does not exist"),
    ],
    ids=["picture", "uploader's stack", "server's stack", "consumer's stack"],
)
def test_what_is_not_there_is_named_in_one_line(
    cloud: Cloud, run_example: Run, program: str, words: list[str], named: str
) -> None:
    del cloud
    ran = run_example(program, *words)
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: ")
    assert len(ran.stderr.splitlines()) == 1
    assert named in ran.stderr


def test_the_server_ends_with_ctrl_c(standard: Stack) -> None:
    command = [sys.executable, str(EXAMPLES / "browser/server.py")]
    words = [*command, "--stack", "test-standard", "--port", "0"]
    ended = interrupted(words, standard.aws.environment())
    assert (ended.stdout, ended.stderr, ended.returncode) == ("", "", 130)


@pytest.fixture(scope="module")
def page(cloud: Cloud) -> Iterator[str]:
    """The address of the example's page; a stack takes what it uploads."""
    process = None
    try:
        cloud.aws.deploy(STACK)
        process = subprocess.Popen(
            [
                *(sys.executable, str(EXAMPLES / "browser/server.py")),
                *("--stack", STACK, "--port", "0"),
            ],
            cwd=ROOT,
            env=os.environ | cloud.aws.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert process.stdout
        address = process.stdout.readline().strip()
        cloud.aws.deploy(STACK, {"UploadOrigin": address})
        yield address
    finally:
        if process:
            process.terminate()
            process.communicate()
        cloud.aws.client("cloudformation").delete_stack(StackName=STACK)


def form_for(page: str, kind: str = "image/png") -> Any:
    with urllib.request.urlopen(f"{page}/form?type={kind}") as answer:
        return json.load(answer)


def posted(form: Any, body: bytes, **headers: str) -> requests.Response:
    fields = [(name, (None, value)) for name, value in form["fields"].items()]
    return requests.post(
        form["url"], files=[*fields, ("file", ("a.png", body))], headers=headers, timeout=30
    )


def test_a_browser_uploads_and_shows_the_decision(page: str, images: Path) -> None:
    with chromium() as browser:
        browser.get(page)
        browser.find_element("id", "picture").send_keys(str(images / "bicycle.png"))
        said = browser.find_element("id", "said")
        until(lambda: ":" in said.text)
        assert said.text == "accepted: bicycle"


def test_a_form_stores_the_type_and_answers_the_page_alone(
    cloud: Cloud, page: str, images: Path
) -> None:
    form, picture = form_for(page), (images / "bicycle.png").read_bytes()
    answer = posted(form, picture, Origin=page)
    assert answer.status_code == 204, answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == page
    assert answer.headers["Access-Control-Expose-Headers"] == "ETag"
    bucket = form["url"].rstrip("/").rsplit("/", 1)[-1]
    stored = cloud.aws.client("s3").head_object(Bucket=bucket, Key=form["fields"]["key"])
    assert stored["ContentType"] == "image/png"
    assert stored["ETag"] == answer.headers["ETag"]
    assert posted(form_for(page), picture, Origin="http://localhost:1").status_code == 403


@pytest.mark.parametrize(
    ("changes", "body", "status", "reason"),
    [
        ({}, b"", 400, "EntityTooSmall"),
        ({}, bytes(25 * 1024 * 1024 + 1), 400, "EntityTooLarge"),
        ({"key": "labelled/bicycle/a.png"}, b"1", 403, "Policy Condition failed"),
        ({"Content-Type": "text/html"}, b"1", 403, "Policy Condition failed"),
        ({"acl": "public-read"}, b"1", 403, "Extra input fields: acl"),
    ],
    ids=["empty", "large", "key", "type", "acl"],
)
def test_s3_takes_nothing_else_than_what_the_form_was_signed_for(
    page: str, changes: dict[str, str], body: bytes, status: int, reason: str
) -> None:
    form = form_for(page)
    form["fields"] |= changes
    answer = posted(form, body)
    assert (answer.status_code, reason in answer.text) == (status, True), answer.text


def test_an_expired_form_is_refused(cloud: Cloud, page: str, monkeypatch: Any) -> None:
    del page
    monkeypatch.setattr(server, "VALID_S", -1)
    [stack] = cloud.aws.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    form = server.signed_form(
        cloud.aws.client("s3"), outputs["UploadBucket"], "uploads/", "image/png"
    )
    answer = posted(form, b"1")
    assert (answer.status_code, "Policy expired" in answer.text) == (403, True)


def test_the_server_signs_for_pictures_only(page: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as refused:
        form_for(page, "text/html")
    assert refused.value.code == 400
    assert "is no type of picture" in json.load(refused.value)["error"]


def test_no_page_may_upload_where_no_origin_is_given(standard: Stack) -> None:
    s3 = standard.aws.client("s3")
    with pytest.raises(boto3.exceptions.botocore.exceptions.ClientError, match="CORS"):
        s3.get_bucket_cors(Bucket=standard.outputs["UploadBucket"])
