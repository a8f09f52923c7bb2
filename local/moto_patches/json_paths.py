"""Patch: moto's Step Functions parses a JSONPath, 1 to 2 ms, each time that it evaluates one.

A parsed path holds nothing of what it is applied to, so executions may share it.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.utils import json_path

MODULES: tuple[Any, ...] = (json_path, result_path)  # each has a parser by its own name
PATHS = 1024  # remembered at once; the state machines of template.yaml have 75


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Parse each path once, until the context ends."""
    with contextlib.ExitStack() as patches:
        for module in MODULES:
            remembering = functools.lru_cache(PATHS)(module.parse)
            patches.enter_context(patch.object(module, "parse", remembering))
        yield
