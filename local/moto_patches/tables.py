"""Patch: moto's tables are not atomic, and their streams have records of incomplete items.

Stock moto: two conditional writes at once may both succeed, a reader may see an item while it is
being changed, and UpdateItem of a new item puts two records into the stream, the first of which
has the key alone.
"""

import contextlib
import copy
import threading
from collections.abc import Callable, Iterator
from typing import Any
from unittest.mock import patch

from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType
from moto.dynamodb.models.table import StreamShard

OPERATIONS = ("put_item", "delete_item", "transact_write_items", "get_item", "query", "scan")


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let one operation at a time use a table, until the context ends."""
    lock = threading.RLock()
    update, add = DynamoDBBackend.update_item, StreamShard.add
    updating = threading.local()

    def alone(stock: Callable[..., Any]) -> Callable[..., Any]:
        def operation(self: DynamoDBBackend, *args: Any, **kwargs: Any) -> Any:
            with lock:
                return stock(self, *args, **kwargs)

        return operation

    def update_item(self: DynamoDBBackend, table_name: str, key: Any, **kwargs: Any) -> Any:
        with lock:
            _copy_on_write(self, table_name, key)
            updating.records = []
            try:
                item = update(self, table_name, key, **kwargs)
                [*_, record] = updating.records or [None]
            finally:
                del updating.records
            if record is not None:
                add(*record)
            return item

    def add_record(shard: StreamShard, old: Any, new: Any) -> None:
        if hasattr(updating, "records"):
            updating.records.append((shard, old, new))
        else:
            add(shard, old, new)

    with contextlib.ExitStack() as patches:
        for name in OPERATIONS:
            ours = alone(getattr(DynamoDBBackend, name))
            patches.enter_context(patch.object(DynamoDBBackend, name, ours))
        patches.enter_context(patch.object(DynamoDBBackend, "update_item", update_item))
        patches.enter_context(patch.object(StreamShard, "add", add_record))
        yield


def _copy_on_write(backend: DynamoDBBackend, table_name: str, key: Any) -> None:
    """Give the update an item of its own: who has read the old one keeps it as it was."""
    table = backend.get_table(table_name)
    if table.range_key_attr is None:
        place = DynamoType(key[table.hash_key_attr])
        if place in table.items:
            table.items[place] = copy.deepcopy(table.items[place])
