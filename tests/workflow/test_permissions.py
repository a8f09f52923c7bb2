"""Each role may do what it does, and nothing else."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from local.seams.permissions import Call
from tests.conftest import Stack
from tests.support.permissions import IMAGES, PAGE, every_route, judged, page, recorded

STACK = "test-standard"


@pytest.fixture(scope="module")
def calls() -> set[Call]:
    return set()


def test_the_page_tells_what_is_allowed_and_used(standard: Stack, calls: set[Call]) -> None:
    with recorded() as made:
        every_route(standard)
    calls |= made
    proof = judged(standard, STACK, made)
    assert proof.broken == []
    assert page(proof) == PAGE.read_text(), "run `python -m tests.support.permissions`"


@contextmanager
def changed(role: str, change: Any) -> Iterator[None]:
    """Change the inline policies of the stack's role whose name has that part."""
    roles = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()
    [found] = [each for each in roles if each.name.startswith(f"{STACK}-{role}")]
    kept = dict(found.policies)
    for name, document in kept.items():
        policy = json.loads(document) if isinstance(document, str) else document
        found.policies[name] = json.dumps(change(json.loads(json.dumps(policy))))
    try:
        yield
    finally:
        found.policies.clear()
        found.policies.update(kept)


def wider(policy: dict[str, Any]) -> dict[str, Any]:
    policy["Statement"][0]["Action"] = ["sagemaker:InvokeEndpoint", "sagemaker:DeleteEndpoint"]
    return policy


def nothing(policy: dict[str, Any]) -> dict[str, Any]:
    policy["Statement"][0]["Action"] = "sagemaker:DescribeEndpoint"
    return policy


def test_a_permission_that_nothing_uses_is_found(standard: Stack, calls: set[Call]) -> None:
    with changed("ClassifyFunctionRole", wider):
        [sentence] = judged(standard, STACK, calls).broken
    assert "may sagemaker:DeleteEndpoint" in sentence
    assert "never did" in sentence


def test_a_call_without_permission_is_refused_and_found(standard: Stack) -> None:
    with changed("ClassifyFunctionRole", nothing), recorded() as made:
        followed = standard.follower.upload((IMAGES / "bicycle.png").read_bytes(), "denied.png")
        item = standard.follower.outcome(followed.upload, patience_s=60)
        broken = judged(standard, STACK, made).broken
    assert item is not None
    assert (item["outcome"]["S"], item["reason"]["S"]) == ("failed", "EndpointRefused")
    assert any("did sagemaker:InvokeEndpoint" in each and "not allowed" in each for each in broken)
