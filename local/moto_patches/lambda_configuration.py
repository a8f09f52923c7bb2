"""Patch: moto's Lambda forgets LoggingConfig and DeadLetterConfig, a stack update still more.

A stack update forgets concurrency and architecture.

Patched: LambdaFunction's __init__, get_configuration, update_configuration,
create_from_cloudformation_json and update_from_cloudformation_json.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import LambdaFunction

Json = dict[str, Any]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let functions keep logging_config and dead_letter_config, until the context ends."""
    make = LambdaFunction.__init__
    describe = LambdaFunction.get_configuration
    update = LambdaFunction.update_configuration
    create_in_stack = LambdaFunction.create_from_cloudformation_json
    update_in_stack = LambdaFunction.update_from_cloudformation_json

    def __init__(self: Any, account_id: str, spec: Json, *args: Any, **options: Any) -> None:
        _keep(self, spec)
        make(self, account_id, spec, *args, **options)

    def get_configuration(self: Any, on_create: bool = False) -> Json:
        defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        found = describe(self, on_create) | {"LoggingConfig": defaults | self.logging_config}
        if self.dead_letter_config:
            found["DeadLetterConfig"] = self.dead_letter_config
        return found

    def update_configuration(self: Any, config_updates: Json) -> Json:
        now = {"LoggingConfig": self.logging_config, "DeadLetterConfig": self.dead_letter_config}
        _keep(self, now | config_updates)
        return update(self, config_updates)

    def create_from_cloudformation_json(
        resource_name: str, cloudformation_json: Json, *args: Any, **options: Any
    ) -> Any:
        function: Any = create_in_stack(resource_name, cloudformation_json, *args, **options)
        _keep(function, cloudformation_json["Properties"])
        return function

    def update_from_cloudformation_json(
        original_resource: Any, *, cloudformation_json: Json, **options: Any
    ) -> Any:
        properties = cloudformation_json["Properties"]
        _keep(original_resource, {})
        original_resource.architectures = properties.get("Architectures", ["x86_64"])
        original_resource.reserved_concurrency = properties.get("ReservedConcurrentExecutions")
        return update_in_stack(
            original_resource=original_resource,
            cloudformation_json=cloudformation_json,
            **options,
        )

    with patch.multiple(
        LambdaFunction,
        __init__=__init__,
        get_configuration=get_configuration,
        update_configuration=update_configuration,
        create_from_cloudformation_json=staticmethod(create_from_cloudformation_json),
        update_from_cloudformation_json=staticmethod(update_from_cloudformation_json),
    ):
        yield


def _keep(function: Any, given: Json) -> None:
    function.logging_config = given.get("LoggingConfig", {})
    function.dead_letter_config = given.get("DeadLetterConfig", {})
