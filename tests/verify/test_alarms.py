"""The alarms, the metric and the dashboard: moto keeps them as declared and measures nothing."""

import json
import re
from typing import Any

import pytest

from model.endpoint import VARIANT
from tests.support.project import ROOT, resources, template

ALARMS = resources("AWS::CloudWatch::Alarm")
[METRIC] = resources("AWS::Logs::MetricFilter").values()
[DASHBOARD] = resources("AWS::CloudWatch::Dashboard").values()
BODY = DASHBOARD["DashboardBody"]["Fn::Sub"]
OUTCOMES = {"accepted", "review", "rejected", "superseded", "failed"}


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_reaches_the_topic_when_it_goes_off_and_when_it_ends(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_is_on_the_dashboard(name: str) -> None:
    assert f"${{{name}.Arn}}" in BODY


def test_cloudwatch_may_publish_to_the_topic() -> None:
    [policy] = resources("AWS::SNS::TopicPolicy").values()
    [statement] = policy["PolicyDocument"]["Statement"]
    assert policy["Topics"] == [{"Ref": "AlarmTopic"}]
    assert statement["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    # CloudWatch's messages are dropped by a topic with SNS's managed key, whose policy omits it.
    assert "KmsMasterKeyId" not in resources("AWS::SNS::Topic")["AlarmTopic"]


def metrics_of(value: Any) -> list[dict[str, Any]]:
    """Return everything within an alarm that names a metric and its dimensions."""
    found = []
    if isinstance(value, dict):
        if "MetricName" in value:
            found.append(value)
        value = list(value.values())
    if isinstance(value, list):
        found += [metric for each in value for metric in metrics_of(each)]
    return found


def test_the_alarms_watch_the_variant_that_create_endpoint_makes() -> None:
    variants = {
        dimension["Value"]
        for metric in metrics_of(ALARMS)
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "VariantName"
    }
    assert variants == {VARIANT}
    assert f'"VariantName", "{VARIANT}"' in BODY


def test_the_alarms_watch_the_metric_that_the_filter_makes() -> None:
    [made] = METRIC["MetricTransformations"]
    [dimension] = made["Dimensions"]
    own = [metric for metric in metrics_of(ALARMS) if metric["MetricName"] == made["MetricName"]]
    assert own
    for metric in own:
        assert metric["Namespace"] == made["MetricNamespace"]
        [watched] = metric["Dimensions"]
        assert watched["Name"] == dimension["Key"]
        assert watched["Value"] in OUTCOMES


def test_the_filter_selects_what_an_announcement_has() -> None:
    value = json.loads((ROOT / "events" / "announcement.json").read_text())
    [dimension] = METRIC["MetricTransformations"][0]["Dimensions"]
    assert METRIC["FilterPattern"] == f"{{ {dimension['Value']} = * }}"
    for part in dimension["Value"].removeprefix("$.").split("."):
        value = value[part]
    assert value in OUTCOMES


@pytest.mark.parametrize(
    ("accepted", "review", "alarm"),
    [(0, 0, 0), (49, 0, 0), (80, 20, 0), (100, 0, 1), (40, 60, 1), (50, 50, 0)],
    ids=["nothing", "too few to say", "ordinary", "sure of all", "unsure", "at the limit"],
)
def test_the_share_of_reviews_has_a_band(accepted: int, review: int, alarm: int) -> None:
    parameters = {name: str(each.get("Default")) for name, each in template()["Parameters"].items()}
    [expression] = [
        each["Expression"]["Fn::Sub"]
        for each in ALARMS["ReviewShareAlarm"]["Metrics"]
        if "Fn::Sub" in each.get("Expression", "")
    ]
    expression = re.sub(r"\$\{(\w+)\}", lambda name: parameters[name[1]], expression)
    expression = expression.replace("AND", "and").replace("OR", "or")
    arguments = {
        "accepted": accepted,
        "review": review,
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    assert eval(expression, {"__builtins__": {}}, arguments) == alarm


def test_the_dashboard_is_json_whose_widgets_do_not_overlap() -> None:
    body = json.loads(re.sub(r"\$\{[\w.:]+\}", "0", BODY))
    taken: set[tuple[int, int]] = set()
    for widget in body["widgets"]:
        cells = {
            (x, y)
            for x in range(widget["x"], widget["x"] + widget["width"])
            for y in range(widget["y"], widget["y"] + widget["height"])
        }
        assert not cells & taken, widget["properties"]["title"]
        assert all(x < 24 for x, _ in cells)  # CloudWatch's grid
        taken |= cells


def test_the_dashboard_shows_every_outcome() -> None:
    [decisions] = [
        widget["properties"]["metrics"]
        for widget in json.loads(re.sub(r"\$\{[\w.:]+\}", "0", BODY))["widgets"]
        if widget["properties"]["title"] == "Decisions an hour"
    ]
    shown = [[part for part in row if isinstance(part, str)][-1] for row in decisions]
    assert set(shown) == OUTCOMES
