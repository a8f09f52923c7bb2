"""The judge of a chaos run finds each promise that is broken."""

import json
import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from ops.stack.ledger import Decision
from tests.chaos.__main__ import as_row
from tests.chaos.faults import FAULTS
from tests.chaos.uploads import BACK, FATES, Upload
from tests.chaos.verdict import Detail, judged
from tests.support.project import ROOT

NAME = "bucket/uploads/a.png#0"
GOOD = Upload(NAME, "good picture", survives=True)
ITEM = replace(Decision.of({"upload": {"S": NAME}}), outcome="accepted", revision=1)


def detail(
    revision: int, outcome: str, reason: str = "", upload: str = NAME, **more: str
) -> Detail:
    found = {"upload": upload, "revision": str(revision), "outcome": outcome, "reason": reason}
    return found | {"reviewer": "", "label": "", "audit": "not_due"} | more


def by_ann(revision: int, outcome: str, label: str, audit: str) -> Detail:
    return detail(revision, outcome, reviewer="ann", label=label, audit=audit)


CHANGE = {"at": "2026", "by": "ann", "how": "audit", "outcome": "confirmed", "label": "bicycle"}
SAID = replace(
    *(ITEM,),
    **{"outcome": "confirmed", "label": "bicycle", "audit": "agreed", "reviewer": "ann"},
    revision=2,
    history=json.dumps([CHANGE]),
)
HEARD = [detail(1, "accepted", audit="due"), by_ann(2, "confirmed", "bicycle", "agreed")]


def test_what_people_change_is_no_second_decision() -> None:
    taken_back = by_ann(3, "accepted", "bicycle", "due")
    items = [replace(SAID, outcome="accepted", revision=3)]
    assert judged(items, [*HEARD, taken_back], [GOOD], [SAID]).broken == []


@pytest.mark.parametrize(
    ("now", "heard", "finding"),
    [
        pytest.param(replace(SAID, history="[]"), HEARD, "not in its history", id="history"),
        pytest.param(
            *(SAID, [HEARD[0], by_ann(2, "confirmed", "other", "agreed")]),
            "ann said bicycle",
            id="another-label",
        ),
        pytest.param(
            *(SAID, [HEARD[0], by_ann(2, "confirmed", "bicycle", "due")]),
            "ann said bicycle",
            id="audit",
        ),
        pytest.param(
            *(replace(SAID, outcome="accepted", revision=3), [*HEARD, detail(3, "accepted")]),
            "decided twice",
            id="decided-after-a-person",
        ),
    ],
)
def test_a_label_that_is_lost_or_changed_is_found(
    now: Decision, heard: list[Detail], finding: str
) -> None:
    assert any(finding in sentence for sentence in judged([now], heard, [GOOD], [SAID]).broken)


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


def test_the_numbers_of_a_run_stand_in_one_column() -> None:
    rows = [as_row(name, 1_000) for name in (*FAULTS, BACK)]
    assert {len(row) for row in rows} == {len(as_row("", 0))}
