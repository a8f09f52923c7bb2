"""Patch: moto checks the update of a table in a time that grows with the square of its attributes.

Stock moto parses an update expression twice for each call, tests the count of its clauses and the
overlap of its paths anew at every node of its tree, and asks each node ten times for all types that
a pass may be about: 18 ms for the 25 attributes of a decision. A parsed expression stays as it is,
because moto works on copies of it, so it is remembered; counts and overlaps are tested at the root,
from which all nodes are seen; and a pass finds what it does with a type once.
"""

import contextlib
import copy
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.dynamodb.parsing import ast_nodes, expressions
from moto.dynamodb.parsing.validators import ActionCountValidator, OverlappingPathsValidator

Node: Any = vars(ast_nodes)["Node"]  # moto leaves these untyped
DepthFirstTraverser: Any = vars(ast_nodes)["DepthFirstTraverser"]
UpdateExpressionParser: Any = vars(expressions)["UpdateExpressionParser"]
EXPRESSIONS = 256  # remembered at once


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Parse each expression once and walk its tree once a pass, until the context ends."""
    make = functools.lru_cache(EXPRESSIONS)(UpdateExpressionParser.make)
    with (
        patch.object(UpdateExpressionParser, "make", staticmethod(make)),
        patch.object(Node, "__deepcopy__", _copied, create=True),
        patch.object(DepthFirstTraverser, "traverse", _traverse),
        patch.object(ActionCountValidator, "traverse", _process_root),
        patch.object(OverlappingPathsValidator, "traverse", _process_root),
    ):
        yield


def _process_root(self: DepthFirstTraverser, root: Node) -> Node:
    return self.process(root)


def _traverse(self: DepthFirstTraverser, root: Node) -> Node:
    """Process a tree depth first; return its new root."""
    processors = self._processing_map()
    prepares = type(self).pre_processing_of_child is not DepthFirstTraverser.pre_processing_of_child

    @functools.cache
    def processor_of(kind: type) -> Any:
        return next((processors[base] for base in processors if issubclass(kind, base)), None)

    def walk(node: Node, place: int) -> Node:
        parent = node.parent
        for number, child in enumerate(node.children or []):
            if prepares:
                self.pre_processing_of_child(node, number)
            if _is_node(child.__class__):
                walk(child, number)
        process = processor_of(node.__class__)
        if process is None:
            return node
        made = process(node)
        made.parent = parent
        if parent:
            parent.children[place] = made
        return made

    return walk(root, -1)


@functools.cache
def _is_node(kind: type) -> bool:
    """Tell what isinstance would: asking an abstract class costs more than all else here."""
    return issubclass(kind, Node)


def _copied(node: Node, memo: dict[int, Any]) -> Node:
    """Return a tree of its own; stock moto leaves that to copy.deepcopy, which knows no type."""
    made: Node = object.__new__(type(node))
    vars(made).update(vars(node), parent=None)
    if node.children is not None:
        made.children = []
        for child in node.children:
            if _is_node(child.__class__):
                own = _copied(child, memo)
                own.parent = made
            else:
                own = copy.deepcopy(child, memo)
            made.children.append(own)
    return made
