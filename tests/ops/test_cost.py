"""What a million photos cost."""

import json
from typing import Any

import pytest

from ops import cost, prices
from ops.__main__ import main
from tests.support.project import resources

STEPS = {
    "serialize": "SerializeFunction",
    "classify": "ClassifyFunction",
    "filter": "FilterFunction",
}


def test_the_usual_way_costs_what_its_transitions_do() -> None:
    assert sum(cost.usual_bill().values()) * 1e6 == pytest.approx(75.65, abs=0.005)


def test_the_functions_memory_is_the_template_s() -> None:
    functions = resources("AWS::Serverless::Function")
    assert {step: functions[name]["MemorySize"] for step, name in STEPS.items()} == cost.MEMORY_MB


def test_an_express_execution_is_billed_by_request_and_duration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = cost.measured() | {
        "milliseconds": {"serialize": 1024 / 1.769, "classify": 0, "filter": 0}
    }
    monkeypatch.setattr(cost, "measured", lambda: told)
    express = cost.bill("EXPRESS", "x86_64")
    # One second in the function, as it has 1,024 of 1,769 MB: 64 MB of state for one second.
    assert express["steps"] * 1e6 == pytest.approx(1 + 0.0625 * 16.67)
    assert express["functions, duration"] * 1e6 == pytest.approx(16.6667)


def test_the_architecture_changes_the_functions_duration_alone() -> None:
    x86, arm = cost.bill("STANDARD", "x86_64"), cost.bill("STANDARD", "arm64")
    assert {part for part in x86 if x86[part] != arm[part]} == {"functions, duration"}


def test_the_billed_steps_are_those_of_the_happy_path() -> None:
    assert cost.bill("STANDARD", "x86_64")["steps"] == 4 * prices.STANDARD_TRANSITION


def test_an_hour_of_the_endpoint_is_spread_over_the_photos_of_a_month() -> None:
    (many, serverless), (few, as_before) = (
        cost.endpoint_bill(images).values() for images in (1_000_000, 10_000)
    )
    assert few == pytest.approx(100 * many)
    assert serverless == as_before


def test_the_table_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert main(["cost"]) == 0
    [line] = [
        each for each in capsys.readouterr().out.splitlines() if each.startswith("without endpoint")
    ]
    sums = [f"{sum(bill.values()):.2f}" for bill in told["bills"].values()]
    assert line.split()[2:] == sums


def test_no_photos_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "--images", "0"])
    assert "write a whole number from 1" in capsys.readouterr().err
