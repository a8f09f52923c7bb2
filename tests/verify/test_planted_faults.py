"""Each known fault is caught, by the linters and validators that should."""

from pathlib import Path

import pytest

from tests.verify.faults import FAULTS, Fault
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
