"""Uploads by outcome and time, and one upload whole."""

import json
import re
from pathlib import Path

import pytest

from tests.support.cloud import Stack
from tests.support.ops import Ops, dead_letter, empty
from tests.support.workflow import decided

HOUR = ("--since", "1h", "--limit", "1000")


def test_the_newest_of_every_outcome_come_first(ops: Ops, stack: Stack, images: Path) -> None:
    uploads = [
        decided(stack, (images / name).read_bytes(), f"listed-{name}")["upload"]
        for name in ("bicycle.png", "cat.jpg", "no-image.jpg")
    ]
    ran = ops(stack, "list", *HOUR)
    assert ran.code == 0
    header, *rows = ran.out.splitlines()
    assert header.split() == ["recorded", "outcome", "found", "upload"]
    assert [row.split()[0] for row in rows] == sorted((r.split()[0] for r in rows), reverse=True)
    shown = [re.split("  +", row)[-1] for row in rows[:3]]
    prefix = f"{stack.outputs['UploadBucket']}/{stack.outputs['UploadPrefix']}"
    for short, upload in zip(shown, uploads[::-1], strict=True):
        assert upload.startswith(prefix + short)
        assert len(upload) == len(prefix + short) + 24  # of an etag's 32
        assert ops(stack, "show", short).out.startswith(upload)
    assert re.split("  +", rows[0])[1:3] == ["rejected", "unsupported_format"]
    assert re.split("  +", rows[2])[1:3] == ["accepted", "bicycle 0.994"]


def test_outcome_reason_and_limit_choose(ops: Ops, stack: Stack, images: Path) -> None:
    for data in (b"no picture", b"", (images / "cat.jpg").read_bytes()):
        decided(stack, data)
    lines = ops(stack, "list", "rejected", "--reason", "empty", "--json", *HOUR).out.splitlines()
    found = [json.loads(line) for line in lines]
    assert {(item["outcome"], item["reason"]) for item in found} == {("rejected", "empty")}
    ran = ops(stack, "list", "rejected", "review", "--limit", "2", "--since", "1h")
    assert ran.out.splitlines()[-1].startswith("... and more")
    assert len(ran.out.splitlines()) == 4  # header, two, and that there are more
    assert "nothing of that was recorded" in ops(stack, "list", "--since", "2999-01-01").out
    with pytest.raises(SystemExit) as ended:
        ops(stack, "list", "strange")
    assert ended.value.code == 2


@pytest.mark.parametrize("command", ["list", "review", "redrive", "cost"])
def test_a_table_fits_a_terminal_of_80_columns(
    ops: Ops, standard: Stack, images: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    decided(standard, (images / "cat.jpg").read_bytes(), f"{'a folder/' * 10}cat.jpg")
    dead_letter(standard, "UploadEventsDeadLetterQueue", "{}", "A_LONG_REASON_" * 10)
    monkeypatch.setattr("ops.stack.dead_letters.LISTEN_S", 0)
    monkeypatch.setattr("_pytest.capture.CaptureIO.isatty", lambda _: True)
    monkeypatch.setenv("COLUMNS", "80")
    try:
        ran = ops(standard, command, *(["--dry-run"] if command == "redrive" else []))
    finally:
        empty(standard, "UploadEventsDeadLetterQueue")
    rows = [line for line in ran.out.splitlines() if "label them:" not in line]
    assert max(map(len, rows)) <= 80
    assert len(rows) > 1


def test_an_upload_is_shown_whole(ops: Ops, stack: Stack, images: Path) -> None:
    item = decided(stack, (images / "kick-scooter.png").read_bytes(), "shown ü.png")
    ran = ops(stack, "show", item["upload"])
    assert ran.code == 0
    told = dict(re.split("  +", line.strip(), maxsplit=1) for line in ran.out.splitlines()[1:])
    assert (told["outcome"], told["label"], told["revision"]) == ("review", "bicycle", "1")
    assert told["inferences"].startswith("bicycle 0.769")
    assert told["picture"] == "in the bucket"
    assert "reason" not in told
    found = json.loads(
        ops(stack, "show", f"s3://{item['s3_bucket']}/{item['s3_key']}", "--json").out
    )
    assert found["upload"] == item["upload"]
    assert found["event"]["detail"]["object"]["etag"] == item["etag"]
    stack.aws.client("s3").delete_object(Bucket=item["s3_bucket"], Key=item["s3_key"])
    assert "gone: deleted or overwritten" in ops(stack, "show", item["upload"]).out


def test_an_upload_that_the_ledger_does_not_know_is_reported(ops: Ops, standard: Stack) -> None:
    bucket = standard.outputs["UploadBucket"]
    ran = ops(standard, "show", f"{bucket}/uploads/none.png#0")
    assert (ran.code, "the ledger does not know it" in ran.out) == (1, True)
    assert ops(standard, "show", "elsewhere/none.png#0").code == 2
