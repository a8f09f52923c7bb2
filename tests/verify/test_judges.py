"""Every linter and validator that is installed finds nothing wrong with the declarations."""

import pytest

from tests.support.project import ROOT
from tests.verify.judges import JUDGES, Judge
from tests.verify.tools import ToolMissing

# The structure tests are part of the same run already.
OTHERS = [judge for judge in JUDGES if judge.name != "structure tests"]


@pytest.mark.parametrize("judge", OTHERS, ids=lambda judge: judge.name)
def test_the_judge_finds_nothing(judge: Judge) -> None:
    try:
        findings = judge.findings(ROOT)
    except ToolMissing as missing:
        pytest.skip(str(missing))
    assert not findings
