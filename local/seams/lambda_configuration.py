"""Seam: moto's Lambda forgets LoggingConfig, and a stack update the reserved concurrency.

Patched: LambdaFunction's __init__, get_configuration, update_configuration,
create_from_cloudformation_json and update_from_cloudformation_json.
"""

import contextlib
from collections.abc import Iterator
from typing import Any

from moto.awslambda.models import LambdaFunction

PATCHED = (
    "__init__",
    "get_configuration",
    "update_configuration",
    "create_from_cloudformation_json",
    "update_from_cloudformation_json",
)


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let functions keep their logging_config, until the context ends."""
    stock = {name: vars(LambdaFunction)[name] for name in PATCHED}
    make, describe, update = (stock[name] for name in PATCHED[:3])
    create_in_stack, update_in_stack = (stock[name].__func__ for name in PATCHED[3:])

    def __init__(self: Any, account_id: str, spec: Any, *args: Any, **options: Any) -> None:
        self.logging_config = spec.get("LoggingConfig", {})
        make(self, account_id, spec, *args, **options)

    def get_configuration(self: Any, on_create: bool = False) -> Any:
        defaults = {"LogFormat": "Text", "LogGroup": f"/aws/lambda/{self.function_name}"}
        return describe(self, on_create) | {"LoggingConfig": defaults | self.logging_config}

    def update_configuration(self: Any, config_updates: Any) -> Any:
        self.logging_config = config_updates.get("LoggingConfig", self.logging_config)
        return update(self, config_updates)

    def create_from_cloudformation_json(
        cls: Any, resource_name: str, cloudformation_json: Any, *args: Any, **options: Any
    ) -> Any:
        function = create_in_stack(cls, resource_name, cloudformation_json, *args, **options)
        function.logging_config = cloudformation_json["Properties"].get("LoggingConfig", {})
        return function

    def update_from_cloudformation_json(
        cls: Any, *, original_resource: Any, cloudformation_json: Any, **options: Any
    ) -> Any:
        properties = cloudformation_json["Properties"]
        original_resource.logging_config = {}
        original_resource.reserved_concurrency = properties.get("ReservedConcurrentExecutions")
        return update_in_stack(
            cls,
            original_resource=original_resource,
            cloudformation_json=cloudformation_json,
            **options,
        )

    ours = (
        __init__,
        get_configuration,
        update_configuration,
        classmethod(create_from_cloudformation_json),
        classmethod(update_from_cloudformation_json),
    )
    for name, function in zip(PATCHED, ours, strict=True):
        setattr(LambdaFunction, name, function)
    try:
        yield
    finally:
        for name, function in stock.items():
            setattr(LambdaFunction, name, function)
