"""Metric filters, transformers and Insights of the embedded CloudWatch Logs."""

import json
from typing import Any

import pytest

from local.moto_patches.logs import counted, matches, transformed
from tests.support.project import resources

EVENT = {"detail": {"outcome": "review", "confidence": 0.25, "threshold": "0.984", "label": ""}}
FILTERS = resources("AWS::Logs::MetricFilter")


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        pytest.param("{ $.detail.outcome = * }", True, id="there"),
        pytest.param("{ $.detail.reason = * }", False, id="absent"),
        pytest.param("{ $.detail.outcome = review }", True, id="equal"),
        pytest.param("{ $.detail.outcome != review }", False, id="unequal"),
        pytest.param("{ $.detail.confidence >= 0 }", True, id="a-number"),
        pytest.param("{ $.detail.confidence > 0.25 }", False, id="a-bound"),
        pytest.param("{ $.detail.threshold >= 0 }", False, id="a-text-of-digits"),
        pytest.param("{ $.detail.a = 1 || $.detail.outcome = review }", True, id="or"),
        pytest.param("{ $.detail.a = 1 && $.detail.outcome = review }", False, id="and"),
        pytest.param(
            "{ ($.detail.a = 1 || $.detail.outcome = review) && $.detail.confidence < 1 }",
            True,
            id="brackets",
        ),
        pytest.param(
            "{ $.detail.outcome = review || $.detail.a = 1 && $.detail.b = 1 }",
            True,
            id="and-binds-closer",
        ),
    ],
)
def test_a_pattern_matches_as_cloudwatch_reads_it(pattern: str, found: bool) -> None:
    assert matches(pattern, EVENT) is found


@pytest.mark.parametrize("outcome", ["accepted", "review", "rejected"])
def test_the_stack_s_patterns_are_read(outcome: str) -> None:
    event = {"detail": {"outcome": outcome, "confidence": 0.5}}
    assert matches(FILTERS["DecisionsMetric"]["FilterPattern"], event)
    decided = outcome != "rejected"
    assert matches(FILTERS["ConfidenceMetric"]["FilterPattern"], event) is decided


def test_a_transformer_makes_numbers_of_texts_and_leaves_the_rest() -> None:
    entries = [{"key": "detail.threshold", "type": "double"}, {"key": "a.b", "type": "integer"}]
    config: list[Any] = [{"parseJSON": {}}, {"typeConverter": {"entries": entries}}]
    found = json.loads(transformed(config, json.dumps(EVENT)))
    assert found == {"detail": {**EVENT["detail"], "threshold": 0.984}}


@pytest.mark.parametrize("message", ["no JSON", '{"detail": {"threshold": "much"}}'])
def test_what_a_transformer_cannot_read_is_an_error(message: str) -> None:
    config: list[Any] = [
        {"typeConverter": {"entries": [{"key": "detail.threshold", "type": "double"}]}}
    ]
    with pytest.raises(ValueError):
        transformed(config, message)


def test_a_query_counts_what_is_there_the_most_frequent_first() -> None:
    other = {"detail": {"outcome": "accepted", "label": "bicycle"}}
    messages = [json.dumps(event) for event in (EVENT, other, other, {"x": 1})]
    query = (
        "filter ispresent(detail.outcome) | stats count(*) as uploads by detail.outcome as outcome,"
        " detail.label as label | sort uploads desc"
    )
    assert counted(query, messages) == [
        {"outcome": "accepted", "label": "bicycle", "uploads": "2"},
        {"outcome": "review", "label": "", "uploads": "1"},
    ]


def test_a_query_that_is_not_understood_is_refused() -> None:
    with pytest.raises(NotImplementedError, match="stats avg"):
        counted("fields a | stats avg(b) by c", [])
