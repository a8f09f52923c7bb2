"""What create_endpoint and delete_endpoint share: names, place, prices, the question, errors.

Importing this needs boto3 and nothing of AWS; `Place` is the only thing that holds credentials.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError

ROOT = Path(__file__).parents[2]
TEMPLATE = ROOT / "template.yaml"
# On everything that is created, so that a bill or a tag search leads back here.
CREATOR = "scones-create-endpoint"
VARIANT = "AllTraffic"

# US dollars an hour in us-east-1, as remembered in November 2026 and not read from AWS: the page
# decides, and other regions cost up to about half as much again.
PRICES = "https://aws.amazon.com/sagemaker/ai/pricing/"
PRICES_NOTED = "November 2026, us-east-1, approximate"
HOURLY = {
    "ml.c5.large": 0.102,
    "ml.c5.xlarge": 0.204,
    "ml.c5.2xlarge": 0.408,
    "ml.c6i.large": 0.102,
    "ml.c6i.xlarge": 0.204,
    "ml.c7i.large": 0.107,
    "ml.m5.large": 0.115,
    "ml.m5.xlarge": 0.23,
    "ml.m5.2xlarge": 0.461,
}


class EndpointError(Exception):
    """The command cannot go on; the message says in a line or two why, and what to do."""


@dataclass(frozen=True)
class Place:
    """An endpoint's name and the account and region where it lives; clients are made once."""

    name: str
    account: str
    region: str
    partition: str
    session: Any = field(repr=False)
    clients: dict[str, Any] = field(default_factory=dict, repr=False)

    def client(self, service: str) -> Any:
        if service not in self.clients:
            self.clients[service] = self.session.client(service, region_name=self.region)
        return self.clients[service]

    @property
    def bucket(self) -> str:
        """The name of the bucket that holds models, captures and training sources."""
        return fitted(self.name, f"-{self.account}-{self.region}", 63)

    def role(self, kind: str) -> str:
        """The name of the role of `kind` (serving or training); roles know no region."""
        return fitted(self.name, f"-{kind}-{self.region}", 64)

    def arn(self, service: str, resource: str) -> str:
        return f"arn:{self.partition}:{service}:{self.region}:{self.account}:{resource}"

    @property
    def tags(self) -> dict[str, str]:
        return {"created-by": CREATOR, "endpoint": self.name}

    def tag_list(self, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
        """The tags as most services want them."""
        return [{key: name, value: text} for name, text in self.tags.items()]


def place(name: str, region: str | None = None) -> Place:
    """Return where the endpoint of this name lives; asks AWS for the account."""
    session = boto3.Session(region_name=region)
    if not session.region_name:
        raise NoRegionError
    account = session.client("sts").get_caller_identity()["Account"]
    partition = session.get_partition_for_region(session.region_name)
    return Place(name, account, session.region_name, partition, session)


def fitted(start: str, end: str, limit: int) -> str:
    """Return start + end, with start cut and told apart by a digest if they pass the limit."""
    if len(start) + len(end) <= limit:
        return start + end
    digest = hashlib.sha256(start.encode()).hexdigest()[:8]
    return f"{start[: limit - len(end) - 9].rstrip('-')}-{digest}{end}"


def parameter(attribute: str, text: str) -> str:
    """Return an attribute of the parameter EndpointName in the text of template.yaml."""
    block = re.search(r"^  EndpointName:\n((?:    .*\n|\n)+)", text, re.MULTILINE)
    value = block and re.search(rf'^    {attribute}: "?(.+?)"?$', block[1], re.MULTILINE)
    if not value:
        raise EndpointError(f"{TEMPLATE}: the parameter EndpointName has no {attribute}")
    return value[1]


def default_name() -> str:
    """The endpoint that template.yaml expects when nothing else is said."""
    return parameter("Default", TEMPLATE.read_text())


def checked_name(name: str) -> str:
    """Return the name if template.yaml takes it as EndpointName; raise EndpointError."""
    text = TEMPLATE.read_text()
    if not re.fullmatch(parameter("AllowedPattern", text), name):
        wanted = parameter("ConstraintDescription", text).rstrip(".")
        raise EndpointError(f"the endpoint name {name!r} does not fit: {wanted}")
    return name


def price(instance_type: str, instances: int = 1) -> str:
    """Return what instances of a type cost, in words."""
    hourly = HOURLY.get(instance_type)
    if hourly is None:
        return f"{instances} x {instance_type}: for its price see {PRICES}"
    cost = hourly * instances
    return (
        f"{instances} x {instance_type}: about ${cost:.3f} an hour, ${cost * 730:.0f} a month"
        f" ({PRICES_NOTED}; {PRICES})"
    )


def agreed(question: str, yes: bool) -> bool:
    """Ask, unless --yes was given; without a terminal to ask on the answer is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print("nothing was done: give --yes to go on without a question")
        return False
    if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("nothing was done")
    return False


def code_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: ClientError) -> str:
    return str(error.response.get("Error", {}).get("Message", ""))


def guarded(work: Callable[[], int], interrupted: str) -> int:
    """Return what the work returns; 2 with a line on standard error when it cannot be done."""
    try:
        return work()
    except KeyboardInterrupt:
        print(f"\ninterrupted; {interrupted}", file=sys.stderr)
        return 130
    except NoCredentialsError:
        problem = "no AWS credentials: run `aws configure` or `aws sso login`, or export them"
    except NoRegionError:
        problem = "no AWS region: give --region or export AWS_DEFAULT_REGION"
    except ClientError as error:
        problem = f"{error.operation_name} was refused: {code_of(error)}: {message_of(error)}"
    except BotoCoreError as error:
        problem = f"{type(error).__name__}: {error}"
    except (EndpointError, OSError) as error:
        problem = str(error)
    print(f"error: {problem}", file=sys.stderr)
    return 2
