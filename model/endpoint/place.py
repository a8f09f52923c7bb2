"""Where an endpoint lives and what belongs to it is called; the error of this room."""

import hashlib
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cli.aws import new_client, new_session
from cli.errors import CommandError
from cli.terminal import own_command

ROOT = Path(__file__).parents[2]
WORKFLOW = ROOT / "template.yaml"
TEMPLATE = ROOT / "model/endpoint/template.yaml"


class EndpointError(CommandError):
    """The command cannot go on; the message says why, and what to do."""


@dataclass(frozen=True)
class Place:
    """An endpoint's name and the account and region where it lives; clients are made once."""

    name: str
    account: str
    region: str
    session: Any = field(repr=False)
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        """Return the boto3 client of a service."""
        if service not in self.clients:
            self.clients[service] = new_client(self.session, service, region_name=self.region)
        return self.clients[service]

    @property
    def stack(self) -> str:
        """The name of its stack."""
        return stack_name(self.name)

    @property
    def bucket(self) -> str:
        """The name of the bucket that holds models, captures and what training needs."""
        return bucket_name(self.name, self.account, self.region)

    def deletion(self, *words: str) -> str:
        """Return the command that deletes this endpoint."""
        return own_command("model.delete_endpoint", "--name", self.name, *words)


def place(name: str, region: str | None = None) -> Place:
    """Return where the endpoint of this name lives; asks AWS for the account."""
    session = new_session(region)
    if not session.region_name:
        from botocore.exceptions import NoRegionError

        raise NoRegionError
    account = new_client(session, "sts").get_caller_identity()["Account"]
    return Place(name, account, session.region_name, session)


def stack_name(endpoint: str) -> str:
    """Return the name of an endpoint's stack, which must begin with a letter."""
    return f"endpoint-{endpoint}"


def bucket_name(endpoint: str, account: str, region: str) -> str:
    """Return the name of an endpoint's bucket.

    A bucket's name has 63 characters at most: a longer one is cut, and a digest is added.
    """
    end = f"-{account}-{region}"
    if len(endpoint) + len(end) <= 63:
        return endpoint + end
    digest = hashlib.sha256(endpoint.encode()).hexdigest()[:8]
    return f"{endpoint[: 63 - len(end) - 9].rstrip('-')}-{digest}{end}"


def declared(template: Path, parameter: str, attribute: str = "Default") -> str:
    """Return an attribute of a template's parameter, as text; without a YAML parser."""
    block = re.search(rf"^  {parameter}:\n((?:    .*\n|\n)+)", template.read_text(), re.MULTILINE)
    value = block and re.search(rf'^    {attribute}: "?(.+?)"?$', block[1], re.MULTILINE)
    if not value:
        raise EndpointError(f"{template}: the parameter {parameter} has no {attribute}")
    return value[1]


def default_name() -> str:
    """The endpoint that template.yaml expects when nothing else is said."""
    return declared(WORKFLOW, "EndpointName")


def checked_name(name: str) -> str:
    """Return the name if template.yaml takes it as EndpointName; raise EndpointError."""
    if not re.fullmatch(declared(WORKFLOW, "EndpointName", "AllowedPattern"), name):
        wanted = declared(WORKFLOW, "EndpointName", "ConstraintDescription").rstrip(".")
        raise EndpointError(f"the endpoint name {name!r} does not fit: {wanted}")
    return name
