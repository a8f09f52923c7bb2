"""The errors of the commands."""

import ast
import re
from collections.abc import Iterator

import cli.errors
from tests.support.project import ROOT


def subclasses(name: str) -> Iterator[str]:
    """Yield the classes below one, by their names, in what the commands are made of."""
    for package in ("cli", "model", "ops", "local"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.ClassDef) and name in map(last_name, node.bases):
                    yield from (node.name, *subclasses(node.name))


def last_name(base: ast.expr) -> str:
    return ast.unparse(base).rpartition(".")[2]


def test_the_tree_of_errors_is_whole() -> None:
    tree = "\n".join(re.findall(r"^ +\+-- .*", cli.errors.__doc__ or "", re.MULTILINE))
    assert set(re.findall(r"\b[A-Z]\w*Error\b", tree)) == set(subclasses("CommandError"))
