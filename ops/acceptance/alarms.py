"""The alarms: their states, and whether what they and the dashboard watch is ever measured."""

from collections.abc import Iterator
from typing import Any

from ops.acceptance.dashboard import watched as of_dashboard
from ops.acceptance.metrics import METRIC_S, Watched, statistic
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run

ALARMS_S = 360  # a new alarm is evaluated after its first period, 5 minutes
PIPES = "AWS/EventBridge/Pipes"
# A metric that each service publishes of what this run does: one that counts errors may have no
# data points at all, but its dimensions are those of its service.
PULSES = {
    "AWS/States": "ExecutionsStarted",
    "AWS/Lambda": "Invocations",
    "AWS/SQS": "ApproximateNumberOfMessagesVisible",
    "AWS/SageMaker": "Invocations",
    PIPES: "EventCount",
}


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
    watched = [*_of_alarms(run), *of_dashboard(run)]
    pulses: dict[Watched, set[str]] = {}
    for metric in watched:
        pulse = PULSES.get(metric.namespace)
        if pulse:
            named = Watched("", metric.namespace, pulse, tuple(sorted(metric.dimensions)))
            pulses.setdefault(named, set()).add(metric.by)
    if not run.heard:
        # Their own row tells that there are no announcements; the pipe's metric is not to blame.
        pulses = {metric: by for metric, by in pulses.items() if metric.namespace != PIPES}
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
            places = tuple((one["Name"], one["Value"]) for one in metric.get("Dimensions", []))
            yield Watched(by, metric["Namespace"], metric["MetricName"], places)
