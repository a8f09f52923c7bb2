"""The embedded AWS: one server on loopback, in which template.yaml is deployed and runs."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest.mock import patch

import boto3
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server.threaded_moto_server import ThreadedMotoServer

from cli.errors import CommandError
from local import deployment
from local.lambdas.runtime import LambdaRuntime
from local.model_server import model_server
from local.moto_patches import (
    access,
    assumed_roles,
    connections,
    copies,
    dispatch,
    event_targets,
    events,
    executions,
    form_bodies,
    json_paths,
    lambda_configuration,
    lambda_invoke,
    logs,
    map_items,
    map_runs,
    metrics,
    object_listings,
    permissions,
    pipes,
    presigned_posts,
    queries,
    s3_events,
    sagemaker_endpoint,
    sagemaker_runtime,
    sdk_tasks,
    stack_attributes,
    stack_changes,
    stack_deletions,
    stack_parameters,
    stack_resources,
    stack_updates,
    state_machines,
    tables,
    update_expressions,
)
from local.packages import NotInstalled
from local.paths import PRETRAINED, ROOT
from local.workdir import work_folder

REGION = "us-east-1"
NO_PROXY = ("NO_PROXY", "no_proxy")

Progress = Callable[[str], None]

_only_one = threading.Lock()  # moto's services are global to a process


class EmbeddedAwsError(CommandError):
    """The embedded AWS, or what it needs, could not be started."""


@dataclass
class EmbeddedAws:
    """A running embedded AWS.

    url: where every service answers whoever has a key of this run. model: the folder served.
    """

    url: str
    runtime: LambdaRuntime
    keys: access.AccessKeys
    model: Path

    def environment(self) -> dict[str, str]:
        """Return the variables with which the AWS CLI and SDKs reach it, past any proxy."""
        return {name: os.environ[name] for name in NO_PROXY} | {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": self.keys.of("embedded"),
            "AWS_SECRET_ACCESS_KEY": "embedded",
            "AWS_DEFAULT_REGION": REGION,
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of a service."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=self.keys.of("embedded"),
            aws_secret_access_key="embedded",
            config=boto3.session.Config(max_pool_connections=32, retries={"total_max_attempts": 2}),
        )

    def deploy(
        self,
        stack: str = "scones-unlimited",
        parameters: Mapping[str, str] | None = None,
        template: Path = ROOT / "template.yaml",
        capture_percentage: int = 0,
    ) -> dict[str, str]:
        """Create or update a stack of a SAM template; return its Outputs.

        capture_percentage: of a new endpoint's requests that are kept in its bucket of captures.
        Raises EmbeddedAwsError if CloudFormation refuses the stack.
        """
        try:
            return deployment.deploy(
                self.client,
                template,
                stack,
                parameters or {},
                REGION,
                capture_percentage,
                self.model,
            )
        except (ClientError, NotInstalled) as error:
            raise EmbeddedAwsError(f"cannot deploy {template.name}: {error}") from error


@contextlib.contextmanager
def embedded_aws(
    model: Path = PRETRAINED,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    account_concurrency: int = 1000,
    progress: Progress = lambda _: None,
    container: Callable[[sagemaker_runtime.Container], sagemaker_runtime.Container] = lambda c: c,
) -> Iterator[EmbeddedAws]:
    """Run an embedded AWS until the context ends, and leave nothing behind.

    model: the folder of the model that every endpoint serves. host: the address to listen at, which
    reaches as far as that. port: 0 takes a free one.
    account_concurrency: Lambda executions at once. container: wraps the endpoint's container,
    for instance to inject faults. Raises CommandError.
    """
    if not _only_one.acquire(blocking=False):
        raise EmbeddedAwsError("a process can run one embedded AWS at a time: start another one")
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(_only_one.release)
        workdir = cleanup.enter_context(work_folder(ROOT / ".local"))
        _require_address(host, port)
        cleanup.enter_context(_own_environment(host))
        progress("model server")
        model_url = cleanup.enter_context(model_server(model))
        progress("AWS services")
        log = lambda_invoke.cloudwatch_logs(DEFAULT_ACCOUNT_ID, REGION)
        runtime = cleanup.enter_context(
            LambdaRuntime(workdir=workdir, log=log, account_concurrency=account_concurrency)
        )
        keys = access.AccessKeys()
        # Before the first request can come.
        cleanup.enter_context(permissions.installed())
        cleanup.enter_context(access.installed(keys, host))
        cleanup.enter_context(form_bodies.installed())
        cleanup.enter_context(dispatch.installed())
        cleanup.enter_context(connections.installed())
        server = ThreadedMotoServer(host, port, verbose=False)
        server.start()
        cleanup.callback(server.stop)
        port = server.get_host_and_port()[1]
        aws = EmbeddedAws(f"http://{host}:{port}", runtime, keys, model)

        def platform(function: LambdaFunction) -> dict[str, str]:
            return aws.environment() | {
                "AWS_REGION": REGION,
                # Its own identity, whose permissions are judged.
                "AWS_ACCESS_KEY_ID": keys.of(function.role.rsplit("/", 1)[-1]),
            }

        cleanup.enter_context(lambda_configuration.installed())
        cleanup.enter_context(
            lambda_invoke.installed(runtime, code=workdir / "packages", platform=platform)
        )
        cleanup.enter_context(stack_parameters.installed())
        cleanup.enter_context(stack_changes.installed(REGION))
        cleanup.enter_context(stack_resources.installed())
        cleanup.enter_context(stack_attributes.installed())
        cleanup.enter_context(stack_updates.installed())
        cleanup.enter_context(stack_deletions.installed())
        cleanup.enter_context(sagemaker_endpoint.installed())
        cleanup.enter_context(tables.installed())
        cleanup.enter_context(update_expressions.installed())
        cleanup.enter_context(queries.installed())
        cleanup.enter_context(copies.installed())
        cleanup.enter_context(object_listings.installed())
        cleanup.enter_context(state_machines.installed())
        cleanup.enter_context(map_runs.installed())  # before executions, which keeps its parse()
        cleanup.enter_context(map_items.installed())
        cleanup.enter_context(sdk_tasks.installed())
        cleanup.enter_context(json_paths.installed())
        cleanup.enter_context(executions.installed(host, port, keys, log))
        cleanup.enter_context(s3_events.installed())
        cleanup.enter_context(presigned_posts.installed())
        cleanup.enter_context(event_targets.installed())
        cleanup.enter_context(events.installed(log))
        cleanup.enter_context(pipes.installed())
        cleanup.enter_context(metrics.installed())
        cleanup.enter_context(logs.installed())
        cleanup.enter_context(assumed_roles.installed(keys))
        served = container(sagemaker_runtime.http_container(model_url))
        cleanup.enter_context(sagemaker_runtime.installed(served))
        yield aws


def _require_address(host: str, port: int) -> None:
    """Raise EmbeddedAwsError where no server can listen."""
    try:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind((host, port))
    except (OSError, OverflowError) as error:
        raise EmbeddedAwsError(
            f"cannot listen at {host}:{port} ({getattr(error, 'strerror', None) or error}): give"
            " another --port or --host, or none"
        ) from error


@contextlib.contextmanager
def _own_environment(host: str) -> Iterator[None]:
    """Keep a proxy and a profile, which are for the real AWS, out of what happens in here."""
    with patch.dict(os.environ):
        for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
            os.environ.pop(name, None)
        # In either spelling: some programs read one, some the other, some prefer the lower case.
        given = ",".join(os.environ.get(name, "") for name in NO_PROXY).split(",")
        direct = filter(None, [*given, "127.0.0.1", "localhost", host])
        os.environ |= dict.fromkeys(NO_PROXY, ",".join(dict.fromkeys(direct)))
        yield
