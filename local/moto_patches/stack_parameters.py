"""Patch: moto takes any value for a stack's parameters; AWS holds them to the template's bounds.

Refused, as on AWS, before anything is created or changed. Stock moto gives a change set the
previous values as numbers, and makes 0 of 0.5; a change set without a change is one to it.
"""

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import CloudFormationBackend, Stack

Json = Any  # a template's Parameters


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse a parameter that its declaration rules out, until the context ends."""
    create, update = CloudFormationBackend.create_stack, CloudFormationBackend.update_stack
    create_change_set = CloudFormationBackend.create_change_set

    def create_held(self: CloudFormationBackend, **given: Any) -> Any:
        _hold(given["template"], given["parameters"])
        return create(self, **given)

    def update_held(self: CloudFormationBackend, **given: Any) -> Any:
        stack = self.get_stack(given["name"])
        _hold(given["template"], self._resolve_update_parameters(stack, given["parameters"]))
        return update(self, **given)

    def create_change_set_held(self: CloudFormationBackend, **given: Any) -> Any:
        given["parameters"] = {name: str(value) for name, value in given["parameters"].items()}
        _hold(given["template"], given["parameters"])
        return create_change_set(self, **given)

    def has_parameters(self: Stack, other_parameters: dict[str, Any]) -> bool:
        declared = self.template_dict.get("Parameters", {}).items()
        defaults = {name: str(entry["Default"]) for name, entry in declared if "Default" in entry}
        same: bool = defaults | self.parameters == defaults | other_parameters
        return same

    with (
        patch.object(CloudFormationBackend, "create_stack", create_held),
        patch.object(CloudFormationBackend, "update_stack", update_held),
        patch.object(CloudFormationBackend, "create_change_set", create_change_set_held),
        patch.object(Stack, "has_parameters", has_parameters),
    ):
        yield


def _hold(template: str, given: dict[str, Any]) -> None:
    """Raise ValidationError, with the parameter's own description, if one is ruled out."""
    declared = Stack.parse_template(template).get("Parameters", {})
    if reason := refusal(declared, given):
        raise ValidationError(message=reason)


def refusal(declared: Json, given: dict[str, Any]) -> str | None:
    """Return why CloudFormation refuses parameters, or None."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        return f"Parameters: [{', '.join(unknown)}] do not exist in the template"
    for name, value in given.items():
        if reason := _ruled_out(declared[name], str(value)):
            constraint = declared[name].get("ConstraintDescription", reason)
            return f"Parameter {name} failed to satisfy constraint: {constraint}"
    return None


def _ruled_out(declaration: Json, value: str) -> str | None:
    allowed = declaration.get("AllowedValues")
    if allowed and value not in map(str, allowed):
        return f"it must be one of {', '.join(map(str, allowed))}"
    if declaration["Type"] == "Number":
        try:
            number = float(value)
        except ValueError:
            return "it must be a number"
        low, high = declaration.get("MinValue"), declaration.get("MaxValue")
        if (low is not None and number < float(low)) or (high is not None and number > float(high)):
            return f"it must be between {low} and {high}"
    elif not re.fullmatch(declaration.get("AllowedPattern", ".*"), value, re.DOTALL):
        return f"it must match pattern {declaration['AllowedPattern']}"
    return None
