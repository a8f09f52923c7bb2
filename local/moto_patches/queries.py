"""Patch: moto finds nothing between bounds in the wrong order; AWS refuses them."""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.dynamodb.exceptions import MockValidationException
from moto.dynamodb.models import DynamoDBBackend
from moto.dynamodb.models.dynamo_type import DynamoType


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse a BETWEEN whose upper bound is below its lower one, until the context ends.

    https://github.com/architect/dynalite/issues/55
    """
    query = DynamoDBBackend.query

    def checked(
        self: DynamoDBBackend,
        table_name: str,
        hash_key_dict: Any,
        range_comparison: str | None,
        range_value_dicts: list[dict[str, Any]],
        *args: Any,
        **kwargs: Any,
    ) -> Any:
        if range_comparison == "BETWEEN":
            lower, upper = map(DynamoType, range_value_dicts)
            if upper < lower:
                raise MockValidationException(
                    "Invalid KeyConditionExpression: The BETWEEN operator requires upper bound to"
                    " be greater than or equal to lower bound; lower bound operand: AttributeValue:"
                    f" {{{lower.type}:{lower.value}}}, upper bound operand: AttributeValue:"
                    f" {{{upper.type}:{upper.value}}}"
                )
        return query(
            self, table_name, hash_key_dict, range_comparison, range_value_dicts, *args, **kwargs
        )

    with patch.object(DynamoDBBackend, "query", checked):
        yield
