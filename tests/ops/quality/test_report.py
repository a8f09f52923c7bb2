"""What `python -m ops quality` says, and its exit code."""

import json
import math
from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from local.follow import Follower
from ops.quality.estimates import BROKEN, KEPT, OPEN
from ops.quality.report import Report, written
from ops.quality.samples import Sample, audit_position
from ops.stack.ledger import TYPES, Decision, Ledger
from ops.stack.outputs import Stack as OpsStack
from tests.ops.quality.samples import audited, sample, window_of
from tests.support.cloud import Cloud, Stack
from tests.support.ops import Ops

DUE = [sample(number, label="") for number in range(10)]


def report(*samples: Sample, audit_share: float = 2, **uploads: int) -> Report:
    counts = {"accepted": 0, "none": 0, **uploads}
    return Report("Ledger", "scones-unlimited", window_of(*samples), counts, audit_share)


def test_a_kept_promise_is_said_with_its_bound() -> None:
    found = report(*audited(400, 0), accepted=20_000)
    assert not found.broken
    told = found.as_text()
    assert f"20,000      400      0  0.00%  0.00% - 0.92%  {KEPT}" in told
    assert "! accepted: at most 0.75% is wrong, with 95% confidence" in told


def test_a_broken_promise_is_said_with_its_bound() -> None:
    found = report(*audited(360, 40), accepted=20_000)
    assert found.broken
    assert BROKEN in found.as_text()
    assert "! accepted: at least 7.6" in found.as_text()


def test_what_cannot_be_told_yet_says_how_many_audits_it_takes() -> None:
    found = report(*audited(100, 0), accepted=5_000)
    assert OPEN in found.as_text()
    assert "! accepted: 199 more audits without an error show the promise kept" in found.as_text()


def test_a_broken_promise_of_none_counts_as_well() -> None:
    none = {"decision": "none", "guess": "other"}
    found = report(
        *audited(400, 0), *(sample(n, label="bicycle", **none) for n in range(9)), none=450
    )
    assert found.broken
    assert found.estimates["accepted"].verdict == KEPT


@pytest.mark.parametrize(
    ("samples", "uploads", "remark"),
    [
        (
            [*audited(40, 0), *(sample(n, label="") for n in range(10))],
            2_500,
            "10 audits are still due",
        ),
        (audited(40, 0), 20_000, "40 audits were due of 20,000 uploads, fewer than"),
        ([*audited(40, 0), sample(label="")], 2_050, "1 audit is still due; those that are done"),
        (audited(1, 0), 2_000, "1 audit was due of 2,000 uploads, fewer than"),
        (audited(298, 0), 14_900, "1 more audit without an error show"),
        ([], 20_000, "0 audits were due of 20,000 uploads, fewer than a share of 0.02"),
        ([], 16, "no audit has been due yet: 2 % of 16 uploads"),
        ([*audited(40, 0), sample(1, share=0.1, position=0.05)], 2_000, "of the 40 audits below"),
    ],
    ids=[
        *("audits are due", "audits began later", "an audit is due", "an audit was due"),
        *("one is enough", "audits begin now", "none was drawn", "the share was changed"),
    ],
)
def test_what_the_figures_leave_out_is_said(
    samples: list[Sample], uploads: int, remark: str
) -> None:
    found = report(*samples, accepted=uploads).remarks()
    assert len([text for text in found if remark in text]) == 1


def test_a_share_of_0_is_advised_against() -> None:
    told = report(audit_share=0, accepted=16).remarks()
    assert told[-1] == "accepted: no audit was due: deploy with AuditShare above 0"


def test_a_good_sample_has_no_remark_but_on_the_promise() -> None:
    assert len(report(*audited(400, 0), accepted=20_000).remarks()) == 1


def test_the_command_to_deploy_keeps_the_other_parameters() -> None:
    found = report(*(sample(n, confidence=0.9912) for n in range(400)), accepted=20_000)
    [command] = found.deployments
    assert command.startswith("sam deploy --config-env default --parameter-overrides WorkflowType=")
    assert command.endswith(" ConfidenceThreshold=0.9912")
    assert f"    {command}\n" in found.as_text()


def test_a_threshold_that_is_in_use_is_not_deployed_again() -> None:
    found = report(*(sample(n, confidence=0.984) for n in range(400)), accepted=20_000)
    assert found.advice["accepted"].threshold == 0.984
    assert found.deployments == []


@pytest.mark.parametrize(
    ("threshold", "shown"), [(0.991, "0.991"), (0.9912, "0.9912"), (1.0, "1"), (0.0, "0")]
)
def test_a_threshold_is_written_in_few_digits(threshold: float, shown: str) -> None:
    assert written(threshold) == shown


def test_reviewers_agreement_is_told_with_its_interval() -> None:
    labels = [("bicycle", "bicycle")] * 3 + [("bicycle", "other")]
    found = report(*(sample(n, labels=pair) for n, pair in enumerate(labels)))
    assert "labels by two people: 4 pairs, 75.0% agree (19.4% to 99.4%)" in found.as_text()
    assert "no upload has labels by two people" in report().as_text()


