"""Parameters of the workflow in samconfig.toml, as text: its comments stay."""

import re
import shlex
import tomllib
from collections.abc import Mapping
from typing import Any

from model.endpoint.place import ROOT, EndpointError

SAMCONFIG = ROOT / "samconfig.toml"
OVERRIDES = re.compile(r"^(parameter_overrides = \[)(.*?)(\])", re.MULTILINE | re.DOTALL)


def deployments(values: Mapping[str, str], stack: str = "") -> list[str]:
    """Return the `sam deploy` of each environment with these parameters besides its own.

    stack: only of the environments that deploy it, if there are any. SAM takes the parameters of
    the command line instead of those of samconfig.toml.
    """
    found = tomllib.loads(SAMCONFIG.read_text()) if SAMCONFIG.is_file() else {"default": {}}
    # Without the version of the file.
    environments = {name: value for name, value in found.items() if isinstance(value, dict)}
    named = {name for name, value in environments.items() if stack and _stack(value) == stack}
    lines = []
    for name in named or environments:
        own = _overrides(environments[name])
        items = [item for item in own if item.partition("=")[0] not in values]
        items += [f"{key}={value}" for key, value in values.items()]
        words = ["sam", "deploy", "--config-env", name, "--parameter-overrides", *items]
        lines.append(shlex.join(words))
    return lines


def _stack(environment: Mapping[str, Any]) -> Any:
    """Return the stack_name that `sam deploy` reads: its own before that of all."""
    for command in ("deploy", "global"):
        if name := environment.get(command, {}).get("parameters", {}).get("stack_name"):
            return name
    return None


def _overrides(environment: Mapping[str, Any]) -> list[str]:
    """Return the parameter_overrides that `sam deploy` reads: its own before those of all."""
    for command in ("deploy", "global"):
        listed = environment.get(command, {}).get("parameters", {}).get("parameter_overrides")
        if listed is not None:
            return shlex.split(listed) if isinstance(listed, str) else list(listed)
    return []


def write(values: Mapping[str, str]) -> str:
    """Set parameters in every list of parameter_overrides; return what was done, in words.

    Raises EndpointError, and writes nothing, if no environment has such a list.
    """
    items = [f'"{name}={value}"' for name, value in values.items()]

    def replaced(found: re.Match[str]) -> str:
        listed, new = found[2], []
        for name, item in zip(values, items, strict=True):
            listed, known = re.subn(rf'"{name}=[^"]*"', item, listed)
            new += [] if known else [item]
        # In front, where no comment can swallow it.
        return found[1] + ", ".join([*new, *filter(None, [listed])]) + found[3]

    text, count = OVERRIDES.subn(replaced, SAMCONFIG.read_text())
    if not count:
        raise EndpointError(
            f"{SAMCONFIG} has no `parameter_overrides = [...]`: add {', '.join(items)} by hand"
        )
    tomllib.loads(text)
    SAMCONFIG.write_text(text)
    return f"{SAMCONFIG.name}: {', '.join(items)} in {count} environments"
