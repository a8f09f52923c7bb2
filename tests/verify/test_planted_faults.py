"""The judges are no rubber stamps: each known fault is caught, by the judges that should."""

from pathlib import Path

import pytest

from tests.verify.faults import FAULTS, Fault, copy_of_the_application
from tests.verify.judges import JUDGES, Judge
from tests.verify.tools import ToolMissing

BY_NAME = {judge.name: judge for judge in JUDGES}


@pytest.mark.parametrize(
    ("fault", "judge"),
    [
        pytest.param(fault, BY_NAME[name], id=f"{fault.id}-{name}")
        for fault in FAULTS
        for name in fault.caught_by
    ],
)
def test_the_planted_fault_is_caught(fault: Fault, judge: Judge, tmp_path: Path) -> None:
    try:
        if judge.tool:
            judge.tool.require()
        findings = judge.findings(fault.planted(tmp_path))
    except ToolMissing as missing:
        pytest.skip(str(missing))
    assert any(fault.caught_by[judge.name] in finding for finding in findings), findings


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.id)
def test_the_fault_can_be_caught_without_what_has_to_be_installed(fault: Fault) -> None:
    """Make test alone catches every fault but these."""
    needs_a_tool = {
        "a-public-bucket",
        "a-public-bucket-of-captures",
        "a-resource-of-another-service",
        "a-path-that-is-no-path",
        "a-token-that-every-step-can-read",
    }
    without = [name for name in fault.caught_by if BY_NAME[name].tool is None]
    assert bool(without) is (fault.id not in needs_a_tool)


def test_a_copy_without_a_fault_passes_the_structure_tests(tmp_path: Path) -> None:
    assert not BY_NAME["structure tests"].findings(copy_of_the_application(tmp_path))


@pytest.mark.parametrize("judge", JUDGES, ids=lambda judge: judge.name)
def test_every_judge_catches_something(judge: Judge) -> None:
    assert any(judge.name in fault.caught_by for fault in FAULTS)
