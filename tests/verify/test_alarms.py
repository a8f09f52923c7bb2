"""The alarms, the metrics and the dashboard, as template.yaml declares them."""

import json
import re
from typing import Any

import pytest

from model.training import calibration
from ops.quality.estimates import RISK
from ops.stack.ledger import AGREED, CORRECTED, DECISIONS, NOT_DUE, OUTCOMES
from tests.support.project import ENDPOINT_TEMPLATE, ROOT, resources, template

ALARMS = resources("AWS::CloudWatch::Alarm")
METRICS = resources("AWS::Logs::MetricFilter")
METRIC, CONFIDENCE = METRICS["DecisionsMetric"], METRICS["ConfidenceMetric"]
VALUES = {"DecisionsMetric": OUTCOMES, "AuditsMetric": (AGREED, CORRECTED)}
[NUMBERS] = resources("AWS::Logs::Transformer").values()
ANNOUNCEMENT = json.loads((ROOT / "events" / "announcement.json").read_text())
[DASHBOARD] = resources("AWS::CloudWatch::Dashboard").values()
BODY = DASHBOARD["DashboardBody"]["Fn::Sub"]


@pytest.mark.parametrize("name", ALARMS)
def test_every_alarm_reaches_the_topic_when_it_goes_off_and_when_it_ends(name: str) -> None:
    assert ALARMS[name]["AlarmActions"] == ALARMS[name]["OKActions"] == [{"Ref": "AlarmTopic"}]


def test_every_alarm_is_named_in_the_outputs() -> None:
    _, names = template()["Outputs"]["Alarms"]["Value"]["Fn::Join"]
    assert sorted(name["Ref"] for name in names) == sorted(ALARMS)


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
        found += [metric for member in value for metric in metrics_of(member)]
    return found


def test_the_alarms_watch_the_variant_that_create_endpoint_makes() -> None:
    variants = {
        dimension["Value"]
        for metric in metrics_of(ALARMS)
        for dimension in metric["Dimensions"]
        if dimension["Name"] == "VariantName"
    }
    [config] = resources("AWS::SageMaker::EndpointConfig", ENDPOINT_TEMPLATE).values()
    [variant] = config["ProductionVariants"]
    assert variants == {variant["VariantName"]}
    assert f'"VariantName", "{variant["VariantName"]}"' in BODY


@pytest.mark.parametrize("name", VALUES)
def test_the_alarms_watch_the_metric_that_the_filter_makes(name: str) -> None:
    [made] = METRICS[name]["MetricTransformations"]
    [dimension] = made["Dimensions"]
    own = [metric for metric in metrics_of(ALARMS) if metric["MetricName"] == made["MetricName"]]
    assert own
    for metric in own:
        assert metric["Namespace"] == made["MetricNamespace"]
        [watched] = metric["Dimensions"]
        assert watched["Name"] == dimension["Key"]
        assert watched["Value"] in VALUES[name]


def at(path: str, value: Any = ANNOUNCEMENT) -> Any:
    """Return what a path such as detail.outcome names in an announcement."""
    for part in path.removeprefix("$.").split("."):
        value = value[part]
    return value


def test_the_filter_selects_what_an_announcement_has() -> None:
    [dimension] = METRIC["MetricTransformations"][0]["Dimensions"]
    assert METRIC["FilterPattern"] == f"{{ {dimension['Value']} = * }}"
    assert at(dimension["Value"]) in OUTCOMES


def test_audits_are_counted_by_what_they_found() -> None:
    metric = METRICS["AuditsMetric"]
    [dimension] = metric["MetricTransformations"][0]["Dimensions"]
    path = re.escape(dimension["Value"])
    assert tuple(re.findall(rf"{path} = (\w+)", metric["FilterPattern"])) == (AGREED, CORRECTED)
    assert at(dimension["Value"]) == NOT_DUE  # which is not counted


