"""Patch: moto's tasks that call Step Functions or any SDK do not speak as those of AWS do.

Stock moto hands parameters on in the case of the ASL, StateMachineArn, which boto3 does not know,
and answers in that of boto3. It gives a time as an object that is later written
2026-01-31T12:00:00+00:00, where AWS writes 2026-01-31T12:00:00Z, and fails HeadObject of an absent
object as s3.s3Exception.
"""

import contextlib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

from botocore.exceptions import ClientError
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_aws_sdk as sdk,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_sfn as sfn,
)

ABSENT = {"404", "NoSuchKey"}


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let these tasks ask and answer as on AWS, until the context ends."""
    with (
        patch.dict(sdk._SERVICE_ERROR_NAMES, {"s3": "S3"}),
        patch.object(
            sdk.StateTaskServiceAwsSdk, "_normalise_exception_name", staticmethod(_naming())
        ),
        patch.object(sdk.StateTaskServiceAwsSdk, "_eval_service_task", _task(sdk)),
        patch.object(sfn.StateTaskServiceSfn, "_eval_service_task", _task(sfn)),
    ):
        yield


def _naming() -> Callable[[str, Exception], str]:
    stock = sdk.StateTaskServiceAwsSdk._normalise_exception_name

    def name(service: str, error: Exception) -> str:
        code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
        absent = service == "S3" and code in ABSENT
        return "S3.NoSuchKeyException" if absent else stock(service, error)

    return name


def _task(module: Any) -> Callable[..., None]:
    """Return _eval_service_task. module: that of the task, in which executions puts its clients."""

    def evaluate(
        self: Any,
        env: Any,
        resource_runtime_part: Any,
        normalised_parameters: dict[str, Any],
        state_credentials: Any,
    ) -> None:
        client = module.boto_client_for(
            service=self._get_boto_service_name(),
            region=resource_runtime_part.region,
            state_credentials=state_credentials,
        )
        action = self._get_boto_service_action()
        name = client.meta.method_to_api_mapping[action]
        shape = client.meta.service_model.operation_model(name).input_shape
        members = {member.lower(): member for member in shape.members}
        given = {members[name.lower()]: value for name, value in normalised_parameters.items()}
        answer = getattr(client, action)(**given)
        del answer["ResponseMetadata"]
        env.stack.append({f"{name[:1].upper()}{name[1:]}": _plain(answer[name]) for name in answer})

    return evaluate


def _plain(value: Any) -> Any:
    """Return an answer with its times as text."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value