def test_the_text_fits_80_columns_but_for_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("COLUMNS", "80")
    long = {"guess": "a long class " * 9, "label": "b", "model": "2026.11.24-b08f2a3a" * 5}
    samples = [sample(n, **long) for n in range(400)]
    none = {"decision": "none", "guess": "other", "label": "other"}
    nones = [sample(n, share=0.05, **none) for n in range(400)]
    told = report(*samples, *nones, accepted=2_000_000, none=900_000).as_text()
    assert max(len(line) for line in told.splitlines() if "sam deploy" not in line) <= 80


def test_the_document_has_every_figure_as_a_number() -> None:
    told = json.loads(report(*audited(360, 40), accepted=20_000).as_json())
    accepted = told["decisions"]["accepted"]
    assert told["broken"] is True
    assert (accepted["uploads"], accepted["audited"], accepted["wrong"]) == (20_000, 400, 40)
    assert accepted["verdict"] == BROKEN
    assert accepted["error"] == pytest.approx(0.1)
    assert accepted["class"]["bicycle"]["interval"] == accepted["interval"]
    assert list(accepted["week"]) == ["2026-W48"]
    assert told["thresholds"]["ConfidenceThreshold"]["threshold"] is None
    empty = json.loads(report().as_json())
    assert empty["decisions"]["accepted"]["error"] is None
    assert math.isclose(empty["decisions"]["accepted"]["upper"], 1)


@pytest.fixture(scope="module")
def audits(cloud: Cloud) -> Stack:
    """A stack of its own: the made-up items would stand in the way of other tests."""
    outputs = cloud.aws.deploy("test-quality")
    return Stack(cloud.aws, cloud.container, outputs, Follower(cloud.aws, outputs))


def recorded(stack: Stack, number: int, **given: Any) -> str:
    """Write an item of an upload, an hour old, into the ledger; return the upload."""
    time = datetime.now(UTC) - timedelta(hours=1)
    moment = time.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    empty = {field.name: field.type() for field in fields(Decision)}  # type: ignore[operator]
    filled = empty | {
        "upload": f"bucket/uploads/{number}.jpg#0",
        "outcome": "accepted",
        "label": "bicycle",
        "confidence": 0.99,
        "inferences": json.dumps([{"label": "bicycle", "confidence": 0.99}]),
        "model": "one",
        "threshold": 0.984,
        "uploaded_at": f"{moment[:19]}Z",
        "recorded_at": moment,
        "revision": 1,
        "decision": "accepted",
        "audit": "not_due",
        "audit_share": 10.0,
        **given,
    }
    stack.aws.client("dynamodb").put_item(
        TableName=stack.outputs["DecisionsTable"],
        Item={name: {TYPES[type(value)]: str(value)} for name, value in filled.items()},
    )
    return str(filled["upload"])


def due(count: int, start: int = 0) -> Iterator[int]:
    """Yield the numbers of so many uploads that a share of 10 % audits."""
    number = start
    while count:
        if audit_position(f"bucket/uploads/{number}.jpg#0") < 0.1:
            count -= 1
            yield number
        number += 1


def test_the_ledger_s_audits_make_the_report_and_its_exit_code(ops: Ops, audits: Stack) -> None:
    def ran(*words: str) -> Any:
        return ops(None, "quality", *words, "--stack", "test-quality")

    assert "no audit " not in ran().out  # nothing was uploaded
    future = ran("--since", "2999-01-01")
    assert (future.code, future.out) == (2, "")
    assert "nothing has come since 2999-01-01T00:00:00Z" in future.err
    numbers = list(due(12))
    sampled = set(numbers)
    others = [number for number in range(numbers[-1]) if number not in sampled]
    for number in others:
        recorded(audits, number)
    assert f"no audit has been due yet: 2 % of {len(others)} uploads" in ran().out
    for number in numbers[:9]:
        recorded(audits, number, outcome="confirmed", audit="agreed")
    for number in numbers[9:11]:
        given = {"outcome": "reviewed", "audit": "corrected", "label": "other"}
        recorded(audits, number, **given)
    recorded(audits, numbers[11], audit="due")
    ledger = Ledger(OpsStack("test-quality"))
    assert [item.audit for item in ledger.due_audits()] == ["due"]
    assert ledger.count_due_audits() == 1
    waiting = numbers[-1] + 1
    recorded(audits, waiting, outcome="review", decision="review", audit_share=0.0)
    recorded(audits, waiting + 1, outcome="rejected", decision="", inferences="[]")
    old = {"outcome": "confirmed", "audit": "agreed", "uploaded_at": "2026-01-01T00:00:00Z"}
    [another] = due(1, waiting + 2)
    recorded(audits, another, **old)

    done = ran("--json")
    assert done.code == 0
    found = json.loads(done.out)["decisions"]["accepted"]
    assert (found["uploads"], found["due"], found["audited"], found["wrong"]) == (
        *(len(others) + 12, 12, 11, 2),
    )
    assert ran().code == 0
    for number in due(4, another + 1):
        recorded(audits, number, outcome="reviewed", audit="corrected", label="other")
    broken = ran()
    assert (broken.code, BROKEN in broken.out) == (1, True)
    assert ran("--since", "1m").code == 0