def test_the_alarm_of_audits_is_set_at_what_is_promised() -> None:
    alarm = ALARMS["AuditsAlarm"]
    [expression] = [
        metric["Expression"] for metric in alarm["Metrics"] if metric["ReturnData"] is True
    ]
    assert [float(share) for share in re.findall(r"\d*\.\d+", expression)] == [RISK, RISK]
    assert f"than {100 * RISK:g} % wrong" in alarm["AlarmDescription"]
    assert calibration.RISK == RISK


def test_the_texts_that_are_made_numbers_are_numbers() -> None:
    """A parser comes first; keys have at most three parts."""
    parser, converter = NUMBERS["TransformerConfig"]
    assert parser == {"ParseJSON": {}}
    entries = converter["TypeConverter"]["Entries"]
    assert {entry["Type"] for entry in entries} == {"double"}
    for entry in entries:
        assert entry["Key"].count(".") < 3
        assert isinstance(at(entry["Key"]), str)
        assert 0 <= float(at(entry["Key"])) <= 1


def test_the_confidence_is_published_of_what_the_model_decided() -> None:
    [made] = CONFIDENCE["MetricTransformations"]
    value = made["MetricValue"].removeprefix("$.")
    assert CONFIDENCE["ApplyOnTransformedLogs"] is True
    [entry] = NUMBERS["TransformerConfig"][1]["TypeConverter"]["Entries"]
    assert entry["Key"] == value  # nothing else is read as a number
    assert template()["Resources"]["ConfidenceMetric"]["DependsOn"] == "AuditLogNumbers"
    pattern = CONFIDENCE["FilterPattern"]
    assert re.findall(r"\$\.detail\.outcome = (\w+)", pattern) == list(DECISIONS)
    assert f"$.{value} >= 0" in pattern  # what is published has to be matched


def test_the_dashboard_draws_the_confidence_beside_the_threshold() -> None:
    [made] = CONFIDENCE["MetricTransformations"]
    assert made["MetricNamespace"] == {"Ref": "AWS::StackName"}
    assert f'["${{AWS::StackName}}", "{made["MetricName"]}", {{"stat": "p50"' in BODY
    assert '{"label": "threshold", "value": ${ConfidenceThreshold}}' in BODY


PIPE_ALARM = {metric["Id"]: metric for metric in ALARMS["AnnouncementPipeAlarm"]["Metrics"]}


@pytest.mark.parametrize(
    ("measured", "breaching"),
    [
        pytest.param({}, False, id="a-quiet-night"),
        pytest.param({"written": 5, "events": 5}, False, id="all-is-well"),
        pytest.param({"events": 5, "failed": 1}, True, id="it-tries-again"),
        pytest.param({"events": 5, "partially": 1}, True, id="a-part-is-refused"),
        pytest.param({"events": 5, "timedout": 1}, True, id="it-times-out"),
        pytest.param({"written": 5}, True, id="it-stands-still"),
    ],
)
def test_a_pipe_that_fails_or_stands_still_is_an_alarm(
    measured: dict[str, int], breaching: bool
) -> None:
    """The expression as CloudWatch reads it: FILL gives 0 for what was not measured."""
    ids = [name for name in PIPE_ALARM if name != "all"]
    expression = PIPE_ALARM["all"]["Expression"]
    names = {"FILL": lambda value, _: value, "IF": lambda test, yes, no: yes if test else no}
    values = dict.fromkeys(ids, 0) | measured
    found = eval(expression.replace(" AND ", " and "), names | values)
    assert (found > ALARMS["AnnouncementPipeAlarm"]["Threshold"]) == breaching
    assert all(f"FILL({name}, 0)" in expression for name in ids)


