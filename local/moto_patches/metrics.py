"""Patch: moto measures nothing; here services count what they do, as on AWS, without its delay.

Counted is what tells a right dimension of an alarm from a wrong one: executions, invocations, a
pipe's events, messages that wait in a queue. An alarm on a metric, or on the sum of its metrics, is
in ALARM while its last period is above its threshold; one with another expression stays in OK. Its
state changes when somebody looks, and its history has these changes.
"""

import contextlib
import re
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from unittest.mock import patch

from moto.cloudwatch.models import (
    Alarm,
    CloudWatchBackend,
    MetricDatum,
    Statistics,
    cloudwatch_backends,
)
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.core.responses import ActionResult
from moto.sqs.models import sqs_backends

SUM = "SUM(METRICS())"
PERCENTILE = re.compile(r"p\d+(\.\d+)?")


def record(
    region: str, namespace: str, name: str, dimensions: dict[str, str], value: float = 1.0
) -> None:
    """Add a data point of this moment to a metric."""
    backend = cloudwatch_backends[DEFAULT_ACCOUNT_ID][region]
    backend.metric_data.append(_datum(namespace, name, dimensions, value))


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Measure queues, and evaluate alarms, whenever somebody looks, until the context ends."""
    stored = CloudWatchBackend.get_all_metrics

    def get_all_metrics(self: CloudWatchBackend) -> list[Any]:
        return [*stored(self), *_queues(self)]

    def evaluating(method: Callable[..., Iterable[Alarm]]) -> Callable[..., list[Alarm]]:
        def call(self: CloudWatchBackend, *names: Any) -> list[Alarm]:
            alarms = list(method(self, *names))
            for alarm in alarms:
                if alarm.rule is not None:  # a composite
                    continue
                if (state := _state(alarm)) != alarm.state_value:
                    alarm.update_state("Threshold Crossed", "{}", state)
            return alarms

        return call

    statistic = Statistics.get_statistics_for_type

    def get_statistics_for_type(self: Statistics, stat: str) -> Any:
        if not PERCENTILE.fullmatch(stat):
            return statistic(self, stat)
        values = sorted(self.metric_single_values_list)
        return values[min(len(values) - 1, int(len(values) * float(stat[1:]) / 100))]

    with contextlib.ExitStack() as patches:
        patches.enter_context(
            patch.object(Statistics, "get_statistics_for_type", get_statistics_for_type)
        )
        patches.enter_context(patch.object(CloudWatchBackend, "get_all_metrics", get_all_metrics))
        patches.enter_context(
            patch.object(
                CloudWatchResponse, "describe_alarm_history", _describe_alarm_history, create=True
            )
        )
        for name in ("describe_alarms", "get_alarms_by_alarm_names"):
            method = evaluating(getattr(CloudWatchBackend, name))
            patches.enter_context(patch.object(CloudWatchBackend, name, method))
        yield


def _describe_alarm_history(self: CloudWatchResponse) -> ActionResult:
    """Answer with the changes of an alarm's state, newest first."""
    items = []
    for alarm in self.cloudwatch_backend.get_alarms_by_alarm_names([self._get_param("AlarmName")]):
        states = [(value, time) for *_, value, time in alarm.history]
        states.append((alarm.state_value, alarm.state_updated_timestamp))
        items += [
            {
                "AlarmName": alarm.name,
                "AlarmType": "MetricAlarm",
                "Timestamp": time,
                "HistoryItemType": "StateUpdate",
                "HistorySummary": f"Alarm updated from {before} to {after}",
            }
            for (before, _), (after, time) in pairwise(states)
        ]
    return ActionResult({"AlarmHistoryItems": items[::-1]})


def _datum(namespace: str, name: str, dimensions: dict[str, str], value: float) -> MetricDatum:
    # Queries are for whole seconds, without their end.
    now = datetime.now(UTC).replace(tzinfo=None, microsecond=0) - timedelta(seconds=1)
    named = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    return MetricDatum(namespace, name, value, named, now)


def _queues(backend: CloudWatchBackend) -> Iterator[MetricDatum]:
    name = "ApproximateNumberOfMessagesVisible"
    for queue in list(sqs_backends[backend.account_id][backend.region_name].queues.values()):
        waiting = len(queue.messages)
        yield _datum("AWS/SQS", name, {"QueueName": queue.name}, waiting)


def _state(alarm: Alarm) -> str:
    backend = cloudwatch_backends[DEFAULT_ACCOUNT_ID][alarm.region_name]
    watched = [(alarm.metric_name, alarm.dimensions)]
    period_s = int(alarm.period or 0)
    if alarm.metric_data_queries:
        if SUM not in [query.expression for query in alarm.metric_data_queries]:
            return "OK"
        stats = [query.metric_stat for query in alarm.metric_data_queries if query.metric_stat]
        watched = [(stat.metric.metric_name, stat.metric.dimensions) for stat in stats]
        period_s = max(int(stat.period) for stat in stats)
    since = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=period_s)
    values = [
        datum.value
        for datum in backend.get_all_metrics()
        if isinstance(datum, MetricDatum)
        and datum.timestamp >= since
        and any(datum.name == name and datum.dimensions == places for name, places in watched)
    ]
    found = max(values, default=0) if alarm.statistic == "Maximum" else sum(values)
    return "ALARM" if found > float(alarm.threshold) else "OK"
