"""The embedded AWS for tests: one for the whole run, with a stack of each workflow type.

The stacks are deployed from what `sam build` makes, where the SAM CLI is installed, as AWS gets it.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import embedded_aws
from local.follow import Follower
from tests.support.build import TEMPLATE, build
from tests.support.cloud import Cloud, Stack
from tests.support.faults import FaultyContainer
from tests.support.project import ROOT
from tests.verify.proofs import TESTS
from tests.verify.tools import SAM


def pytest_report_header() -> str:
    """Tell which functions the run puts to the test."""
    made = (
        "made by sam build" if SAM.installed else "from the source: make verify installs sam build"
    )
    return f"functions: {made}"


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path | None:
    """The folder of the application as `sam build` makes it; None without the SAM CLI."""
    return build(tmp_path_factory.mktemp("application")) if SAM.installed else None


@pytest.fixture(scope="session")
def application(built: Path | None) -> Path:
    """The folder of the built application."""
    if built is None:
        pytest.skip("the SAM CLI is not installed: run make verify")
    return built


@pytest.fixture(scope="session")
def cloud(built: Path | None) -> Iterator[Cloud]:
    for chatty in ("werkzeug", "moto", "local"):
        logging.getLogger(chatty).setLevel(logging.CRITICAL)
    containers: list[FaultyContainer] = []

    def faulty(container: object) -> FaultyContainer:
        containers.append(FaultyContainer(container))
        return containers[0]

    with embedded_aws(container=faulty) as aws:
        template = (built / TEMPLATE) if built else ROOT / "template.yaml"
        stacks = {
            kind: aws.deploy(
                f"test-{kind.lower()}", {"WorkflowType": kind}, template, capture_percentage=100
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
    """Put the embedded AWS last: services are global in moto, and mock_aws resets them."""
    if config.getoption("--unverified"):
        verified = [item for item in items if item.path.relative_to(ROOT).as_posix() in TESTS]
        config.hook.pytest_deselected(items=verified)
        items[:] = [item for item in items if item not in verified]
    items.sort(key=lambda item: "cloud" in getattr(item, "fixturenames", ()))
