"""What is measured: metrics of the decisions, the dimensions of alarms, the dashboard's queries."""

import json
import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run

METRIC_S = 900  # most take 1 to 3 minutes; those of a queue that was quiet up to 15
ALARMS_S = 360  # a new alarm is evaluated after its first period, 5 minutes
QUERY_S = 60
TRANSFORMER = "Confidence is a metric by a transformer of the audit log"
MEASURED = ("accepted", "review")  # the outcomes whose confidence is published
# A metric that each service publishes of what this run does: one that counts errors may have no
# data points at all, but its dimensions are those of its service.
PULSES = {
    "AWS/States": "ExecutionsStarted",
    "AWS/Lambda": "Invocations",
    "AWS/SQS": "ApproximateNumberOfMessagesVisible",
    "AWS/SageMaker": "Invocations",
    "AWS/EventBridge/Pipes": "EventCount",
}


@dataclass(frozen=True)
class Watched:
    """A metric that an alarm or a widget names."""

    by: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]


def statistic(run: Run, metric: Watched, stat: str) -> list[float]:
    """Return a metric's values since this run's first item, one a minute in which there are any."""
    # By AWS's clock, and no earlier: what others have uploaded before would be counted as well.
    first = min((item["recorded_at"]["S"] for item in run.items.values()), default="")
    begin = datetime.fromisoformat(first) if first else run.since
    dimensions = [{"Name": name, "Value": value} for name, value in metric.dimensions]
    named = {"Namespace": metric.namespace, "MetricName": metric.name, "Dimensions": dimensions}
    answer = run.stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=[
            {"Id": "wanted", "MetricStat": {"Metric": named, "Period": 60, "Stat": stat}}
        ],
        StartTime=begin.replace(second=0, microsecond=0),
        EndTime=datetime.now(UTC) + timedelta(minutes=2),
    )
    [found] = answer["MetricDataResults"]
    return [float(value) for value in found["Values"]]


def _own(run: Run, name: str, **dimensions: str) -> Watched:
    return Watched("", run.stack.name, name, tuple(dimensions.items()))


def outcomes(run: Run) -> Row:
    """Wait until the metric of decisions has counted those of this run, by outcome."""
    expected = Counter(item["outcome"]["S"] for item in run.items.values())
    if not expected:
        raise NotChecked("nothing was decided")

    def short() -> dict[str, float]:
        found = {
            outcome: sum(statistic(run, _own(run, "Decisions", Outcome=outcome), "Sum"))
            for outcome in expected
        }
        return {name: found[name] for name, count in expected.items() if found[name] < count}

    run.until(lambda: not short(), "metrics of decisions", METRIC_S)
    missing = short()
    wanted = ", ".join(f"{count} {name}" for name, count in sorted(expected.items()))
    return Row(
        "metric Decisions",
        "; ".join(f"{name}: {count:g} of {expected[name]}" for name, count in missing.items())
        or f"at least {wanted}",
        f"{expected.total()} of this run",
        DIFFERS if missing else GOOD,
        where=f"namespace {run.stack.name} in the CloudWatch console, dimension Outcome",
        change="DecisionsMetric in template.yaml" if missing else "",
    )


def confidence(run: Run) -> Row:
    """Wait until the metric of confidence has as many samples as the model decided."""
    count = sum(item["outcome"]["S"] in MEASURED for item in run.items.values())
    if not count:
        raise NotChecked("the model decided nothing")
    metric = _own(run, "Confidence")

    def samples() -> float:
        return sum(statistic(run, metric, "SampleCount"))

    run.until(lambda: samples() >= count, "the metric of confidence", METRIC_S)
    found = samples()
    values = [*statistic(run, metric, "Minimum"), *statistic(run, metric, "Maximum")]
    good = found >= count and all(0 <= value <= 1 for value in values)
    return Row(
        "metric Confidence",
        f"{found:g} values" + (f", {min(values):.2f} to {max(values):.2f}" if values else ""),
        f"{count}, from 0 to 1",
        GOOD if good else DIFFERS,
        where=f"`@transformationError` of log group {run.stack.outputs['AuditLogGroup']}",
        decision=TRANSFORMER,
        change="" if good else "AuditLogNumbers and ConfidenceMetric in template.yaml",
    )


