"""The judge of a chaos run finds each promise that is broken."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.stack.ledger import Decision
from tests.chaos.faults import FAULTS
from tests.chaos.uploads import FATES, Upload
from tests.chaos.verdict import Detail, judged
from tests.support.project import ROOT

NAME = "bucket/uploads/a.png#0"
GOOD = Upload(NAME, "good picture", survives=True)
ITEM = replace(Decision.of({"upload": {"S": NAME}}), outcome="accepted", revision=1)


def detail(revision: int, outcome: str, reason: str = "", upload: str = NAME) -> Detail:
    return {"upload": upload, "revision": str(revision), "outcome": outcome, "reason": reason}


def test_one_outcome_announced_once_breaks_nothing() -> None:
    verdict = judged([ITEM], [detail(1, "accepted")], [GOOD])
    assert (verdict.broken, verdict.outcomes, verdict.repeated) == ([], {"accepted": 1}, 0)


def test_the_same_announcement_twice_is_only_repeated() -> None:
    verdict = judged([ITEM], [detail(1, "accepted"), detail(1, "accepted")], [GOOD])
    assert (verdict.broken, verdict.announcements, verdict.repeated) == ([], 2, 1)


@pytest.mark.parametrize(
    "passing", [("failed", "X"), ("superseded", ""), ("rejected", "not_found")]
)
def test_what_decides_nothing_gives_way(passing: tuple[str, str]) -> None:
    announcements = [detail(1, *passing), detail(2, "accepted")]
    assert judged([replace(ITEM, revision=2)], announcements, [GOOD]).broken == []


def test_an_upload_that_is_gone_may_have_no_outcome() -> None:
    verdict = judged([], [], [replace(GOOD, survives=False)])
    assert (verdict.broken, verdict.unrecorded) == ([], 1)


Run = Callable[[], tuple[list[Decision], list[Detail], list[Upload]]]


@pytest.mark.parametrize(
    ("run", "finding"),
    [
        pytest.param(lambda: ([], [], [GOOD]), "lost", id="lost"),
        pytest.param(lambda: ([ITEM], [], [GOOD]), "announced were", id="not-announced"),
        pytest.param(
            lambda: ([ITEM], [detail(1, "accepted"), detail(1, "review")], [GOOD]),
            "announced as two",
            id="one-revision-two-announcements",
        ),
        pytest.param(
            lambda: (
                [replace(ITEM, revision=2)],
                [detail(1, "review"), detail(2, "accepted")],
                [GOOD],
            ),
            "decided twice: review > accepted",
            id="decided-twice",
        ),
        pytest.param(
            lambda: ([ITEM], [detail(1, "review")], [GOOD]),
            "announced review, recorded accepted",
            id="announced-otherwise",
        ),
        pytest.param(
            lambda: ([ITEM], [detail(1, "accepted")], []), "nobody uploaded it", id="invented"
        ),
        pytest.param(
            lambda: ([], [detail(1, "accepted")], [replace(GOOD, survives=False)]),
            "announced, not recorded",
            id="announced-alone",
        ),
        pytest.param(
            lambda: (
                [replace(ITEM, outcome="failed", reason="X")],
                [detail(1, "failed", "X")],
                [GOOD],
            ),
            "in the end failed",
            id="failed-in-the-end",
        ),
        pytest.param(
            lambda: ([replace(ITEM, outcome="superseded")], [detail(1, "superseded")], [GOOD]),
            "in the end superseded",
            id="superseded-although-there",
        ),
        pytest.param(
            lambda: ([ITEM], [detail(1, "accepted")], [replace(GOOD, kind="text")]),
            "a text, and in the end accepted",
            id="accepted-although-no-picture",
        ),
    ],
)
def test_a_broken_promise_is_found(run: Run, finding: str) -> None:
    verdict = judged(*run())
    assert any(finding in sentence for sentence in verdict.broken), verdict.broken


@pytest.mark.parametrize("fault", [*FAULTS, *filter(None, FATES)])
def test_the_run_that_is_shown_had_every_fault(fault: str) -> None:
    shown = (ROOT / "docs/chaos.md").read_text()
    assert re.search(rf"^  {re.escape(fault)} +[1-9]", shown, re.MULTILINE), "run make chaos"
