"""What ops tells of a stack is what the ordinary AWS CLI tells."""

import json
from pathlib import Path

import pytest

from tests.support import session
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.workflow import decided
from tests.verify.tools import AWS_CLI, ToolMissing


@pytest.fixture(autouse=True)
def _there_is_an_aws_cli() -> None:
    try:
        AWS_CLI.require()
    except ToolMissing as missing:
        pytest.skip(str(missing))


def test_every_outcome_is_counted_alike(ops: Ops, standard: Stack, images: Path) -> None:
    for name in ("bicycle.png", "cat.jpg", "no-image.jpg"):
        decided(standard, (images / name).read_bytes())
    told = json.loads(ops(standard, "status", "--json", "--since", "400d").out)

    def counted(command: str) -> int:
        return int(session.run(standard.aws, standard.outputs, command))

    for outcome, number in told["outcomes"].items():
        assert counted(session.OF_OUTCOME % outcome) == number
    assert told["outcomes"]["accepted"] > 0
