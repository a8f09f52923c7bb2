"""With the viewer's policy everything can be seen, and what would change something says why not."""

import json
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
from tests.support.ops import Ops
from tests.support.workflow import decided

ROLE = "console-viewer"


@pytest.fixture
def viewer(ops: Ops, standard: Stack) -> Iterator[OpsStack]:
    """The stack, called by who has nothing but the viewer's policy."""
    del ops
    iam, sts = standard.aws.client("iam"), standard.aws.client("sts")
    account = {"AWS": "arn:aws:iam::123456789012:root"}
    trust = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=ROLE, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    policy = standard.outputs["ViewerPolicyArn"]
    iam.attach_role_policy(RoleName=ROLE, PolicyArn=policy)
    given = sts.assume_role(RoleArn=arn, RoleSessionName="viewer")["Credentials"]
    yield OpsStack("test-standard").as_role(given)
    iam.detach_role_policy(RoleName=ROLE, PolicyArn=policy)
    iam.delete_role(RoleName=ROLE)


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