def _alarms(run: Run) -> list[dict[str, Any]]:
    names = run.resources.get("AWS::CloudWatch::Alarm", [])
    if not names:
        raise NotChecked("the stack has no alarms")
    answer = run.stack.client("cloudwatch").describe_alarms(
        AlarmNames=names, AlarmTypes=["MetricAlarm"], MaxRecords=100
    )
    found: list[dict[str, Any]] = answer["MetricAlarms"]
    return found


def alarms(run: Run) -> Row:
    """Wait until every alarm is OK: a new one has insufficient data at first."""
    run.until(lambda: {alarm["StateValue"] for alarm in _alarms(run)} == {"OK"}, "alarms", ALARMS_S)
    found = _alarms(run)
    names = run.resources["AWS::CloudWatch::Alarm"]
    bad = [
        f"{_short(run, alarm['AlarmName'])} is {alarm['StateValue']}"
        for alarm in found
        if alarm["StateValue"] != "OK"
    ]
    known = {alarm["AlarmName"] for alarm in found}
    bad += [f"{_short(run, name)} is gone" for name in names if name not in known]
    silent = [alarm for alarm in found if not alarm.get("AlarmActions")]
    bad += [f"{_short(run, alarm['AlarmName'])} tells nobody" for alarm in silent]
    return Row(
        "alarms",
        "; ".join(bad) or f"{len(found)} in OK",
        f"{len(names)} in OK",
        DIFFERS if bad else GOOD,
        where="the alarm's history in the CloudWatch console",
    )


def alarm_of(run: Run, logical: str) -> str:
    """Return the state of an alarm, by its name in the template."""
    states = {_short(run, alarm["AlarmName"]): str(alarm["StateValue"]) for alarm in _alarms(run)}
    return states.get(logical, "absent")


def _short(run: Run, name: str) -> str:
    """Return an alarm's name in the template: CloudFormation puts it between stack and digest."""
    return name.removeprefix(f"{run.stack.name}-").rpartition("-")[0] or name


def dimensions(run: Run) -> Row:
    """Ask for data points under the dimensions of every alarm and widget.

    An alarm on a metric that does not exist is OK for ever, where missing data is no breach.
    """
    if not run.items:
        raise NotChecked("nothing was decided, so nothing was measured")
    watched = [*_of_alarms(run), *_of_dashboard(run)]
    pulses: dict[Watched, set[str]] = {}
    for metric in watched:
        pulse = PULSES.get(metric.namespace)
        if pulse:
            named = Watched("", metric.namespace, pulse, tuple(sorted(metric.dimensions)))
            pulses.setdefault(named, set()).add(metric.by)
    beating: set[Watched] = set()

    def all_beat() -> bool:
        for pulse in pulses.keys() - beating:
            if statistic(run, pulse, "SampleCount"):
                beating.add(pulse)
        return beating == pulses.keys()

    run.until(all_beat, "metrics of the services", METRIC_S)
    silent = [
        f"{pulse.namespace} has nothing for {_shown(pulse)} ({', '.join(sorted(by))})"
        for pulse, by in pulses.items()
        if pulse not in beating
    ]
    own = {metric for metric in watched if metric.namespace == run.stack.name}
    shapes = {("Decisions", ("Outcome",)), ("Confidence", ())}
    silent += [
        f"{metric.by} watches {metric.name} by {_shown(metric) or 'nothing'}"
        for metric in own
        if (metric.name, tuple(name for name, _ in metric.dimensions)) not in shapes
    ]
    return Row(
        "dimensions watched",
        "; ".join(silent) or f"{len(pulses)} with data points",
        "all have data",
        DIFFERS if silent else GOOD,
        where="aws cloudwatch list-metrics --namespace NAMESPACE",
        decision="A pipe that stands still is an alarm",
        change="the dimensions of that alarm or widget in template.yaml" if silent else "",
    )


def _shown(metric: Watched) -> str:
    return ", ".join(f"{name}={value}" for name, value in metric.dimensions)


def _of_alarms(run: Run) -> Iterator[Watched]:
    for alarm in _alarms(run):
        by = _short(run, alarm["AlarmName"])
        stats = [query["MetricStat"] for query in alarm.get("Metrics", []) if "MetricStat" in query]
        named = [stat["Metric"] for stat in stats]
        for metric in named or [alarm]:
            places = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
            yield Watched(by, metric["Namespace"], metric["MetricName"], places)


def _widgets(run: Run) -> list[dict[str, Any]]:
    name = next(iter(run.resources.get("AWS::CloudWatch::Dashboard", [])), "")
    if not name:
        raise NotChecked("the stack has no dashboard")
    answer = run.stack.client("cloudwatch").get_dashboard(DashboardName=name)
    found: list[dict[str, Any]] = json.loads(answer["DashboardBody"])["widgets"]
    return found


