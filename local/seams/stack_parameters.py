"""Seam: moto takes any value for a stack's parameters; AWS holds them to the template's bounds."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.parsing import ResourceMap

Json = Any  # a template's Parameters


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse a parameter that its declaration rules out, until the context ends."""
    load = ResourceMap.load_parameters

    def load_parameters(self: ResourceMap) -> None:
        # A change set that creates a stack begins with one of an empty template.
        declared = self._template.get("Parameters", {})
        if self._template and (reason := refusal(declared, self.input_parameters)):
            raise ValidationError(message=reason)
        load(self)

    with patch.object(ResourceMap, "load_parameters", load_parameters):
        yield


def refusal(declared: Json, given: dict[str, Any]) -> str | None:
    """Return why CloudFormation refuses parameters, or None."""
    unknown = sorted(set(given) - set(declared))
    if unknown:
        return f"Parameters: [{', '.join(unknown)}] do not exist in the template"
    for name, value in given.items():
        if reason := _ruled_out(declared[name], str(value)):
            told = declared[name].get("ConstraintDescription", reason)
            return f"Parameter {name} failed to satisfy constraint: {value!r}: {told}"
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
