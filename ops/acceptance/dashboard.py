"""The dashboard: every query of its widgets is answered."""

import json
import re
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from ops.acceptance.metrics import Watched
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run

QUERY_S = 60


def _widgets(run: Run) -> list[dict[str, Any]]:
    name = next(iter(run.stack.resources.get("AWS::CloudWatch::Dashboard", [])), "")
    if not name:
        raise NotChecked("the stack has no dashboard")
    answer = run.stack.client("cloudwatch").get_dashboard(DashboardName=name)
    found: list[dict[str, Any]] = json.loads(answer["DashboardBody"])["widgets"]
    return found


def watched(run: Run) -> Iterator[Watched]:
    """Yield the metrics that the widgets name."""
    for widget in _widgets(run):
        if widget["type"] == "metric":
            yield from _metrics(widget["properties"])


def _metrics(properties: dict[str, Any]) -> Iterator[Watched]:
    """Yield the metrics of one widget, in their order."""
    for namespace, name, *rest in metric_rows(properties["metrics"]):
        dimensions = tuple(zip(rest[::2], rest[1::2], strict=True))
        yield Watched(f"widget {properties['title']}", namespace, name, dimensions)


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
    metrics, period_s = _metrics(properties), properties.get("period", 300)
    for number, row in enumerate(properties["metrics"]):
        options = next((part for part in row if isinstance(part, dict)), {})
        id_ = options.get("id", f"metric{number}")
        if "expression" in options:
            queries.append({"Id": id_, "Expression": options["expression"], "Period": period_s})
        else:
            stat = options.get("stat") or properties.get("stat", "Average")
            queries.append(next(metrics).query(id_, period_s, stat))
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
