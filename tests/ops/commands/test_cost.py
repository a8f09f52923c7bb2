"""What a million photos cost."""

import json
import re
from typing import Any

import pytest

from benchmarks.costs import watched
from ops import bills, prices
from ops.__main__ import main
from ops.commands import cost
from tests.support.project import resources, state_machine

STEPS = {
    "serialize": "SerializeFunction",
    "classify": "ClassifyFunction",
    "filter": "FilterFunction",
}


def test_the_usual_way_costs_what_its_transitions_do() -> None:
    assert sum(bills.usual_bill().values()) * 1e6 == pytest.approx(75.65, abs=0.005)


def test_the_functions_memory_is_the_template_s() -> None:
    functions = resources("AWS::Serverless::Function")
    assert {step: functions[name]["MemorySize"] for step, name in STEPS.items()} == bills.MEMORY_MB


def told(monkeypatch: pytest.MonkeyPatch, **figures: Any) -> None:
    """Let the bill be made of other measurements."""
    other = bills.measured() | figures
    monkeypatch.setattr(bills, "measured", lambda: other)


def test_an_express_execution_is_billed_by_request_and_by_begun_tenths_of_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    milliseconds = {"serialize": 1024 / 1.769, "classify": 0, "filter": 0}
    told(monkeypatch, milliseconds=milliseconds, execution_ms=1024 / 1.769 + 201)
    express = bills.bill("EXPRESS", "x86_64", 1_000_000)
    # One second in the function, as it has 1,024 of 1,769 MB, and 201 ms around it: 64 MB, 1.3 s.
    assert express["steps"] * 1e6 == pytest.approx(1 + 0.0625 * 1.3 * 16.67)
    assert express["functions, duration"] * 1e6 == pytest.approx(16.6667)


@pytest.mark.parametrize(("seconds", "billed"), [(0.2, 0.2), (0.2001, 0.3), (0.29, 0.3)])
def test_a_tenth_of_a_second_that_has_begun_is_billed(seconds: float, billed: float) -> None:
    assert bills.billed_seconds(seconds) == pytest.approx(billed)


def test_the_architecture_changes_the_functions_duration_alone() -> None:
    x86, arm = (bills.bill("STANDARD", kind, 1_000_000) for kind in ("x86_64", "arm64"))
    assert {part for part in x86 if x86[part] != arm[part]} == {"functions, duration"}


def test_the_billed_states_are_those_of_the_way_of_a_decision() -> None:
    name, passed = state_machine()["StartAt"], 1
    while following := state_machine()["States"][name].get("Next"):
        name, passed = following, passed + 1
    assert bills.measured()["states"] == passed
    steps = bills.bill("STANDARD", "x86_64", 1_000_000)["steps"]
    assert steps == passed * prices.STANDARD_TRANSITION


def test_what_is_billed_by_the_month_is_what_the_template_declares() -> None:
    assert bills.measured()["watched"] == watched(), "run `python -m benchmarks.costs`"
    # Decisions by eight outcomes, their confidence, audits by two results.
    assert watched()["custom_metrics"] == 8 + 1 + 2


def test_the_write_units_that_are_told_are_those_that_are_billed() -> None:
    [told] = [what for line, what, *_ in cost.sources() if line == "ledger: item, indexes"]
    units = [int(number) for number in re.findall(r"\b\d\b", told.partition(":")[2])]
    billed = bills.bill("STANDARD", "x86_64", 1)["ledger: item, indexes"]
    assert sum(units) == round(billed / prices.DYNAMODB_WRITE)
    indexes = resources("AWS::DynamoDB::Table")["DecisionsTable"]["GlobalSecondaryIndexes"]
    assert len(units) == 1 + len(indexes)


