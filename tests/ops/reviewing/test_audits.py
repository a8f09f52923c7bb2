"""Audits, on a stack that audits every decision: what is due, what a person finds, who hears it."""

import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cli.errors import CommandError
from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Changed, Decision, Ledger
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty, keys
from tests.support.waiting import until
from tests.support.workflow import announced, decided, start_again

STACK = ("--stack", "test-audited")
DECISIONS = {"bicycle.png": ("accepted", "bicycle"), "cat.jpg": ("none", "other")}

Ask = Callable[..., tuple[int, Any]]
pytestmark = pytest.mark.usefixtures("ops")


def reviews_of(reviewer: str = "ann") -> Reviews:
    return Reviews(OpsStack("test-audited"), reviewer, ["bicycle", "motorcycle"])


def due(stack: Stack, images: Path, name: str = "bicycle.png") -> Decision:
    """Return a decision whose audit is due."""
    found = reviews_of().ledger.get(decided(stack, (images / name).read_bytes())["upload"])
    assert found is not None
    assert (found.outcome, found.label) == DECISIONS[name]
    return found


@pytest.fixture(params=DECISIONS, ids=[outcome for outcome, _ in DECISIONS.values()])
def decision(request: pytest.FixtureRequest, audited: Stack, images: Path) -> Decision:
    return due(audited, images, request.param)


def test_a_decision_is_announced_at_once_and_its_audit_is_due(
    decision: Decision, audited: Stack
) -> None:
    [heard] = announced(audited, decision.upload, 1)
    assert (heard["outcome"], heard["label"]) == (decision.outcome, decision.label)
    assert (heard["audit"], float(heard["audit_share"]), heard["revision"]) == ("due", 100, "1")
    assert decision in reviews_of().audits(1)


def test_what_a_person_looks_at_anyway_is_not_audited(audited: Stack, images: Path) -> None:
    item = decided(audited, (images / "kick-scooter.png").read_bytes())
    assert (item["outcome"], item["audit"]) == ("review", "not_due")


def test_an_audit_that_agrees_confirms_the_decision(decision: Decision, audited: Stack) -> None:
    done = reviews_of().audit(decision, decision.label, "clear")
    now = done.decision
    assert reviews_of().ledger.get(decision.upload) == now
    assert (now.outcome, now.label, now.audit) == ("confirmed", decision.label, "agreed")
    assert (now.reviewer, now.decision, now.revision) == ("ann", decision.outcome, 2)
    [_, heard] = announced(audited, decision.upload, 2)
    assert (heard["outcome"], heard["label"], heard["audit"]) == (now.outcome, now.label, "agreed")
    assert done.copy.startswith(f"labelled/{decision.label}/")
    assert keys(audited, done.copy) == [done.copy]
    assert now.changes() == [
        {
            "at": now.recorded_at,
            "by": "ann",
            "how": "audit",
            "outcome": "confirmed",
            "label": decision.label,
            "previous_outcome": decision.outcome,
            "previous_label": decision.label,
            "comment": "clear",
        }
    ]
    assert decision.upload not in [item.upload for item in reviews_of().audits(1000)]


def test_an_audit_that_differs_corrects_the_decision(decision: Decision, audited: Stack) -> None:
    done = reviews_of().audit(decision, "motorcycle")
    now = done.decision
    assert (now.outcome, now.label, now.previous_label) == (
        *("reviewed", "motorcycle"),
        decision.label,
    )
    [_, heard] = announced(audited, decision.upload, 2)
    assert (heard["outcome"], heard["label"], heard["previous_label"]) == (
        *("reviewed", "motorcycle"),
        decision.label,
    )
    assert (heard["audit"], heard["decision"]) == ("corrected", decision.outcome)
    assert keys(audited, done.copy) == [done.copy]
    assert done.copy.startswith("labelled/motorcycle/")


@pytest.mark.parametrize("agrees", [True, False], ids=["agreed", "corrected"])
def test_a_duplicate_event_and_a_redrive_change_nothing_of_what_was_audited(
    decision: Decision, ops: Ops, audited: Stack, agrees: bool
) -> None:
    now = reviews_of().audit(decision, decision.label if agrees else "motorcycle").decision
    arn = start_again(audited, {"event": decision.event})
    client = audited.aws.client("stepfunctions")

    def ended() -> bool:
        return bool(client.describe_execution(executionArn=arn)["status"] != "RUNNING")

    assert until(ended)
    assert "Already decided" in audited.follower.states(arn)
    empty(audited, "UploadEventsDeadLetterQueue")
    dead_letter(audited, "UploadEventsDeadLetterQueue", decision.event)
    assert "already decided" in ops(None, "redrive", *STACK).out
    assert reviews_of().ledger.get(decision.upload) == now
    assert len(announced(audited, decision.upload, 2)) == 2


