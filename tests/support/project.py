"""The project's declarations as Python values: template.yaml, the state machine, the functions."""

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
ENDPOINT_TEMPLATE = "model/endpoint/template.yaml"
ASL_TEXT = (ROOT / "statemachine/classify_image.asl.json").read_text()
BACKFILL_TEXT = (ROOT / "statemachine/backfill.asl.json").read_text()
STEPS = ("serialize", "classify", "filter")
# Pictures that may not be given on: what needs them is skipped where they are missing.
SHARED = ROOT.parent / "shared" / "data"


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms: !Ref X as {"Ref": X}, !Sub X as {"Fn::Sub": X}."""


def _short_form(loader: _Loader, tag: str, node: yaml.Node) -> dict[str, Any]:
    if isinstance(node, yaml.ScalarNode):
        value: Any = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        assert isinstance(node, yaml.MappingNode)
        value = loader.construct_mapping(node, deep=True)
    return {tag if tag in ("Ref", "Condition") else f"Fn::{tag}": value}


_Loader.add_multi_constructor("!", _short_form)


@cache
def template(path: str = "template.yaml") -> dict[str, Any]:
    """Return a template with CloudFormation's functions as dictionaries."""
    text = (ROOT / path).read_text()
    loaded: dict[str, Any] = yaml.load(text, _Loader)
    return loaded


@cache
def state_machine() -> dict[str, Any]:
    """Return the state machine as it is written, substitutions open."""
    loaded: dict[str, Any] = json.loads(ASL_TEXT)
    return loaded


@cache
def backfill() -> dict[str, Any]:
    """Return the state machine of backfills as it is written, substitutions open."""
    loaded: dict[str, Any] = json.loads(BACKFILL_TEXT)
    return loaded


def resources(kind: str, path: str = "template.yaml") -> dict[str, dict[str, Any]]:
    """Return the properties of every resource of a type in a template, by logical name."""
    return {
        name: resource.get("Properties", {})
        for name, resource in template(path)["Resources"].items()
        if resource["Type"] == kind
    }


def pinned(path: Path) -> dict[str, str]:
    """Return the versions that a file of requirements names, by the packages' names."""
    lines = re.findall(r"^([\w.-]+)==([^\s;]+)", path.read_text(), re.MULTILINE)
    return dict(lines)


def exception_classes(step: str) -> set[str]:
    """Return the names of the exception classes that a function's source defines."""
    classes: dict[str, list[str]] = {}
    for path in (ROOT / "functions" / step).glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                classes[node.name] = [base.id for base in node.bases if isinstance(base, ast.Name)]
    return {name for name in classes if _is_exception(name, classes)}


def _is_exception(name: str, classes: dict[str, list[str]]) -> bool:
    if name in classes:
        return any(_is_exception(base, classes) for base in classes[name])
    return bool(re.search(r"(Exception|Error)$", name))
