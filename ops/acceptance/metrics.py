"""The metrics of the decisions: data points arrive, for every outcome and of the confidence."""

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.acceptance.announcements import NOT_LOGGED, TRANSFORMER
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run
from ops.stack.ledger import DECISIONS

METRIC_S = 900  # most take 1 to 3 minutes; those of a queue that was quiet up to 15


@dataclass(frozen=True)
class Watched:
    """A metric that an alarm or a widget names. by: the name of either."""

    by: str
    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    def query(self, id_: str, period_s: int, stat: str) -> dict[str, Any]:
        """Return an element of GetMetricData's MetricDataQueries."""
        dimensions = [{"Name": name, "Value": value} for name, value in self.dimensions]
        metric = {"Namespace": self.namespace, "MetricName": self.name, "Dimensions": dimensions}
        return {"Id": id_, "MetricStat": {"Metric": metric, "Period": period_s, "Stat": stat}}


def statistic(run: Run, metric: Watched, stat: str) -> list[float]:
    """Return a metric's values since this run's first item, one a minute in which there are any."""
    # By AWS's clock, and no earlier: what others have uploaded before would be counted as well.
    first = min((item["recorded_at"]["S"] for item in run.items.values()), default="")
    begin = datetime.fromisoformat(first) if first else run.since
    answer = run.stack.client("cloudwatch").get_metric_data(
        MetricDataQueries=[metric.query("wanted", 60, stat)],
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
    if not run.logged:
        raise NotChecked(NOT_LOGGED)

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
    count = sum(item["outcome"]["S"] in DECISIONS for item in run.items.values())
    if not count:
        raise NotChecked("the model decided nothing")
    if not run.logged:
        raise NotChecked(NOT_LOGGED)
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