def test_an_audit_that_was_taken_back_is_due_again(decision: Decision, audited: Stack) -> None:
    done = reviews_of().audit(decision, "motorcycle")
    back = reviews_of("bob").undo(done.decision).decision
    assert (back.outcome, back.label, back.audit) == (decision.outcome, decision.label, "due")
    heard = announced(audited, decision.upload, 3)[-1]
    assert (heard["outcome"], heard["audit"]) == (decision.outcome, "due")
    assert (heard["reviewer"], heard["previous_label"]) == ("bob", "motorcycle")
    assert keys(audited, done.copy) == []
    assert back in reviews_of().audits(1000)
    assert reviews_of().audit(back, decision.label).decision.audit == "agreed"


def test_of_two_who_audit_the_second_learns_of_the_first(audited: Stack, images: Path) -> None:
    before = due(audited, images)
    done = reviews_of("ann").audit(before, "bicycle")
    with pytest.raises(Changed) as refused:
        reviews_of("bob").audit(before, "motorcycle")
    assert refused.value.now == done.decision
    with pytest.raises(CommandError, match="no audit that is due: it is agreed"):
        reviews_of("bob").audit(done.decision, "motorcycle")


def test_a_label_given_by_name_settles_an_audit_that_is_due(audited: Stack, images: Path) -> None:
    agreed = reviews_of().relabel(due(audited, images), "bicycle").decision
    assert (agreed.outcome, agreed.audit) == ("confirmed", "agreed")
    corrected = reviews_of().relabel(due(audited, images), "motorcycle").decision
    assert (corrected.outcome, corrected.audit) == ("reviewed", "corrected")
    assert [item.changes()[0]["how"] for item in (agreed, corrected)] == ["relabel"] * 2


def test_the_audit_tells_of_the_label_that_stands(audited: Stack, images: Path) -> None:
    audit = reviews_of().audit(due(audited, images), "bicycle").decision
    changed = reviews_of("bob").relabel(audit, "motorcycle").decision
    assert (changed.outcome, changed.audit) == ("reviewed", "corrected")
    changed_back = reviews_of("cem").relabel(changed, "bicycle").decision
    assert (changed_back.outcome, changed_back.audit) == ("reviewed", "agreed")
    assert changed_back.previous_label == "motorcycle"
    taken_back = reviews_of().undo(changed_back).decision
    assert (taken_back.outcome, taken_back.audit) == ("reviewed", "corrected")
    taken_back = reviews_of().undo(taken_back).decision
    assert (taken_back.outcome, taken_back.audit) == ("confirmed", "agreed")
    assert taken_back.reviewer == "ann"


def test_the_list_of_audits_leads_nobody(ops: Ops, audited: Stack, images: Path) -> None:
    older, newer = due(audited, images), due(audited, images, "cat.jpg")
    for order in ("newest", "oldest"):
        ran = ops(None, "review", "--audits", "--json", "--limit", "1000", "--order", order, *STACK)
        told = [json.loads(line) for line in ran.out.splitlines()]
        times = [item["recorded_at"] for item in told]
        assert times == sorted(times, reverse=order == "newest")
        assert {older.upload, newer.upload} <= {item["upload"] for item in told}
        for item in told:
            assert set(item) == {
                *("upload", "s3_bucket", "s3_key", "etag", "uploaded_at", "recorded_at"),
                *("audit", "revision"),
            }
    ran = ops(None, "review", "--audits", "--limit", "1", *STACK)
    assert (ran.code, ran.out.splitlines()[0].split()) == (0, ["waits", "upload"])
    assert f"{len(told)} audits are due, 1 listed; do them: " in ran.out
    for guess in ("other", "accepted", "none", f"{newer.confidence:.1%}"):
        assert guess not in ran.out
    ran = ops(None, "review", "--audits", "--order", "unsure", *STACK)
    assert (ran.code, "--order unsure is not for --audits" in ran.err) == (2, True)


