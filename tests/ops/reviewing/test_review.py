"""What waits for a person: the list, the record of a label, and the page's server."""

import contextlib
import http.client
import json
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
from botocore.exceptions import ClientError

from cli.errors import CommandError
from cli.terminal import own_command
from ops.console.app import HEADERS, MAX_BODY
from ops.console.server import ConsoleServer
from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Changed, Decision, Ledger
from ops.stack.outputs import DENIED
from ops.stack.outputs import Stack as OpsStack
from ops.stack.uploads import Uploads
from tests.support.cloud import Stack
from tests.support.console import served
from tests.support.ops import Ops, keys
from tests.support.workflow import announced, decided

Ask = Callable[..., tuple[int, Any]]


def reviews_of(stack: Stack, reviewer: str = "ann") -> Reviews:
    name = f"test-{stack.outputs['WorkflowType'].lower()}"
    return Reviews(OpsStack(name), reviewer, ["bicycle", "motorcycle"])


def waiting(stack: Stack, images: Path) -> Decision:
    item = decided(stack, (images / "cat.jpg").read_bytes())
    found = reviews_of(stack).ledger.get(item["upload"])
    assert found is not None
    assert found.outcome == "review"
    return found


@pytest.mark.parametrize("order", ["newest", "oldest", "unsure"])
def test_the_list_is_in_the_asked_order(ops: Ops, stack: Stack, images: Path, order: str) -> None:
    waiting(stack, images)
    decided(stack, (images / "kick-scooter.png").read_bytes())
    lines = ops(stack, "review", "--json", "--limit", "1000", "--order", order).out.splitlines()
    listed = [json.loads(line) for line in lines]
    told = [item["confidence" if order == "unsure" else "recorded_at"] for item in listed]
    assert told == sorted(told, reverse=order == "newest")
    ran = ops(stack, "review", "--limit", "1", "--order", order)
    assert ran.code == 0
    assert f"{len(listed)} wait, 1 listed" in ran.out


def test_a_key_cannot_steer_the_terminal(ops: Ops, standard: Stack, images: Path) -> None:
    decided(standard, (images / "cat.jpg").read_bytes(), "a\x1b[2Jb.jpg")
    ran = ops(standard, "review")
    assert "  a\\u001b[2Jb.jpg#" in ran.out
    assert "\x1b" not in ran.out


def test_a_label_is_recorded_announced_and_copied(ops: Ops, stack: Stack, images: Path) -> None:
    del ops
    before = waiting(stack, images)
    done = reviews_of(stack).label(before, "bicycle")
    now = reviews_of(stack).ledger.get(before.upload)
    assert now == done.decision
    assert (now.outcome, now.label, now.previous_label) == ("reviewed", "bicycle", "other")
    assert (now.reviewer, now.revision, now.event) == ("ann", 2, before.event)
    assert now.recorded_at > before.recorded_at
    [_, heard] = announced(stack, before.upload, 2)
    assert (heard["outcome"], heard["reviewer"], heard["label"]) == ("reviewed", "ann", "bicycle")
    assert done.copy.startswith("labelled/bicycle/")
    assert keys(stack, done.copy) == [done.copy]


def test_undo_lets_it_wait_again_and_takes_the_copy_back(
    ops: Ops, stack: Stack, images: Path
) -> None:
    del ops
    before = waiting(stack, images)
    done = reviews_of(stack).label(before, "bicycle")
    back = reviews_of(stack, "bob").undo(done.decision).decision
    assert (back.outcome, back.label, back.revision) == ("review", "other", 3)
    assert (back.reviewer, back.previous_label) == ("bob", "bicycle")
    heard = announced(stack, before.upload, 3)
    assert [announcement["outcome"] for announcement in heard] == ["review", "reviewed", "review"]
    assert keys(stack, done.copy) == []
    with pytest.raises(CommandError, match="is not reviewed"):
        reviews_of(stack).undo(back)


def test_two_reviewers_cannot_overwrite_each_other(ops: Ops, stack: Stack, images: Path) -> None:
    del ops
    before = waiting(stack, images)
    done = reviews_of(stack, "ann").label(before, "bicycle")
    with pytest.raises(Changed) as refused:
        reviews_of(stack, "bob").label(before, "motorcycle")
    assert refused.value.now == done.decision
    assert keys(stack, done.copy.replace("bicycle", "motorcycle")) == []


def test_the_label_of_a_picture_that_is_gone_has_no_copy(
    ops: Ops, standard: Stack, images: Path
) -> None:
    del ops
    before = waiting(standard, images)
    standard.aws.client("s3").delete_object(Bucket=before.s3_bucket, Key=before.s3_key)
    done = reviews_of(standard).label(before, "bicycle")
    assert (done.copy, done.decision.outcome) == ("", "reviewed")
    assert "deleted or overwritten" in done.note


