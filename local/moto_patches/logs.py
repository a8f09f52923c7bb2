"""Patch: moto's CloudWatch Logs measures and transforms nothing, and its Insights can only list.

Here an event that comes in is transformed, and what a filter's pattern matches becomes a data
point; GetTransformer and TestTransformer answer; a query of Insights may count. Of each language
only what template.yaml uses is understood.
"""

import contextlib
import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.logs import logs_query, models
from moto.logs.exceptions import ResourceNotFoundException
from moto.logs.models import LogGroup
from moto.logs.responses import LogsResponse

from local.moto_patches import metrics
from local.moto_patches.stack_resources import MetricFilter, Transformer

Json = Any
TOKEN = re.compile(r'\(|\)|&&|\|\||>=|<=|!=|=|>|<|"[^"]*"|[^\s()=<>!&|]+')
NUMBERS = {"double": float, "integer": int}


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Measure, transform and count what is logged, until the context ends."""
    put, execute = LogGroup.put_log_events, logs_query.execute_query

    def put_log_events(self: LogGroup, log_stream_name: str, log_events: Json) -> str:
        token = put(self, log_stream_name, log_events)
        for filter_ in [made for made in MetricFilter.made if made.group == self.name]:
            for event in log_events:
                _measure(filter_, event["message"])
        return token

    def execute_query(log_groups: Json, query: str, start_time: int, end_time: int) -> Json:
        if "| stats " not in query:
            return execute(log_groups, query, start_time, end_time)
        messages = [
            event.message
            for group in log_groups
            for stream in group.streams.values()
            for event in stream.events
            if start_time * 1000 <= event.timestamp <= end_time * 1000 + 999
        ]
        return counted(query, messages)

    with (
        patch.object(LogGroup, "put_log_events", put_log_events),
        patch.object(models, "execute_query", execute_query),
        patch.object(LogsResponse, "get_transformer", _get_transformer, create=True),
        patch.object(LogsResponse, "test_transformer", _test_transformer, create=True),
    ):
        yield


def _measure(filter_: MetricFilter, message: str) -> None:
    """Publish what a filter takes from an event; what cannot be read it does not match."""
    try:
        event = json.loads(message)
        if str(filter_.properties.get("ApplyOnTransformedLogs", False)).lower() == "true":
            [transformer] = [made for made in Transformer.made if made.group == filter_.group]
            event = json.loads(transformed(transformer.config(), message))
    except ValueError:  # no JSON, or no transformer
        return
    if not matches(filter_.properties["FilterPattern"], event):
        return
    for made in filter_.properties["MetricTransformations"]:
        value = made["MetricValue"]
        number = at(event, value) if value.startswith("$") else float(value)
        named = {entry["Key"]: at(event, entry["Value"]) for entry in made.get("Dimensions", [])}
        place = filter_.region, made["MetricNamespace"], made["MetricName"]
        if isinstance(number, int | float) and None not in named.values():
            metrics.record(*place, named, number)


def at(event: Json, path: str) -> Json:
    """Return what a path such as $.detail.outcome names in an event; None if nothing."""
    for part in path.removeprefix("$.").split("."):
        event = event.get(part) if isinstance(event, dict) else None
    return event


def matches(pattern: str, event: Json) -> bool:
    """Return whether a filter pattern for JSON, `{ $.a = b && ($.c >= 0 || $.d = *) }`, matches.

    A comparison with a number is for numbers only: a text of digits is none.
    """
    tokens = TOKEN.findall(pattern.strip().removeprefix("{").removesuffix("}"))

    def either() -> bool:
        found = both()
        while tokens and tokens[0] == "||":
            tokens.pop(0)
            found = both() or found
        return found

    def both() -> bool:
        found = term()
        while tokens and tokens[0] == "&&":
            tokens.pop(0)
            found = term() and found
        return found

    def term() -> bool:
        if tokens[0] == "(":
            tokens.pop(0)
            found = either()
            tokens.pop(0)
            return found
        path, operator, wanted = (tokens.pop(0) for _ in range(3))
        return _compared(at(event, path), operator, wanted.strip('"'))

    return either()


def _compared(found: Json, operator: str, wanted: str) -> bool:
    if found is None:
        return False
    if operator == "=":
        return wanted in ("*", str(found))
    if operator == "!=":
        return wanted != str(found)
    if not isinstance(found, int | float):
        return False
    number = float(wanted)
    return {
        ">": found > number,
        ">=": found >= number,
        "<": found < number,
        "<=": found <= number,
    }[operator]


def transformed(config: list[Json], message: str) -> str:
    """Return a log event as a transformer's processors leave it.

    Raises ValueError if they cannot read it.
    """
    event = json.loads(message)
    for processor in config:
        for entry in processor.get("typeConverter", {}).get("entries", []):
            *folders, name = entry["key"].split(".")
            place = at(event, ".".join(folders)) if folders else event
            if isinstance(place, dict) and name in place:
                place[name] = NUMBERS[entry["type"]](place[name])
    return json.dumps(event, ensure_ascii=False)


def _get_transformer(self: LogsResponse) -> str:
    name = self._get_param("logGroupIdentifier")
    found = [made for made in Transformer.made if made.group == name]
    if not found:
        raise ResourceNotFoundException(f"{name} has no transformer")
    return json.dumps({"logGroupIdentifier": name, "transformerConfig": found[0].config()})


def _test_transformer(self: LogsResponse) -> str:
    config = self._get_param("transformerConfig")
    logs = [
        {
            "eventNumber": number,
            "eventMessage": message,
            "transformedEventMessage": transformed(config, message),
        }
        for number, message in enumerate(self._get_param("logEventMessages"), 1)
    ]
    return json.dumps({"transformedLogs": logs})


def counted(query: str, messages: list[str]) -> list[dict[str, str]]:
    """Return the rows of `filter ispresent(A) | stats count(*) as N by B as C, ... | sort ...`."""
    present = re.search(r"filter ispresent\(([\w.]+)\)", query)
    stats = re.search(r"\| stats count\(\*\) as (\w+) by ([^|]+)", query)
    if stats is None:
        raise NotImplementedError(f"the embedded CloudWatch Logs cannot answer {query!r}")
    events = [json.loads(message) for message in messages if message.startswith("{")]
    columns = [column.strip().split(" as ") for column in stats[2].split(",")]
    tally = Counter(
        tuple(str(at(event, path) or "") for path, _ in columns)
        for event in events
        if present is None or at(event, present[1]) is not None
    )
    names = [name for _, name in columns]
    return [
        dict(zip(names, values, strict=True)) | {stats[1]: str(count)}
        for values, count in tally.most_common()
    ]
