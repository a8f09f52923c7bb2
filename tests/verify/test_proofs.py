"""The rows of the table that are tests: what pytest reports is what the table says."""

import xml.etree.ElementTree as ET

import pytest

from tests.support.project import ROOT
from tests.verify import proofs
from tests.verify.__main__ import proved
from tests.verify.proofs import PROOFS, Outcome, Proof, outcome

PASSED = "<testcase classname='tests.verify.test_sam_cli' name='test_a[x]'/>"
SKIPPED = "<testcase name='test_b'><skipped message='no engine'/></testcase>"
FAILED = "<testcase name='test_c'><failure message='assert 1 == 2&#10;more'/></testcase>"
BROKEN = "<testcase name='test_d'><error message='no fixture'/></testcase>"


@pytest.mark.parametrize(
    ("cases", "expected"),
    [
        pytest.param([PASSED], Outcome(1, [], ""), id="passed"),
        pytest.param([PASSED, SKIPPED], Outcome(1, [], "no engine"), id="skipped"),
        pytest.param(
            [FAILED, BROKEN],
            Outcome(0, ["test_c: assert 1 == 2", "test_d: no fixture"], ""),
            id="failed",
        ),
        pytest.param([], Outcome(0, ["no test was found"], ""), id="absent"),
    ],
)
def test_cases_are_summed_up(cases: list[str], expected: Outcome) -> None:
    assert outcome([ET.fromstring(case) for case in cases]) == expected


def test_what_cannot_be_run_here_is_told_and_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        proofs, "run", lambda _: [Outcome(1, [], "no engine"), Outcome(0, ["a"], "")]
    )
    skipped, failed = proved(PROOFS[:2])
    assert (skipped.result, skipped.told, skipped.failed) == ("NOT RUN", ["no engine"], False)
    assert (failed.result, failed.told, failed.failed) == ("1 FAULTS", ["a"], True)


@pytest.mark.parametrize("proof", PROOFS, ids=lambda proof: proof.name)
def test_the_tests_of_a_proof_exist(proof: Proof) -> None:
    assert all((ROOT / test.partition("::")[0]).is_file() for test in proof.tests)


def test_a_proof_holds_the_cases_of_its_files() -> None:
    case = ET.fromstring(PASSED)
    assert [proof.name for proof in PROOFS if proof.holds(case)] == ["sam build, deploy, delete"]