def test_the_pipe_s_alarm_watches_the_pipe_and_what_should_come_through_it() -> None:
    watched = {
        name: metric
        for name, declared in PIPE_ALARM.items()
        if name != "all"
        for metric in metrics_of(declared)
    }
    # Executions that find an upload decided succeed too, and have nothing to announce.
    ledger = watched.pop("written")
    assert (ledger["Namespace"], ledger["MetricName"]) == (
        "AWS/DynamoDB",
        "SuccessfulRequestLatency",
    )
    assert PIPE_ALARM["written"]["MetricStat"]["Stat"] == "SampleCount"
    assert ledger["Dimensions"] == [
        {"Name": "TableName", "Value": {"Ref": "DecisionsTable"}},
        {"Name": "Operation", "Value": "UpdateItem"},
    ]
    for metric in watched.values():
        assert metric["Namespace"] == "AWS/EventBridge/Pipes"
        assert metric["Dimensions"] == [{"Name": "PipeName", "Value": {"Ref": "AnnouncementPipe"}}]
        assert f'"{metric["MetricName"]}"' in BODY
    assert watched["events"]["MetricName"] == "EventCount"


def widgets(body: str = BODY) -> list[dict[str, Any]]:
    """Return the dashboard's widgets; a number in place of each reference."""
    found: list[dict[str, Any]] = json.loads(re.sub(r"\$\{[\w.:]+\}", "0", body))["widgets"]
    return found


@pytest.mark.parametrize("metric", ["Duration", "Errors", "Throttles"])
def test_the_dashboard_shows_every_function(metric: str) -> None:
    rows = [
        row
        for widget in widgets(re.sub(r"\$\{(\w+Function)\}", r"\1", BODY))
        for row in widget["properties"].get("metrics", [])
        if widget["properties"]["title"].startswith("Functions")
    ]
    full: list[Any] = []
    for row in rows:
        before = full[-1] if full else []
        names = [part for part in row if isinstance(part, str)]
        if names[0] == "...":
            names = [*before[: 4 - len(names[1:])], *names[1:]]
        full.append([before[i] if part == "." else part for i, part in enumerate(names)])
    shown = {name[3] for name in full if name[1] == metric}
    assert shown == {"SerializeFunction", "ClassifyFunction", "FilterFunction"}


@pytest.mark.parametrize(
    ("accepted", "none", "review", "alarm"),
    [
        pytest.param(0, 0, 0, 0, id="nothing"),
        pytest.param(40, 9, 0, 0, id="too few to say"),
        pytest.param(50, 30, 20, 0, id="ordinary"),
        pytest.param(50, 50, 0, 1, id="sure of all"),
        pytest.param(40, 0, 60, 1, id="unsure"),
        pytest.param(25, 25, 50, 0, id="at the limit"),
    ],
)
def test_the_share_of_reviews_has_a_band(accepted: int, none: int, review: int, alarm: int) -> None:
    parameters = {
        name: str(parameter.get("Default")) for name, parameter in template()["Parameters"].items()
    }
    [expression] = [
        metric["Expression"]["Fn::Sub"]
        for metric in ALARMS["ReviewShareAlarm"]["Metrics"]
        if "Fn::Sub" in metric.get("Expression", "")
    ]
    expression = re.sub(r"\$\{(\w+)\}", lambda name: parameters[name[1]], expression)
    expression = expression.replace("AND", "and").replace("OR", "or")
    arguments = {
        "accepted": accepted,
        "none": none,
        "review": review,
        "IF": lambda condition, yes, no: yes if condition else no,
    }
    assert eval(expression, {"__builtins__": {}}, arguments) == alarm


def test_the_dashboard_is_json_whose_widgets_do_not_overlap() -> None:
    taken: set[tuple[int, int]] = set()
    for widget in widgets():
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
        for widget in widgets()
        if widget["properties"]["title"] == "Decisions an hour"
    ]
    shown = [[part for part in row if isinstance(part, str)][-1] for row in decisions]
    people = {"reviewed", "confirmed"}  # the dashboard shows their audits apart
    assert set(shown) == set(OUTCOMES) - people


def test_the_dashboard_shows_what_audits_found() -> None:
    [audits] = [
        widget["properties"]["metrics"]
        for widget in widgets()
        if widget["properties"]["title"].startswith("Audits")
    ]
    shown = [[part for part in row if isinstance(part, str)][-1] for row in audits]
    assert shown == [AGREED, CORRECTED]
