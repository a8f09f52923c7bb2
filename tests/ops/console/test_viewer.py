"""With the viewer's policy everything can be seen, and what would change something says why not."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.console import Console, served
from tests.support.ops import Ops, role
from tests.support.workflow import decided

ROLE = "console-viewer"


@pytest.fixture
def viewer(ops: Ops, standard: Stack) -> Iterator[OpsStack]:
    """The stack, called by who has nothing but the viewer's policy."""
    del ops
    with role(standard, ROLE, "ViewerPolicyArn") as credentials:
        yield OpsStack("test-standard").as_role(credentials)


@pytest.fixture
def uploader(ops: Ops, standard: Stack) -> Iterator[OpsStack]:
    """The stack, called by who may upload photos and nothing more."""
    del ops
    iam, bucket = standard.aws.client("iam"), standard.outputs["UploadBucket"]
    may = [("s3:PutObject", f"arn:aws:s3:::{bucket}/*"), ("cloudformation:DescribeStacks", "*")]
    allowed = [{"Effect": "Allow", "Action": action, "Resource": on} for action, on in may]
    document = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    with role(standard, ROLE) as credentials:
        iam.put_role_policy(RoleName=ROLE, PolicyName="upload", PolicyDocument=document)
        yield OpsStack("test-standard").as_role(credentials)
        iam.delete_role_policy(RoleName=ROLE, PolicyName="upload")


def test_a_viewer_sees_every_page_and_is_told_why_nothing_is_changed(
    browser: Any, viewer: OpsStack, standard: Stack, images: Path
) -> None:
    waiting = decided(standard, (images / "cat.jpg").read_bytes())
    with served(Reviews(viewer, "vera", ["bicycle", "motorcycle"])) as server:
        console = Console(browser, server)
        upload = f"upload?upload={quote(waiting['upload'])}"
        for page in ("", "uploads", upload, "quality", "monitor"):
            assert "is not allowed" not in console.open(page), page
            console.until(lambda _: " ..." not in console.text())
            assert "is not allowed" not in console.text(), page
        console.open("review")
        assert browser.find_element("id", "picture").is_displayed()
        console.all("[data-label=motorcycle]")[0].click()
        console.until(lambda _: console.all("#message.error"))
        told = browser.find_element("id", "message").text
        assert told.startswith("UpdateItem is not allowed: ")
        assert "attach the policy in the output OperatorPolicyArn" in told
        browser.get(f"{console.address}try#{console.token}")
        console.all("#files")[0].send_keys(str((images / "cat.jpg").resolve()))
        console.until(lambda _: "PutObject is not allowed" in console.text())
        browser.get("about:blank")
    item = Ledger(OpsStack("test-standard")).get(waiting["upload"])
    assert item is not None
    assert (item.outcome, item.revision) == ("review", 1)
    browser.get_log("browser")  # the two refusals


def test_a_photo_is_tried_by_who_may_upload_and_not_see_the_state_machine(
    uploader: OpsStack, images: Path
) -> None:
    with served(Reviews(uploader, "ulf", ["bicycle", "motorcycle"])) as server:
        host = f"127.0.0.1:{server.server_address[1]}"
        asked = urllib.request.Request(
            f"http://{host}/api/try?name=a.png",
            data=(images / "bicycle.png").read_bytes(),
            headers={"X-Console-Token": server.token},
        )
        with urllib.request.urlopen(asked, timeout=20) as answer:
            told = json.load(answer)
    assert told["way"] == []
    assert told["upload"].partition("#")[0].endswith("/a.png")
