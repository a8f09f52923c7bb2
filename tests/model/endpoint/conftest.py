"""The embedded AWS as create_endpoint and delete_endpoint meet it."""

from collections.abc import Iterator

import pytest

from model.endpoint import image, stack
from tests.support.cloud import Cloud
from tests.support.endpoint import Aws


@pytest.fixture
def aws(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    for name, value in cloud.aws.environment().items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    monkeypatch.setattr(stack, "POLL_S", 0)
    found = Aws(cloud)
    monkeypatch.setattr(image, "docker", found.run_docker)
    yield found
    cloud.container.heal()
    found.delete()
