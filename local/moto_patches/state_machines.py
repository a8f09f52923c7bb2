"""Patch: moto's stacks make state machines that cannot run.

Stock moto creates a stack's state machine in the backend that only pretends to run it, and ignores
its S3 location, substitutions, type and logging.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.s3.models import s3_backends
from moto.stepfunctions.models import StateMachine
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

Json = dict[str, Any]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let stacks make state machines that run, until the context ends."""
    with patch.multiple(
        StateMachine,
        create_from_cloudformation_json=staticmethod(_create),
        update_from_cloudformation_json=staticmethod(_update),
        delete_from_cloudformation_json=staticmethod(_delete),
    ):
        yield


def definition_of(properties: Json, account: str) -> str:
    """Return a declared state machine's definition, its ${...} substituted."""
    definition = properties.get("DefinitionString")
    if location := properties.get("DefinitionS3Location"):
        s3 = s3_backends[account]["aws"]
        stored = s3.get_object(location["Bucket"], location["Key"])
        if stored is None:
            raise ValueError(f"no definition at s3://{location['Bucket']}/{location['Key']}")
        definition = stored.value.decode()
    if definition is None:
        definition = json.dumps(properties["Definition"])
    substitutions = properties.get("DefinitionSubstitutions", {})
    return re.sub(
        r"\$\{(\w+)\}",
        lambda match: str(substitutions.get(match[1], match[0])),
        str(definition),
    )


def _create(
    resource_name: str, cloudformation_json: Json, account_id: str, region_name: str, **_: Any
) -> StateMachine:
    properties = cloudformation_json["Properties"]
    machine = stepfunctions_parser_backends[account_id][region_name].create_state_machine(
        name=properties.get("StateMachineName", resource_name),
        definition=definition_of(properties, account_id),
        roleArn=properties["RoleArn"],
        loggingConfiguration=properties.get("LoggingConfiguration"),
        tracingConfiguration=properties.get("TracingConfiguration"),
        sm_type=properties.get("StateMachineType", "STANDARD"),
    )
    machine.sm_type = machine.type  # its constructor keeps the type under one of its two names
    return machine


def _update(
    original_resource: StateMachine,
    new_resource_name: str,
    cloudformation_json: Json,
    account_id: str,
    region_name: str,
) -> StateMachine:
    properties = cloudformation_json["Properties"]
    backend = stepfunctions_parser_backends[account_id][region_name]
    if properties.get("StateMachineType", "STANDARD") != original_resource.sm_type:
        replaced = _create(new_resource_name, cloudformation_json, account_id, region_name)
        backend.delete_state_machine(original_resource.arn)
        return replaced
    backend.update_state_machine(
        original_resource.arn,
        definition=definition_of(properties, account_id),
        role_arn=properties["RoleArn"],
    )
    return original_resource


def _delete(
    resource_name: str, cloudformation_json: Json, account_id: str, region_name: str
) -> None:
    del cloudformation_json
    backend = stepfunctions_parser_backends[account_id][region_name]
    arn = resource_name
    if not arn.startswith("arn:"):
        arn = f"arn:aws:states:{region_name}:{account_id}:stateMachine:{resource_name}"
    backend.delete_state_machine(arn)
