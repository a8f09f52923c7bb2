"""An upload gets another label by its name; show tells who has changed what."""

import json
from pathlib import Path
from typing import Any

import pytest

from ops.reviewing.reviews import Reviews
from ops.stack.ledger import Decision
from ops.stack.outputs import Stack as OpsStack
from tests.support.cloud import Stack
from tests.support.ops import Ops, keys
from tests.support.workflow import decided


def test_the_label_and_the_copy_change_and_show_tells_the_history(
    ops: Ops, standard: Stack, images: Path
) -> None:
    upload = decided(standard, (images / "bicycle.png").read_bytes())["upload"]
    words = (upload, "motorcycle", "--reviewer", "ann", "--comment", "a sidecar")
    ran = ops(standard, "relabel", *words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == f"{upload}: accepted bicycle -> reviewed motorcycle\n"
    ran = ops(standard, "relabel", upload, "other", "--reviewer", "bob", "--json")
    told = json.loads(ran.out)
    assert told["before"] == {"outcome": "reviewed", "label": "motorcycle", "revision": 2}
    assert told["now"] == {"outcome": "reviewed", "label": "other", "revision": 3}
    assert keys(standard, told["copy"]) == [told["copy"]]
    shown = json.loads(ops(standard, "show", upload, "--json").out)
    assert [change["by"] for change in shown["history"]] == ["ann", "bob"]
    assert shown["copies"] == [told["copy"]]
    lines = [line for line in ops(standard, "show", upload).out.splitlines() if "history" in line]
    first, second = (change["at"] for change in shown["history"])
    assert [line.split(maxsplit=1)[1] for line in lines] == [
        f"{first} ann, relabel: accepted bicycle -> reviewed motorcycle (a sidecar)",
        f"{second} bob, relabel: reviewed motorcycle -> reviewed other",
    ]
    ran = ops(standard, "relabel", upload, "other", "--reviewer", "bob")
    assert (ran.code, "nothing has changed" in ran.out) == (0, True)
    assert json.loads(ops(standard, "show", upload, "--json").out) == shown


def test_a_dry_run_changes_nothing(ops: Ops, standard: Stack, images: Path) -> None:
    upload = decided(standard, (images / "bicycle.png").read_bytes())["upload"]
    before = ops(standard, "show", upload, "--json").out
    ran = ops(standard, "relabel", upload, "motorcycle", "--dry-run")
    assert (ran.code, ran.out) == (0, f"{upload}: accepted bicycle -> reviewed motorcycle\n")
    told = json.loads(ops(standard, "relabel", upload, "bicycle", "--dry-run", "--json").out)
    assert (told["now"]["outcome"], told["dry_run"], told["copy"]) == ("confirmed", True, "")
    assert ops(standard, "show", upload, "--json").out == before


def test_a_class_that_the_model_has_not_guessed_is_asked_for(
    ops: Ops, standard: Stack, images: Path
) -> None:
    upload = decided(standard, (images / "bicycle.png").read_bytes())["upload"]
    ran = ops(standard, "relabel", upload, "scooter")
    assert (ran.code, ran.out) == (2, "")
    assert "'scooter' is none of the classes: bicycle, motorcycle, other" in ran.err
    assert "--new-class" in ran.err
    assert ops(standard, "relabel", upload, "scooter", "--new-class").code == 0
    assert json.loads(ops(standard, "show", upload, "--json").out)["label"] == "scooter"
    ran = ops(standard, "relabel", upload, "../x", "--new-class")
    assert (ran.code, "'../x' is no class" in ran.err) == (2, True)


def test_what_has_no_decision_is_refused(ops: Ops, standard: Stack) -> None:
    item = decided(standard, b"no picture")
    for label in ("other", "bicycle"):  # a class of every upload, and one that it needs no more
        ran = ops(standard, "relabel", item["upload"], label)
        assert (ran.code, "has no label: its outcome is rejected" in ran.err) == (2, True)
    ran = ops(standard, "relabel", item["upload"].replace("#", "x#"), "other")
    assert (ran.code, "the ledger does not know" in ran.err) == (2, True)


def test_of_two_at_once_the_second_is_told(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = decided(standard, (images / "bicycle.png").read_bytes())["upload"]
    relabel = Reviews.relabel

    def beaten(reviews: Reviews, read: Decision, *words: str, **options: Any) -> Any:
        relabel(Reviews(OpsStack("test-standard"), "bob"), read, "other")
        return relabel(reviews, read, *words, **options)

    monkeypatch.setattr(Reviews, "relabel", beaten)
    ran = ops(standard, "relabel", upload, "motorcycle")
    assert (ran.code, ran.out) == (2, "")
    assert "somebody else has changed" in ran.err
    assert " ops show " in ran.err
