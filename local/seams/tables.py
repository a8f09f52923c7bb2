"""Seam: moto's tables are not atomic: two conditional writes at once may both succeed."""

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import DynamoDBBackend

WRITES = ("put_item", "update_item", "delete_item", "transact_write_items")


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let one write at a time change a table, until the context ends."""
    lock = threading.RLock()

    def alone(stock: Callable[..., Any]) -> Callable[..., Any]:
        def write(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
            with lock:
                return stock(self, *args, **kwargs)

        return write

    with contextlib.ExitStack() as patches:
        for name in WRITES:
            ours = alone(getattr(DynamoDBBackend, name))
            patches.enter_context(patch.object(DynamoDBBackend, name, ours))
        yield
