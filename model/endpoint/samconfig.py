"""Parameters of the workflow in samconfig.toml, as text: its comments stay."""

import re
import tomllib
from collections.abc import Mapping

from model.endpoint.place import ROOT, EndpointError

SAMCONFIG = ROOT / "samconfig.toml"
OVERRIDES = re.compile(r"^(parameter_overrides = \[)(.*?)(\])", re.MULTILINE | re.DOTALL)


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