def test_a_label_that_is_no_class_is_refused(ops: Ops, standard: Stack, images: Path) -> None:
    before = waiting(standard, images)
    with pytest.raises(CommandError, match="none of the classes: bicycle, motorcycle, other"):
        reviews_of(standard).label(before, "../../etc")
    ran = ops(standard, "review", "--class", "a/b")
    assert (ran.code, "'a/b' is no class" in ran.err) == (2, True)


def test_training_takes_the_labelled_pictures(
    ops: Ops, standard: Stack, images: Path, tmp_path: Path
) -> None:
    from model.training.pictures import load

    del ops
    for label in ("bicycle", "motorcycle"):
        done = reviews_of(standard).label(waiting(standard, images), label)
        target = tmp_path / Path(done.copy).relative_to("labelled")
        target.parent.mkdir(exist_ok=True)
        standard.aws.client("s3").download_file(
            standard.outputs["UploadBucket"], done.copy, str(target)
        )
    assert load(tmp_path).labels == ("bicycle", "motorcycle")


@pytest.fixture
def server(ops: Ops, standard: Stack) -> Iterator[ConsoleServer]:
    del ops
    with served(reviews_of(standard)) as found:
        yield found


@pytest.fixture
def ask(server: ConsoleServer) -> Ask:
    """Ask the page's server as the page does; headers given as None are left out."""

    def ask(path: str, body: object = None, **headers: str | None) -> tuple[int, Any]:
        port = server.server_address[1]
        given = {"Host": f"127.0.0.1:{port}", "X-Console-Token": server.token}
        given |= {name.replace("_", "-"): value for name, value in headers.items()}  # type: ignore[misc]
        data = None if body is None else body if isinstance(body, bytes) else json.dumps(body)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request(
            "GET" if data is None else "POST",
            path,
            data,
            {name: value for name, value in given.items() if value is not None},
        )
        answer = connection.getresponse()
        content, kind = answer.read(), answer.getheader("Content-Type", "")
        connection.close()
        assert answer.getheader("Content-Security-Policy", "").startswith("default-src 'none'")
        return answer.status, json.loads(content) if "json" in kind else content

    return ask


def test_its_own_fault_is_reported(
    ask: Ask, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Reviews, "waiting", Mock(side_effect=RuntimeError("a fault")))
    status, told = ask("/api/queue")
    assert (status, told["error"]) == (500, "RuntimeError: a fault; the terminal shows more")
    assert "RuntimeError: a fault" in capsys.readouterr().err


def test_a_port_that_is_in_use_is_named(ops: Ops, standard: Stack) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ran = ops(standard, "review", "--serve", "--port", str(port))
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: cannot listen at 127.0.0.1:{port} (Address already in use)")
    assert ran.err.endswith(": give another --port, or none\n")


def test_it_listens_on_this_machine_only(server: ConsoleServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.token) >= 43  # 256 bits


@pytest.mark.parametrize(
    ("headers", "told"),
    [
        pytest.param({"X_Console_Token": None}, "token of another run", id="no-token"),
        pytest.param({"X_Console_Token": "guess"}, "token of another run", id="wrong-token"),
        pytest.param({"X_Console_Token": "é"}, "token of another run", id="odd-token"),
        pytest.param({"Host": "evil.example:80"}, "this address is not the page's", id="rebound"),
        pytest.param({"Origin": "https://evil.example"}, "another site", id="other-origin"),
        pytest.param({"Origin": "null"}, "another site", id="no-origin"),
    ],
)
def test_other_sites_are_refused(
    ask: Ask, standard: Stack, images: Path, headers: dict[str, str], told: str
) -> None:
    before = waiting(standard, images)
    body = {"upload": before.upload, "revision": before.revision, "label": "bicycle"}
    for status, answer in (
        ask("/api/queue", **headers),
        ask(f"/api/picture?upload={before.upload}", **headers),
        ask("/api/label", body, **headers),
    ):
        assert (status, told in answer["error"]) == (403, True)
    now = reviews_of(standard).ledger.get(before.upload)
    assert now == before


def test_the_queue_tells_what_the_page_shows(ask: Ask, standard: Stack, images: Path) -> None:
    newest = waiting(standard, images)
    status, told = ask("/api/queue")
    assert (status, told["reviewer"]) == (200, "ann")
    assert told["classes"] == ["bicycle", "motorcycle", "other"]
    assert told["items"][0]["upload"] == newest.upload
    assert told["items"][0]["guesses"] == newest.guesses()
    assert told["waiting"] >= len(told["items"])