def test_what_the_index_still_lists_is_no_audit_once_it_is_done(
    audited: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits, done = due(audited, images), due(audited, images)
    found = Ledger._batch

    def audited_meanwhile(ledger: Ledger, names: list[str]) -> list[Any]:
        items = found(ledger, names)
        return [
            i | {"audit": {"S": "agreed"}} if i["upload"]["S"] == done.upload else i for i in items
        ]

    monkeypatch.setattr(Ledger, "_batch", audited_meanwhile)
    listed = [item.upload for item in reviews_of().audits(1000)]
    assert (waits.upload in listed, done.upload in listed) == (True, False)


def test_copies_of_what_was_confirmed_are_made_to_agree_with_the_ledger(
    ops: Ops, audited: Stack, images: Path
) -> None:
    ops(None, "review", "--repair", *STACK)
    done = reviews_of().audit(due(audited, images), "bicycle")
    bucket, s3 = audited.outputs["UploadBucket"], audited.aws.client("s3")
    s3.delete_object(Bucket=bucket, Key=done.copy)
    back = reviews_of().undo(reviews_of().audit(due(audited, images), "bicycle").decision)
    stray = reviews_of().uploads.labelled(back.decision.upload, back.decision.s3_key, "bicycle")
    s3.put_object(Bucket=bucket, Key=stray, Body=b"left by work that broke off")
    ran = ops(None, "review", "--repair", "--dry-run", *STACK)
    assert ran.out == "1 to copy, 1 to remove\n"
    assert ops(None, "review", "--repair", *STACK).out == "1 copied, 1 removed\n"
    assert (keys(audited, done.copy), keys(audited, stray)) == ([done.copy], [])


def test_forget_takes_the_copy_of_what_was_confirmed(
    ops: Ops, audited: Stack, images: Path
) -> None:
    done = reviews_of().audit(due(audited, images), "bicycle")
    ran = ops(None, "forget", done.decision.upload, "--yes", *STACK)
    assert ran.out.splitlines()[-1] == "deleted: objects 2, items 1, dead letters 0"
    assert keys(audited, done.copy) == []


@pytest.fixture
def ask(audited: Stack) -> Iterator[Ask]:
    """Ask the page's server as the page does."""
    del audited
    with ConsoleServer(reviews_of(), "unsure", 0) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()

        def ask(path: str, body: object = None) -> tuple[int, Any]:
            port = server.server_address[1]
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            connection.request(
                "POST" if body else "GET",
                path,
                json.dumps(body) if body else None,
                {"Host": f"127.0.0.1:{port}", "X-Console-Token": server.token},
            )
            answer = connection.getresponse()
            content, kind = answer.read(), answer.getheader("Content-Type", "")
            connection.close()
            return answer.status, json.loads(content) if "json" in kind else content

        yield ask
        server.shutdown()
        thread.join()


def test_the_page_learns_nothing_of_an_audit_before_it_is_answered(
    ask: Ask, audited: Stack, images: Path
) -> None:
    older, newer = due(audited, images), due(audited, images, "cat.jpg")
    status, told = ask("/api/queue?name=audits")
    assert status == 200
    assert [item["upload"] for item in told["items"][:2]] == [newer.upload, older.upload]
    assert told["counts"]["audits"] == told["waiting"] >= 2
    for item in told["items"]:
        assert set(item) == {"upload", "key", "revision", "uploaded_at", "queue"}
    body = {"upload": older.upload, "revision": 1, "label": "motorcycle", "comment": "a pedal"}
    status, told = ask("/api/audit", body)
    assert (status, told["item"]["audit"], told["item"]["queue"]) == (200, "corrected", "mine")
    assert told["item"]["guesses"] == older.guesses()
    status, told = ask("/api/undo", {"upload": older.upload, "revision": 2})
    assert set(told["item"]) == {"upload", "key", "revision", "uploaded_at", "queue"}
    status, told = ask("/api/audit", body)
    assert (status, "bicycle" in told["error"], "accepted" in told["error"]) == (409, False, False)


def test_an_answer_that_was_lost_is_given_again_without_a_second_record(
    ask: Ask, audited: Stack, images: Path
) -> None:
    before = due(audited, images)
    asked: dict[str, Any] = {"upload": before.upload, "revision": 1, "label": "bicycle"}
    first, again = ask("/api/audit", asked), ask("/api/audit", asked)
    assert again == first
    assert first[1]["item"]["revision"] == 2
    assert ask("/api/audit", asked | {"label": "motorcycle"}) == (
        409,
        {"error": "already confirmed by ann: bicycle"},
    )
    asked = {"upload": before.upload, "revision": 2, "label": "motorcycle"}
    assert ask("/api/relabel", asked) == ask("/api/relabel", asked)
    taken_back = {"upload": before.upload, "revision": 3}
    assert ask("/api/undo", taken_back) == ask("/api/undo", taken_back)
    now = reviews_of().ledger.get(before.upload)
    assert now is not None
    assert [change["how"] for change in now.changes()] == ["audit", "relabel", "undo"]
    assert (now.outcome, now.label, now.audit) == ("confirmed", "bicycle", "agreed")


def test_the_picture_of_an_audit_is_shown(ask: Ask, audited: Stack, images: Path) -> None:
    upload = due(audited, images).upload.replace("#", "%23")
    assert ask(f"/api/picture?upload={upload}") == (200, (images / "bicycle.png").read_bytes())


def test_a_queue_that_there_is_not_is_refused(ask: Ask) -> None:
    assert ask("/api/queue?name=all") == (
        400,
        {"error": "'all' is no queue: doubtful, audits, mine"},
    )
