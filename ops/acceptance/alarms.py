"""The alarms: their states, and whether what they and the dashboard watch is ever measured."""

from collections.abc import Iterator
from typing import Any

from ops.acceptance.dashboard import watched as of_dashboard
from ops.acceptance.metrics import METRIC_S, Watched, statistic
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run

ALARMS_S = 360  # a new alarm is evaluated after its first period, 5 minutes
PIPES = "AWS/EventBridge/Pipes"
# By namespace: a metric that every upload of this run moves. Most alarms are on errors, which may
# have no data points at all, but under the same dimensions as this metric.
ACTIVITY = {
    "AWS/States": "ExecutionsStarted",
    "AWS/Lambda": "Invocations",
    "AWS/SQS": "ApproximateNumberOfMessagesVisible",
    "AWS/SageMaker": "Invocations",
    PIPES: "EventCount",
}


def _alarms(run: Run) -> list[dict[str, Any]]:
    names = run.stack.resources.get("AWS::CloudWatch::Alarm", [])
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
    names = run.stack.resources["AWS::CloudWatch::Alarm"]
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
    watched = [*_of_alarms(run), *of_dashboard(run)]
    activity: dict[Watched, set[str]] = {}
    for metric in watched:
        name = ACTIVITY.get(metric.namespace)
        if name:
            sibling = Watched("", metric.namespace, name, tuple(sorted(metric.dimensions)))
            activity.setdefault(sibling, set()).add(metric.by)
    if not run.heard:
        # Their own row tells that there are no announcements; the pipe's metric is not to blame.
        activity = {metric: by for metric, by in activity.items() if metric.namespace != PIPES}
    measured: set[Watched] = set()

    def all_measured() -> bool:
        for metric in activity.keys() - measured:
            if statistic(run, metric, "SampleCount"):
                measured.add(metric)
        return measured == activity.keys()

    run.until(all_measured, "metrics of the services", METRIC_S)
    silent = [
        f"{metric.namespace} has nothing for {_shown(metric)} ({', '.join(sorted(by))})"
        for metric, by in activity.items()
        if metric not in measured
    ]
    own = {metric for metric in watched if metric.namespace == run.stack.name}
    shapes = {("Decisions", ("Outcome",)), ("Audits", ("Audit",)), ("Confidence", ())}
    silent += [
        f"{metric.by} watches {metric.name} by {_shown(metric) or 'nothing'}"
        for metric in own
        if (metric.name, tuple(name for name, _ in metric.dimensions)) not in shapes
    ]
    return Row(
        "dimensions watched",
        "; ".join(silent) or f"{len(activity)} with data points",
        "all have data",
        DIFFERS if silent else GOOD,
        where="aws cloudwatch list-metrics --namespace NAMESPACE",
        decision="A pipe that stands still is an alarm" if run.heard else "",
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
            dimensions = tuple(
                (entry["Name"], entry["Value"]) for entry in metric.get("Dimensions", [])
            )
            yield Watched(by, metric["Namespace"], metric["MetricName"], dimensions)
