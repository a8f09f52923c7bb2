"""The embedded AWS as tests meet it."""

from dataclasses import dataclass

from local.cloud import EmbeddedAws
from local.follow import Follower
from tests.support.faults import FaultyContainer


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
