"""The table of an acceptance run, its exit code, and what it says of a row that differs."""

from typing import Any

import pytest

from cli.terminal import columns_of
from ops.acceptance.dashboard import metric_rows
from ops.acceptance.rows import ABSENT, DIFFERS, UNCHECKED, Row, as_text, exit_code

GOOD_ROW = Row("executions", "7", "one an upload", decision="Two Record states")
BAD_ROW = Row(
    "announcements of the pipe",
    "6 of 7; missing: uploads/acceptance-20261126/\"quoted\" 'name'.heic",
    "one an item each time",
    DIFFERS,
    where="the pipe",
    decision="Placeholders of the pipe stand unquoted",
    change="InputTemplate in template.yaml",
)


def test_the_table_fits_80_columns_and_what_differs_is_whole_below_it() -> None:
    table, told, settled, counts = as_text([GOOD_ROW, BAD_ROW]).split("\n\n")
    assert max(map(columns_of, table.splitlines())) <= 80
    for text in (BAD_ROW.seen, BAD_ROW.where, BAD_ROW.change, BAD_ROW.decision):
        assert text in told
    assert GOOD_ROW.decision in settled
    assert BAD_ROW.decision not in settled
    assert counts == "1 good, 1 DIFFERS"


@pytest.mark.parametrize(
    ("results", "code"),
    [
        pytest.param(["good"], 0, id="all-good"),
        pytest.param(["good", ABSENT], 0, id="one-that-does-not-apply"),
        pytest.param(["good", UNCHECKED], 2, id="one-unchecked"),
        pytest.param([UNCHECKED, DIFFERS], 1, id="one-differs"),
        pytest.param([], 2, id="none"),
    ],
)
def test_the_exit_code_is_that_of_the_worst_row(results: list[str], code: int) -> None:
    assert exit_code([Row("what", "seen", "expected", result) for result in results]) == code


def test_the_short_forms_of_a_dashboard_are_read_in_full() -> None:
    given: list[list[Any]] = [
        ["AWS/Lambda", "Errors", "FunctionName", "a", {"label": "errors"}],
        ["...", "b"],
        [{"expression": "a + b"}],
        [".", "Throttles", ".", "a"],
        ["...", {"stat": "p10"}],
    ]
    assert list(metric_rows(given)) == [
        ["AWS/Lambda", "Errors", "FunctionName", "a"],
        ["AWS/Lambda", "Errors", "FunctionName", "b"],
        ["AWS/Lambda", "Throttles", "FunctionName", "a"],
        ["AWS/Lambda", "Throttles", "FunctionName", "a"],
    ]