@pytest.mark.parametrize(
    ("images", "share"),
    [(100_000, 1), (2_628_000, 1), (5_256_000, 0.525), (262_800_000, 0.0595)],
    ids=["rarely", "one a second", "two a second", "a hundred a second"],
)
def test_the_first_photo_of_a_second_is_traced_and_a_twentieth_of_the_others(
    images: int, share: float
) -> None:
    assert bills.traced(images) == pytest.approx(share)


def test_nothing_is_billed_for_traces_unless_they_are_sent() -> None:
    without, traced = (bills.bill("EXPRESS", "arm64", 1_000_000, on) for on in (False, True))
    assert "traces" not in without
    assert traced == without | {"traces": pytest.approx(prices.TRACE)}


def test_express_costs_under_12_dollars_a_million_without_s3_s_requests_and_what_is_fixed() -> None:
    express = bills.all_bills(1_000_000)["EXPRESS x86_64"]
    assert sum(express.values()) - express[bills.PUT_GET] < 12


def month(kind: str, images: int) -> float:
    """Return the bill of a month of EXPRESS on arm64 with a kind of endpoint."""
    rows = {name: cells for name, *cells in cost.month_rows(bills.all_bills(images), images)}
    return float(rows[kind][-1].replace(",", ""))


def test_a_month_s_bill_is_that_of_its_photos_and_of_what_runs_all_the_time() -> None:
    watched = sum(bills.fixed_bills().values())
    few, many = (
        month("endpoint serverless", images) - watched for images in (1_000_000, 100_000_000)
    )
    assert many == pytest.approx(100 * few, rel=1e-3)
    assert many > watched > 0


def test_an_hour_of_the_endpoint_is_billed_with_few_photos_as_with_many() -> None:
    serverless = bills.serverless_bill()
    for images in (10_000, 1_000_000):
        more = month("endpoint real-time", images) - month("endpoint serverless", images)
        expected = bills.endpoint_month() - serverless * images / 1e6
        assert more == pytest.approx(expected, abs=0.011)


def test_every_line_of_the_bill_has_its_source() -> None:
    sources = [line for line, *_ in cost.sources()]
    lines = [*bills.bill("STANDARD", "arm64", 1_000, tracing=True), *bills.fixed_bills()]
    for line in [*lines, "pictures", "endpoint"]:
        start = line.partition(":")[0] if line not in sources else line
        assert any(source.startswith(start) for source in sources), line
    assert all(page.startswith("https://aws.amazon.com/") for *_, page in cost.sources())


def test_the_table_adds_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cost", "--json"]) == 0
    told: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert main(["cost"]) == 0
    [line] = [
        line for line in capsys.readouterr().out.splitlines() if line.startswith("without endpoint")
    ]
    sums = [f"{sum(bill.values()):.2f}" for bill in told["bills"].values()]
    assert line.split()[2:] == sums


def test_the_bill_of_a_month_has_its_photos_endpoint_and_pictures(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cost", "--images", "50000"]) == 0
    lines = capsys.readouterr().out.splitlines()

    def last(start: str) -> float:
        [line] = [line for line in lines if line.startswith(start)]
        return float(line.split()[-1].replace(",", ""))

    a_million = last("without endpoint") + last("pictures, each month")
    fixed = last("together") + last("endpoint, real-time")
    assert last("endpoint real-time") == pytest.approx(a_million / 20 + fixed, abs=0.01)


def test_the_sources_are_shown_with_the_price_that_is_used(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cost", "--sources"]) == 0
    shown = capsys.readouterr().out.splitlines()
    place = shown.index("steps, STANDARD: 4 transitions")
    assert shown[place + 1].strip() == f"${prices.STANDARD_TRANSITION * 1e6:.2f} a million"
    assert shown[place + 2].strip() == prices.STEP_FUNCTIONS


def test_no_photos_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["cost", "--images", "0"])
    assert "write a whole number from 1" in capsys.readouterr().err


def test_the_sources_fit_a_terminal_and_are_json_on_request(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["cost", "--sources"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80
    assert main(["cost", "--sources", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [list(source.values()) for source in told] == cost.sources()