def test_a_label_and_its_undo(ask: Ask, standard: Stack, images: Path) -> None:
    before = waiting(standard, images)
    body = {"upload": before.upload, "revision": 1, "label": "bicycle"}
    status, told = ask("/api/label", body)
    assert (status, told["item"]["revision"], told["note"]) == (200, 2, "")
    other = body | {"label": "motorcycle"}
    assert ask("/api/label", other) == (409, {"error": "already reviewed by ann: bicycle"})
    assert ask("/api/undo", body)[0] == 409
    status, told = ask("/api/undo", {"upload": before.upload, "revision": 2})
    assert (status, told["item"]["label"], told["item"]["revision"]) == (200, "other", 3)


def test_a_label_whose_copy_failed_is_given_again_without_a_second_record(
    ask: Ask, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = waiting(standard, images)
    body = {"upload": before.upload, "revision": 1, "label": "bicycle"}
    busy = ClientError({"Error": {"Code": "SlowDown", "Message": "busy"}}, "CopyObject")
    with monkeypatch.context() as outage:
        outage.setattr(Uploads, "label", Mock(side_effect=busy))
        assert ask("/api/label", body)[0] == 502
    status, told = ask("/api/label", body)
    assert (status, told["item"]["revision"]) == (200, 2)
    assert keys(standard, told["copy"]) == [told["copy"]]


def test_who_may_only_look_is_told_why_a_label_is_refused(
    ask: Ask, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = waiting(standard, images)
    denied = ClientError(
        {"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "UpdateItem"
    )
    monkeypatch.setattr(Ledger, "change", Mock(side_effect=denied))
    body = {"upload": before.upload, "revision": 1, "label": "bicycle"}
    status, told = ask("/api/label", body)
    assert (status, told["error"]) == (502, f"UpdateItem is not allowed: no; {DENIED}")


def test_copies_are_made_to_agree_with_the_ledger(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reviews = reviews_of(standard)
    ops(standard, "review", "--repair")
    kept = reviews.label(waiting(standard, images), "bicycle")
    with monkeypatch.context() as stopped:
        stopped.setattr(Uploads, "label", Mock(side_effect=KeyboardInterrupt))
        before = waiting(standard, images)
        with pytest.raises(KeyboardInterrupt):
            reviews.label(before, "motorcycle")
    taken_back = reviews.label(waiting(standard, images), "bicycle")
    with monkeypatch.context() as stopped:
        stopped.setattr(Uploads, "delete", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            reviews.undo(taken_back.decision)
    stale = replace(kept.decision, label="motorcycle")  # what the index may still list
    with monkeypatch.context() as lagging:
        lagging.setattr(Ledger, "of_outcome", lambda _, outcome: [stale][: outcome == "reviewed"])
        lagging.setattr(Ledger, "taken_back", lambda _: [])
        assert ops(standard, "review", "--repair").out == "0 copied, 0 removed\n"
    ran = ops(standard, "review", "--repair", "--dry-run")
    assert (ran.code, ran.out) == (0, "1 to copy, 1 to remove\n")
    assert keys(standard, taken_back.copy) == [taken_back.copy]
    ran = ops(standard, "review", "--repair")
    assert (ran.code, ran.out) == (0, "1 copied, 1 removed\n")
    assert keys(standard, kept.copy) == [kept.copy]
    copies = list(reviews.uploads.copies(before.upload, before.s3_key))
    assert [copy.split("/")[1] for copy in copies] == ["motorcycle"]
    assert keys(standard, taken_back.copy) == []
    ran = ops(standard, "review", "--repair", "--json")
    assert json.loads(ran.out) == {"copied": 0, "removed": 0, "dry_run": False}
    ran = ops(standard, "review", "--dry-run")
    assert (ran.code, ran.err.startswith("error: --dry-run goes with --repair")) == (2, True)


def test_a_copy_under_a_label_that_was_taken_back_goes_with_the_next_label(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del ops
    reviews = reviews_of(standard)
    first = reviews.label(waiting(standard, images), "bicycle")
    with monkeypatch.context() as stopped:
        stopped.setattr(Uploads, "delete", Mock(side_effect=KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            reviews.undo(first.decision)
    back = reviews.ledger.get(first.decision.upload)
    assert back is not None
    second = reviews.label(back, "motorcycle")
    assert keys(standard, first.copy) == []
    assert keys(standard, second.copy) == [second.copy]


def test_the_queue_looks_past_what_was_skipped(ask: Ask, standard: Stack, images: Path) -> None:
    for _ in range(2):
        waiting(standard, images)
    with pytest.MonkeyPatch.context() as small:
        small.setattr("ops.console.review.QUEUE", 1)
        assert len(ask("/api/queue")[1]["items"]) == 1
        assert len(ask("/api/queue?beyond=1")[1]["items"]) == 2
    for odd in ("-1", "x", "2001", "9" * 400):
        assert ask(f"/api/queue?beyond={odd}")[0] == 400


def test_a_race_is_reported_as_what_it_is(
    ask: Ask, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = waiting(standard, images)
    label = Reviews.label

    def beaten(self: Reviews, read: Decision, to: str, comment: str) -> Any:
        label(reviews_of(standard, "bob"), read, "motorcycle")
        return label(self, read, to, comment)

    monkeypatch.setattr(Reviews, "label", beaten)
    status, told = ask("/api/label", {"upload": before.upload, "revision": 1, "label": "bicycle"})
    assert (status, told["error"]) == (409, "already reviewed by bob: motorcycle")


def test_a_picture_is_shown_while_it_is_the_one(ask: Ask, standard: Stack, images: Path) -> None:
    before = waiting(standard, images)
    path = f"/api/picture?upload={before.upload.replace('#', '%23')}"
    assert ask(path) == (200, (images / "cat.jpg").read_bytes())
    standard.aws.client("s3").put_object(
        Bucket=before.s3_bucket, Key=before.s3_key, Body=b"another"
    )
    status, told = ask(path)
    assert (status, "the picture was deleted or overwritten" in told["error"]) == (404, True)
    command = own_command("ops", "forget", before.upload, "--stack", "test-standard")
    assert told["error"].endswith(f"take it out of the list with {command}")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/../ops/stack/outputs.py", None, 404, id="no-file"),
        pytest.param("/api/picture?upload=x", None, 404, id="no-upload"),
        pytest.param("/api/label", {"upload": "x"}, 404, id="unknown-upload"),
        pytest.param("/api/label", {"upload": ["x"]}, 404, id="odd-upload"),
        pytest.param("/api/label", b"[]", 400, id="no-object"),
        pytest.param("/api/label", b"\xff{", 400, id="no-json"),
        pytest.param("/api/label", b"[" * MAX_BODY, 400, id="nested"),
        pytest.param("/api/label", b" " * (MAX_BODY + 1), 413, id="too-long"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(
    ask: Ask, path: str, body: object, status: int
) -> None:
    assert ask(path, body)[0] == status


def test_a_strange_label_is_refused(ask: Ask, standard: Stack, images: Path) -> None:
    before = waiting(standard, images)
    status, told = ask("/api/label", {"upload": before.upload, "revision": 1, "label": "../x"})
    assert (status, "none of the classes" in told["error"]) == (400, True)


def test_files_of_the_page_need_no_token(ask: Ask) -> None:
    for path in ("/", "/review", "/static/review.js", "/static/console.css"):
        assert ask(path, X_Console_Token=None)[0] == 200


def test_what_was_not_classified_is_not_shown(ask: Ask, standard: Stack) -> None:
    item = decided(standard, b"no picture")
    status, told = ask(f"/api/picture?upload={item['upload'].replace('#', '%23')}")
    assert (status, "its outcome is rejected" in told["error"]) == (404, True)


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        *((f"{method} / HTTP/1.1", 405) for method in ("HEAD", "PUT", "OPTIONS", "TRACE")),
        ("GET / HTTP/7.0", 400),
        ("GET / to nowhere HTTP/1.1", 400),
        (f"GET /{'a' * 70_000} HTTP/1.1", 431),
        (f"GET / HTTP/1.1\r\nX: {'a' * 70_000}", 431),
    ],
    ids=lambda value: str(value)[:24],
)
def test_what_is_no_request_is_refused_under_the_same_headers(
    server: ConsoleServer, request_line: str, status: int
) -> None:
    with socket.create_connection(server.server_address[:2], timeout=20) as connection:
        connection.sendall(f"{request_line}\r\n\r\n".encode())
        answer = http.client.HTTPResponse(connection, method=request_line.split()[0])
        answer.begin()
        assert answer.status == status
        assert {name: answer.getheader(name) for name in HEADERS} == HEADERS
        assert answer.getheader("Content-Type") == "application/json"
        told = answer.read()
    assert told == b"" if request_line.startswith("HEAD") else json.loads(told)["error"]


def test_many_connections_at_once_wait_for_their_turn(ops: Ops, standard: Stack) -> None:
    del ops
    with contextlib.ExitStack() as closing:
        server = closing.enter_context(ConsoleServer(reviews_of(standard), "newest", 0))
        address = server.server_address[:2]
        connections = [
            closing.enter_context(socket.create_connection(address, timeout=5)) for _ in range(64)
        ]  # none is accepted yet
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        request = f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{address[1]}\r\nConnection: close\r\n\r\n"
        for connection in connections:
            connection.sendall(request.encode())
        for connection in connections:
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            assert answer.status == 200
            answer.read()
        server.shutdown()
        thread.join()
