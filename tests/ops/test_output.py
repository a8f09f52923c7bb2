"""Names that strangers gave, in what the commands print, and pasted back from there."""

import json
import shlex
from pathlib import Path

import pytest

from tests.cli.test_escaping import NAMES
from tests.support.cloud import Stack
from tests.support.ops import Ops, Ran, dead_letter, empty
from tests.support.workflow import decided

LONGEST = "1,024 bytes"
# moto's S3 takes no key with a line feed; one that is no Unicode S3 does not take either.
KEYS = {name: key for name, key in NAMES.items() if name not in ("lines", "not Unicode")} | {
    LONGEST: "ö" * 505 + "é.jpg"
}


def harmless(ran: Ran) -> bool:
    return (ran.out + ran.err).replace("\n", "").isprintable()


@pytest.fixture(params=KEYS.values(), ids=KEYS)
def item(request: pytest.FixtureRequest, standard: Stack, images: Path) -> dict[str, str]:
    return decided(standard, (images / "cat.jpg").read_bytes(), request.param)


def test_a_name_that_list_prints_is_taken_by_show_and_forget(
    ops: Ops, standard: Stack, item: dict[str, str]
) -> None:
    ran = ops(standard, "list", "--limit", "1")
    assert harmless(ran)
    short = ran.out.splitlines()[1].split("  ")[-1]
    shown = ops(standard, "show", short)
    assert (shown.code, harmless(shown)) == (0, True)
    whole = shown.out.splitlines()[0]
    told = json.loads(ops(standard, "show", whole, "--json").out)
    assert (told["upload"], told["s3_key"]) == (item["upload"], item["s3_key"])
    for raw in (item["upload"], f"s3://{item['s3_bucket']}/{item['s3_key']}"):
        assert json.loads(ops(standard, "show", raw, "--json").out)["upload"] == item["upload"]
    asked = ops(standard, "forget", short)
    assert (asked.code, harmless(asked)) == (1, True)
    assert whole in asked.out.splitlines()
    done = ops(standard, "forget", whole, "--yes")
    assert done.out.splitlines()[-1] == "deleted: objects 1, items 1, dead letters 0"
    assert ops(standard, "show", whole).code == 1


def test_no_output_can_steer_a_terminal(
    ops: Ops, standard: Stack, images: Path, tmp_path: Path
) -> None:
    queue = "UploadEventsDeadLetterQueue"
    empty(standard, queue)
    keys = [key for name, key in KEYS.items() if name != LONGEST]
    items = [decided(standard, (images / "cat.jpg").read_bytes(), key) for key in keys]
    for key in keys:
        dead_letter(standard, queue, key, cause=shlex.quote("REASON"))
    missing = tmp_path / "missing"
    for words in (
        ["status"],
        *(["list", "--json"], ["list"], ["review"], ["review", "--json"]),
        ["redrive", "--dry-run"],
        ["reconcile", "--missing", str(missing), "--grace", "0m"],
    ):
        assert harmless(ops(standard, *words)), words
    for item, key in zip(items, keys, strict=True):
        bucket = item["s3_bucket"]
        for name in (item["upload"] + "x", key + "x", f"s3://{bucket}/{key}", f"s3://other/{key}"):
            for command in ("show", "forget"):
                assert harmless(ops(standard, command, name)), (command, name)
    assert harmless(Ran(0, missing.read_text(), ""))
    empty(standard, queue)


def test_a_name_that_is_no_unicode_is_refused_in_one_line(ops: Ops, standard: Stack) -> None:
    ran = ops(standard, "show", NAMES["not Unicode"])
    assert (ran.code, ran.out) == (2, "")
    assert ran.err == "error: a\\udc80.jpg is not valid UTF-8, as every key of S3 is\n"
