"""The examples as they stand: run by their own files, deployed by their own templates."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.cloud import Cloud
from tests.support.project import ROOT

EXAMPLES = ROOT / "examples"
Announce = Callable[..., None]


@pytest.fixture(scope="session")
def run_example(cloud: Cloud) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run an example as its page says, from the project's folder."""

    def run(program: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(EXAMPLES / program), *map(str, arguments)],
            cwd=ROOT,
            env=os.environ | cloud.aws.environment(),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


@pytest.fixture
def announce(cloud: Cloud) -> Announce:
    """Put an announcement of one upload on the bus of the STANDARD stack."""
    example = json.loads((ROOT / "events/announcement.json").read_text())["detail"]
    upload = f"bucket/uploads/{uuid.uuid4()}#etag"

    def put(revision: int, outcome: str, label: str, **changes: str) -> None:
        detail = example | {"upload": upload, "revision": str(revision), "outcome": outcome}
        entry: dict[str, Any] = {
            "Source": "scones-unlimited",
            "DetailType": "Outcome recorded",
            "Detail": json.dumps(detail | {"label": label} | changes),
            "EventBusName": cloud.stacks["STANDARD"]["DecisionsBus"],
        }
        cloud.aws.client("events").put_events(Entries=[entry])

    return put
