"""Patch: moto's Step Functions parses a JSONPath, 1 to 2 ms, each time that it evaluates one.

A parsed path holds nothing of what it is applied to, so executions may share it.
"""

import contextlib
import functools
from collections.abc import Iterator
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.utils import json_path

PATHS = 1024  # remembered at once; the state machines of template.yaml have 75


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Parse each path once, until the context ends."""
    with (
        patch.object(json_path, "parse", functools.lru_cache(PATHS)(json_path.parse)),
        patch.object(result_path, "parse", functools.lru_cache(PATHS)(result_path.parse)),
    ):
        yield
