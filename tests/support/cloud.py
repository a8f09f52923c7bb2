"""The embedded AWS as tests meet it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import EmbeddedAws
from local.follow import Follower
from tests.support.faults import FaultyContainer

# Parameters with which a stack has every grant that it may have.
GRANTING = {"Tracing": "Active", "BackfillBucket": "photos", "InventoryBucket": "inventories"}


@dataclass
class Cloud:
    """A running embedded AWS and the container behind its endpoint."""

    aws: EmbeddedAws
    container: FaultyContainer
    stacks: dict[str, dict[str, str]]


@dataclass
class Stack:
    """A deployed stack, and what uploads to it."""

    aws: EmbeddedAws
    container: FaultyContainer
    outputs: dict[str, str]
    follower: Follower


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    """Return the code and the HTTP status with which a call is refused."""
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]