def _of_dashboard(run: Run) -> Iterator[Watched]:
    for widget in _widgets(run):
        if widget["type"] == "metric":
            for row in metric_rows(widget["properties"]["metrics"]):
                namespace, name, *rest = row
                places = tuple(zip(rest[::2], rest[1::2], strict=True))
                yield Watched(f"widget {widget['properties']['title']}", namespace, name, places)


def metric_rows(metrics: list[list[Any]]) -> Iterator[list[str]]:
    """Yield the metrics of a widget in full; expressions are left out.

    "." repeats the entry above, "..." all but the last ones: the dashboard's own short form.
    """
    above: list[str] = []
    for given in metrics:
        row = [part for part in given if isinstance(part, str)]
        if not row:
            continue
        if row[0] == "...":
            row = above[: len(above) - len(row) + 1] + row[1:]
        above = [above[place] if part == "." else part for place, part in enumerate(row)]
        yield above


def dashboard(run: Run) -> Row:
    """Answer every query of the dashboard: its log queries, its metrics and their expressions."""
    problems, answered = [], 0
    for widget in _widgets(run):
        properties = widget["properties"]
        if widget["type"] == "log":
            problem = _log_query(run, properties["query"])
        elif widget["type"] == "metric":
            problem = _metric_query(run, properties)
        else:
            continue
        answered += 1
        if problem:
            problems.append(f"{properties['title']}: {problem}")
    return Row(
        "dashboard",
        "; ".join(problems) or f"{answered} widgets answer",
        "every widget",
        DIFFERS if problems else GOOD,
        where=f"dashboard {run.stack.name} in the CloudWatch console",
        change="Dashboard in template.yaml" if problems else "",
    )


def _log_query(run: Run, query: str) -> str:
    """Return what is wrong with the answer to a query of Logs Insights."""
    source = re.match(r"SOURCE '([^']+)' \| ", query)
    if source is None:
        return f"names no log group: {query}"
    logs = run.stack.client("logs")
    query_id = logs.start_query(
        logGroupName=source[1],
        startTime=int(run.since.timestamp()),
        endTime=int(time.time()) + 60,
        queryString=query[source.end() :],
    )["queryId"]

    def answer() -> Mapping[str, Any] | None:
        found: Mapping[str, Any] = logs.get_query_results(queryId=query_id)
        return found if found["status"] not in ("Scheduled", "Running") else None

    found = run.until(answer, "Logs Insights", QUERY_S)
    if found is None or found["status"] != "Complete":
        return f"ended as {found['status'] if found else 'Running'}"
    return "" if found["results"] or not run.logged else "no rows, though the log has some"


def _metric_query(run: Run, properties: dict[str, Any]) -> str:
    """Return what CloudWatch says against the metrics and expressions of a widget."""
    queries: list[dict[str, Any]] = []
    given = properties["metrics"]
    full = metric_rows(given)
    for number, row in enumerate(given):
        options = next((part for part in row if isinstance(part, dict)), {})
        query: dict[str, Any] = {"Id": options.get("id", f"metric{number}")}
        if "expression" in options:
            query["Expression"] = options["expression"]
            query["Period"] = properties.get("period", 300)
        else:
            namespace, name, *rest = next(full)
            pairs = zip(rest[::2], rest[1::2], strict=True)
            places = [{"Name": key, "Value": value} for key, value in pairs]
            query["MetricStat"] = {
                "Metric": {"Namespace": namespace, "MetricName": name, "Dimensions": places},
                "Period": properties.get("period", 300),
                "Stat": options.get("stat") or properties.get("stat", "Average"),
            }
        queries.append(query)
    answer = run.stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=queries,
        StartTime=run.since - timedelta(hours=1),
        EndTime=datetime.now(UTC) + timedelta(minutes=2),
    )
    messages = [message["Value"] for message in answer.get("Messages", [])]
    messages += [
        message["Value"]
        for found in answer["MetricDataResults"]
        for message in found.get("Messages", [])
    ]
    bad = [
        f"{found['Label']} is {found['StatusCode']}"
        for found in answer["MetricDataResults"]
        if found["StatusCode"] not in ("Complete", "PartialData")
    ]
    return "; ".join(dict.fromkeys([*messages, *bad]))
