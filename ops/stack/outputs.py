"""A deployed stack, known by its Outputs alone."""

import argparse
import json
import os
import tomllib
from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from cli.aws import new_client, new_session
from cli.errors import CommandError
from cli.terminal import own_command

SAMCONFIG = Path(__file__).parents[2] / "samconfig.toml"
CONNECTIONS = 32  # as many as a command has threads
DENIED = "attach the policy in the output OperatorPolicyArn, or ViewerPolicyArn for what only reads"
ATTEMPTS = 6  # of a call that AWS throttles; with back-off about a minute
CONNECT_S, READ_S = 5, 30


def default_stack() -> str:
    """Return the name that SCONES_STACK gives, else that of the stack which `sam deploy` makes."""
    return os.environ.get("SCONES_STACK") or deployed_stack(SAMCONFIG)


def deployed_stack(samconfig: Path) -> str:
    """Return the name of the stack that `sam deploy` makes without further options.

    Raises CommandError for a file that is no TOML.
    """
    try:
        settings = tomllib.loads(samconfig.read_text())
        return str(settings["default"]["global"]["parameters"]["stack_name"])
    except (OSError, KeyError, TypeError):
        return "scones-unlimited"
    except ValueError as error:
        raise CommandError(f"{samconfig} is no TOML ({error}): mend it") from error


class Stack:
    """Outputs, resources and clients of one CloudFormation stack, each asked for once, when needed.

    boto3 is imported with the first client: --help needs none.
    """

    def __init__(self, name: str, region: str | None = None) -> None:
        self.name = name
        self._region = region
        self._clients: dict[str, Any] = {}

    @classmethod
    def of(cls, arguments: argparse.Namespace) -> "Stack":
        """Return the stack that the options --stack and --region name."""
        return cls(arguments.stack, arguments.region)

    def as_role(self, credentials: Mapping[str, str]) -> "Stack":
        """Return the same stack, called with what AssumeRole has given."""
        other = Stack(self.name, self._region)
        other._session = new_session(
            self.region,
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
        )
        return other

    def command(self, *words: str) -> str:
        """Return a command for this stack, to paste where this one was started."""
        stack = [] if self.name == default_stack() else ["--stack", self.name]
        region = ["--region", self._region] if self._region else []
        return own_command("ops", *words, *stack, *region)

    @cached_property
    def _session(self) -> Any:
        return new_session(self._region)

    def client(self, service: str) -> Any:
        """Return a boto3 client; threads may share it."""
        from botocore.config import Config

        if service not in self._clients:
            config = Config(
                connect_timeout=CONNECT_S,
                read_timeout=READ_S,
                max_pool_connections=CONNECTIONS,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            )
            self._clients[service] = new_client(self._session, service, config=config)
        return self._clients[service]

    @cached_property
    def _described(self) -> dict[str, Any]:
        client = self.client("cloudformation")
        try:
            [found] = client.describe_stacks(StackName=self.name)["Stacks"]
        except client.exceptions.ClientError as error:
            if "does not exist" not in str(error):
                raise
            raise CommandError(
                f"there is no stack {self.name} in {self.region}: name one with --stack, look in"
                " another --region, or deploy it with `sam deploy` or"
                f" `{own_command('local', 'up')}`"
            ) from error
        return dict(found)

    @property
    def created(self) -> datetime:
        """When the stack was created, with zone."""
        time: datetime = self._described["CreationTime"]
        return time

    @cached_property
    def outputs(self) -> dict[str, str]:
        """The stack's Outputs; raises CommandError where there is none, or none of ours."""
        stack = self._described
        found = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
        if "StateMachineArn" not in found:
            raise CommandError(
                f"the stack {self.name} has no output StateMachineArn"
                f" (status {stack['StackStatus']}): it is not of this template, or not complete"
            )
        return found

    @cached_property
    def resources(self) -> dict[str, list[str]]:
        """The physical names of the resources that the stack has, by type.

        It has none that failed before they had a name, and none that are deleted.
        """
        found: dict[str, list[str]] = {}
        for kind, name in self.named.values():
            found.setdefault(kind, []).append(name)
        return found

    @cached_property
    def named(self) -> dict[str, tuple[str, str]]:
        """The type and the physical name of those resources, by their names in the template."""
        pages = self.client("cloudformation").get_paginator("list_stack_resources")
        return {
            resource["LogicalResourceId"]: (
                resource["ResourceType"],
                resource["PhysicalResourceId"],
            )
            for page in pages.paginate(StackName=self.name)
            for resource in page["StackResourceSummaries"]
            if resource.get("PhysicalResourceId")
            and resource["ResourceStatus"] != "DELETE_COMPLETE"
        }

    @property
    def region(self) -> str:
        """The region of the stack, for instance us-east-1."""
        return str(self.client("cloudformation").meta.region_name)

    @property
    def account(self) -> str:
        """The account of the stack, 12 digits."""
        return self.state_machine_arn.split(":")[4]

    @property
    def partition(self) -> str:
        """The partition of the stack, for instance aws or aws-cn."""
        return self.state_machine_arn.split(":")[1]

    @property
    def state_machine_arn(self) -> str:
        """The ARN of the workflow."""
        return self.outputs["StateMachineArn"]

    def definition(self) -> dict[str, Any]:
        """Return the deployed state machine in the Amazon States Language."""
        answer = self.client("stepfunctions").describe_state_machine(
            stateMachineArn=self.state_machine_arn
        )
        definition: dict[str, Any] = json.loads(answer["definition"])
        return definition

    def execution(self, arn: str) -> dict[str, Any]:
        """Return DescribeExecution of an execution, or of the `latest` that has ended.

        Raises CommandError for an EXPRESS workflow, which keeps no executions.
        """
        self._refuse_express()
        client = self.client("stepfunctions")
        if arn == "latest":
            pages = client.get_paginator("list_executions").paginate(
                stateMachineArn=self.state_machine_arn
            )
            ended = (
                execution
                for page in pages
                for execution in page["executions"]
                if execution["status"] != "RUNNING"
            )
            newest = next(ended, None)
            if newest is None:
                raise CommandError(f"no execution of {self.name} has ended yet: upload a picture")
            arn = newest["executionArn"]
        try:
            found: dict[str, Any] = client.describe_execution(executionArn=arn)
        except client.exceptions.ExecutionDoesNotExist as error:
            raise CommandError(f"there is no execution {arn} (kept for 90 days)") from error
        return found

    def history(self, arn: str, *, documents: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the events of an execution's history, oldest first.

        documents: with what the states took and gave.
        """
        self._refuse_express()
        pages = self.client("stepfunctions").get_paginator("get_execution_history")
        for page in pages.paginate(executionArn=arn, includeExecutionData=documents):
            yield from page["events"]

    def _refuse_express(self) -> None:
        if self.outputs["WorkflowType"] == "EXPRESS":
            raise CommandError(
                f"{self.name} runs as EXPRESS, which keeps no history of executions; its ledger"
                " and its log group show what happened"
            )
