"""The embedded AWS for tests: one for each process of the run, with a stack of each workflow type.

The stacks are deployed from what `sam build` makes, where the SAM CLI is installed, as AWS gets it.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import embedded_aws
from local.follow import Follower
from tests.support.build import TEMPLATE, build
from tests.support.cloud import GRANTING, Cloud, Stack
from tests.support.faults import FaultyContainer
from tests.support.project import ROOT
from tests.verify.proofs import TESTS
from tests.verify.tools import SAM


def pytest_report_header() -> str:
    """Say which functions the run tests."""
    made = (
        "made by sam build" if SAM.installed else "from the source: make verify installs sam build"
    )
    return f"functions: {made}"


# Whatever the model cannot name goes to a person, and nothing is audited, which is drawn by a key's
# hash: tests of both have a stack of their own, test-audited.
TO_PEOPLE = {"NoneThreshold": "0", "AuditShare": "0"}


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The folder of the application as `sam build` makes it; None without the SAM CLI."""
    if not SAM.installed:
        return None
    base = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # each has a folder within the run's
        base = base.parent
    folder = base / "application"
    with (base / "application.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the first builds, the others wait
        if not (folder / ".built").exists():
            folder.mkdir()
            build(folder)
            (folder / ".built").touch()
    return folder


@pytest.fixture(scope="session")
def application(built: Path | None) -> Path:
    """The folder of the built application."""
    if built is None:
        pytest.skip("the SAM CLI is not installed: run make verify")
    return built


@pytest.fixture(scope="session")
def cloud(built: Path | None) -> Iterator[Cloud]:
    for logger in ("werkzeug", "moto", "local"):
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    containers: list[FaultyContainer] = []

    def faulty(container: object) -> FaultyContainer:
        containers.append(FaultyContainer(container))
        return containers[0]

    with embedded_aws(container=faulty) as aws:
        template = (built / TEMPLATE) if built else ROOT / "template.yaml"
        stacks = {
            kind: aws.deploy(
                f"test-{kind.lower()}",
                {"WorkflowType": kind} | TO_PEOPLE | GRANTING,
                template,
                capture_percentage=100,
            )
            for kind in ("STANDARD", "EXPRESS")
        }
        yield Cloud(aws, containers[0], stacks)


def _stack(cloud: Cloud, kind: str) -> Iterator[Stack]:
    outputs = cloud.stacks[kind]
    yield Stack(cloud.aws, cloud.container, outputs, Follower(cloud.aws, outputs))
    cloud.container.heal()


@pytest.fixture(params=["STANDARD", "EXPRESS"])
def stack(cloud: Cloud, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """Each test runs on both types of workflow."""
    yield from _stack(cloud, request.param)


@pytest.fixture
def standard(cloud: Cloud) -> Iterator[Stack]:
    yield from _stack(cloud, "STANDARD")


@pytest.fixture
def express(cloud: Cloud) -> Iterator[Stack]:
    yield from _stack(cloud, "EXPRESS")


@pytest.fixture(scope="session")
def images() -> Path:
    return Path(__file__).parents[1] / "events" / "images"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--unverified", action="store_true", help="leave out what `make verify` has just run"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put files with long tests first, and those with the embedded AWS last.

    Services are global in moto, and mock_aws resets them. A process takes files in this order.
    """
    if config.getoption("--unverified"):
        verified = [item for item in items if item.path.relative_to(ROOT).as_posix() in TESTS]
        config.hook.pytest_deselected(items=verified)
        items[:] = [item for item in items if item not in verified]
    with_cloud = {item.path for item in items if "cloud" in getattr(item, "fixturenames", ())}
    long = {item.path for item in items if item.get_closest_marker("timeout")}
    items.sort(key=lambda item: (item.path in with_cloud, item.path not in long))
