"""Durations, points in time and numbers on the command line: bounds, and what is beyond."""

import argparse
from datetime import UTC, datetime, timedelta

import pytest

from cli.arguments import Parser, duration, point_in_time, positive
from ops.commands.review import add_arguments


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("30m", timedelta(minutes=30)),
        ("400d", timedelta(days=400)),
        ("36500d", timedelta(days=36_500)),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text: str, length: timedelta) -> None:
    assert duration(text) == length


@pytest.mark.parametrize("text", ["36501d", "999999w", "-1d", "1", "1y", "1.5h", "", "٣d"])
def test_a_duration_that_is_none_or_too_long_is_named(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no duration|too long"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-24", datetime(2026, 11, 24, tzinfo=UTC)),
        ("2026-11-24T18:00", datetime(2026, 11, 24, 18, tzinfo=UTC)),
        ("2026-11-24T18:00+02:00", datetime(2026, 11, 24, 16, tzinfo=UTC)),
    ],
)
def test_a_point_in_time_is_a_date_or_a_time(text: str, moment: datetime) -> None:
    assert point_in_time(text) == moment


def test_a_point_in_time_may_be_a_duration() -> None:
    assert datetime.now(UTC) - point_in_time("2h") == pytest.approx(
        timedelta(hours=2), abs=timedelta(0, 60)
    )


@pytest.mark.parametrize(
    "text", ["999999w", "yesterday", "2026-13-01", "9999-12-31T23:59-12:00", "0001-01-01T00:00+12"]
)
def test_a_point_in_time_that_is_none_is_named(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="no point in time|too long"):
        point_in_time(text)


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "x", "", "9" * 5000])
def test_a_number_out_of_bounds_is_refused_with_them(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="a whole number from 1 to"):
        positive(text)


def test_a_port_that_there_is_not_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    with pytest.raises(SystemExit) as ended:
        parser.parse_args(["--port", "70000"])
    assert ended.value.code == 2
    assert "from 0 to 65,535" in capsys.readouterr().err


def test_prose_is_filled_to_the_terminal_and_examples_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    example = "    python -m ops monitor --captures s3://BUCKET/captures/NAME/ --since 24h"
    shown = Parser("python -m it", f"{'word ' * 20}\n\n{example}\n\nThe end.").format_help()
    assert example in shown.splitlines()
    assert [line for line in shown.splitlines() if len(line) > 40] == [example]
