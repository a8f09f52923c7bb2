"""ops backfill: what it plans, starts within a budget, shows, stops and resumes."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from benchmarks.backfill import shared
from cli.terminal import own_command
from ops.__main__ import main
from ops.backfilling.plan import ASKED_FIRST, NEW_LAMBDAS, Count, Endpoint, Estimate, count
from ops.backfilling.report import as_text
from ops.backfilling.sources import EVERY, Photo, Source, below, chosen
from ops.commands.backfill import CONCURRENCY
from tests.support.backfill import BUCKET, INVENTORIES, ended, inventory, put, recorded, start
from tests.support.cloud import Stack
from tests.support.help import wide
from tests.support.ops import Ops
from tests.support.processes import take_interrupts
from tests.support.project import ROOT
from tests.support.workflow import decided


@pytest.fixture
def picture(images: Path) -> bytes:
    return (images / "bicycle.png").read_bytes()


def arn(stack: Stack, name: str) -> str:
    machine = stack.outputs["BackfillWorkflowArn"]
    return f"{machine.replace(':stateMachine:', ':execution:')}:{name}"


def begun(ops: Ops, stack: Stack, prefix: str, *words: str) -> dict[str, Any]:
    """Start a backfill of the other bucket; return what the command tells."""
    time.sleep(1.1)  # its name is the second
    where = ("--bucket", BUCKET, "--prefix", prefix)
    ran = ops(stack, "backfill", "start", *where, "--yes", "--json", *words)
    assert ran.code == 0, ran.err
    found: dict[str, Any] = json.loads(ran.out)
    return found


def test_a_plan_counts_and_prices_and_changes_nothing(
    ops: Ops, stack: Stack, picture: bytes
) -> None:
    prefix = put(stack, {f"{number}.png": picture for number in range(5)} | {"folder/": b""})
    where = ("--bucket", BUCKET, "--prefix", prefix)
    ran = ops(stack, "backfill", "plan", *where, "--json")
    found = json.loads(ran.out)
    assert (ran.code, found["objects"], found["to_decide"]) == (0, 5, 5)
    assert found["bytes"] == 5 * len(picture)
    expected = 6 * found["dollars_asked"] + 5 * found["dollars_photo"]
    assert found["dollars"] == pytest.approx(expected)
    assert recorded(stack, prefix) == {}
    text = ops(stack, "backfill", "plan", *where).out
    assert "5 objects" in text
    assert "photos a second at concurrency 20" in text
    assert f"functions         {found['functions']:>12,.1f}  at once" in text


@pytest.mark.parametrize("share", ["10", "10%"])
def test_a_sample_is_in_percent_with_or_without_the_sign(
    ops: Ops, stack: Stack, picture: bytes, share: str
) -> None:
    prefix = put(stack, {f"{number}.png": picture for number in range(3)})
    where = ("--bucket", BUCKET, "--prefix", prefix, "--sample", share)
    found = json.loads(ops(stack, "backfill", "plan", *where, "--json").out)
    assert found["source"]["share"] == pytest.approx(0.1)
    assert "10 % of them" in ops(stack, "backfill", "plan", *where).out
    assert Source(BUCKET, prefix, share=0.07).address.endswith(", 7 % of them")


def test_a_plan_knows_what_is_decided_in_the_upload_bucket(
    ops: Ops, standard: Stack, picture: bytes
) -> None:
    key = decided(standard, picture)["s3_key"]
    found = json.loads(ops(standard, "backfill", "plan", "--prefix", key, "--json").out)
    assert (found["objects"], found["decided"], found["to_decide"]) == (1, 1, 0)


def test_a_run_is_started_watched_and_listed(ops: Ops, stack: Stack, picture: bytes) -> None:
    prefix = put(stack, {f"{n}.png": picture for n in range(4)} | {"no.png": b"no picture"})
    name = begun(ops, stack, prefix)["run"]
    ran = ops(stack, "backfill", "watch", name)
    assert ran.code == 0, ran.out
    assert f"{name}: complete" in ran.out
    told = json.loads(ops(stack, "backfill", "watch", name, "--json").out)
    assert (told["done"], told["photos"], told["end"]) == (5, 5, "complete")
    outcomes = {(o["outcome"], o["reason"]): o["photos"] for o in told["outcomes"]}
    assert outcomes == {("accepted", ""): 4, ("rejected", "unsupported_format"): 1}
    assert told["dollars"] > 0
    start(stack, prefix, allowance=0)  # by hand: it is no run of this command
    listed = ops(stack, "backfill", "list").out
    [line] = [line for line in listed.splitlines() if line.startswith(name)]
    assert "complete" in line and told["by"].rpartition("/")[2] in line


def test_what_is_in_another_bucket_is_shown_relabelled_and_forgotten_by_its_listed_name(
    ops: Ops, stack: Stack, picture: bytes
) -> None:
    prefix, s3 = put(stack, {"ü.png": picture}), stack.aws.client("s3")
    buckets, key = (BUCKET, stack.outputs["UploadBucket"]), f"{prefix}ü.png"
    s3.put_object(Bucket=buckets[1], Key=key, Body=picture)  # is not the upload
    assert ops(stack, "backfill", "watch", begun(ops, stack, prefix)["run"]).code == 0
    listed = ops(stack, "list", "accepted", "--since", "1h").out
    [name] = [line.split("  ")[-1] for line in listed.splitlines() if prefix in line]
    assert name.startswith(f"{BUCKET}/{key}#")
    shown = ops(stack, "show", name)
    assert shown.code == 0
    assert re.search("picture +in another bucket, where it is not looked for", shown.out)
    assert json.loads(ops(stack, "show", name, "--json").out)["picture"] is None
    assert ops(stack, "relabel", name, "motorcycle").code == 0
    assert "reviewed" in ops(stack, "show", name).out
    gone = ops(stack, "forget", name, "--yes")
    assert "stays: it is in another bucket; delete it there" in gone.out
    assert "items 1" in gone.out
    sizes = [s3.head_object(Bucket=bucket, Key=key)["ContentLength"] for bucket in buckets]
    assert sizes == [len(picture)] * 2
    again = ops(stack, "show", name)
    assert again.code != 0
    assert "is no upload of this stack" in again.err


def test_a_limit_is_kept_and_what_is_left_is_resumed(
    ops: Ops, standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {f"{number}.png": picture for number in range(9)})
    how = ("--limit", "4", "--concurrency", "2", "--tolerate", "0")
    name = begun(ops, standard, prefix, *how)["run"]
    ended(standard, arn(standard, name))
    ran = ops(standard, "backfill", "watch", name)
    assert ran.code == 1
    assert f"{name}: used up" in ran.out
    assert re.search(rf"backfill resume {name} --limit N .*\n  or with --budget DOLLARS", ran.out)
    refused = ops(standard, "backfill", "resume", name, "--yes")
    assert (refused.code, "give a new --budget or --limit" in refused.err) == (2, True)
    again = ops(standard, "backfill", "resume", name, "--limit", "99", "--yes", "--json")
    second = json.loads(again.out)["run"]
    given = json.loads(ended(standard, arn(standard, second))["input"])
    assert (given["concurrency"], given["tolerated_failure_percentage"]) == (2, 0)
    items = recorded(standard, prefix)
    assert len(items) == 9
    assert {item["revision"] for item in items.values()} == {"1"}
    done = ops(standard, "backfill", "resume", second, "--yes")
    assert (done.code, f"the backfill {second} is complete" in done.err) == (2, True)


def test_a_run_is_stopped_by_name_and_tells_by_whom(
    ops: Ops, standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {f"{number:02}.png": picture for number in range(30)})
    name = begun(ops, standard, prefix, "--concurrency", "2")["run"]
    running = ops(standard, "backfill", "watch", name, "--once")
    assert (running.code, f"{name}: running" in running.out) == (0, True)
    busy = ops(standard, "backfill", "resume", name, "--yes")
    assert (busy.code, "is running" in busy.err) == (2, True)
    stopped = ops(standard, "backfill", "stop", name)
    assert re.search(rf"backfill resume {name} --stack [\w-]+$", stopped.out)  # something is left
    ended(standard, arn(standard, name))
    told = json.loads(ops(standard, "backfill", "watch", name, "--json").out)
    assert (told["end"], told["cause"].startswith("by arn:")) == ("stopped", True)
    assert told["photos"] < 30
    ran = ops(standard, "backfill", "stop", name)
    assert (ran.code, "has ended: stopped" in ran.err) == (2, True)


def test_ctrl_c_says_that_the_run_goes_on_and_how_to_watch_it_again(
    ops: Ops, standard: Stack, picture: bytes
) -> None:
    prefix = put(standard, {f"{number:02}.png": picture for number in range(60)})
    name = begun(ops, standard, prefix, "--concurrency", "1")["run"]
    words = ("backfill", "watch", name, "--stack", "test-standard")
    watching = subprocess.Popen(
        [sys.executable, "-m", "ops", *words],
        cwd=ROOT,
        env=os.environ | standard.aws.environment(),
        stderr=(terminal := os.openpty())[1],
        preexec_fn=take_interrupts,
    )
    os.close(terminal[1])
    told = os.read(terminal[0], 4096)  # it watches
    watching.send_signal(signal.SIGINT)
    with contextlib.suppress(OSError):  # nobody has the terminal open any more
        while more := os.read(terminal[0], 4096):
            told += more
    os.close(terminal[0])
    assert watching.wait() == 130
    assert f"the run goes on; to watch it: {own_command('ops', *words)}".encode() in told
    assert ops(standard, "backfill", "stop", name).code == 0


def test_a_budget_becomes_an_allowance_of_photos(ops: Ops, standard: Stack, picture: bytes) -> None:
    prefix = put(standard, {f"{number}.png": picture for number in range(3)})
    where = ("--bucket", BUCKET, "--prefix", prefix)
    plan = json.loads(ops(standard, "backfill", "plan", *where, "--json").out)
    started = begun(ops, standard, prefix, "--budget", "0.01")
    most = (0.01 - 3 * plan["dollars_asked"]) / plan["dollars_photo"]
    assert started["allowance"] == min(3, int(most))
    assert Estimate(1000, 0, "EXPRESS", 1, Endpoint(1, 1)).affordable(0.0001) == 0


def test_an_inventory_is_planned_and_started(ops: Ops, standard: Stack, picture: bytes) -> None:
    prefix = put(standard, {"a.png": picture, "b+c.png": picture})
    address = f"s3://{INVENTORIES}/{inventory(standard, prefix)}"
    where = ("--bucket", BUCKET, "--prefix", prefix, "--inventory", address)
    ran = ops(standard, "backfill", "plan", *where)
    assert "2 objects" in ran.out
    assert "1 keys have characters that an inventory escapes" in ran.out
    name = begun(ops, standard, prefix, "--inventory", address)["run"]
    assert ended(standard, arn(standard, name))["status"] == "SUCCEEDED"


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("--bucket", "somebody-elses"), "the parameter BackfillBucket names (photos)"),
        (("--prefix", "labelled/"), "only objects under uploads/ may be read"),
        (("--inventory", "s3://elsewhere/manifest.json"), "InventoryBucket (inventories)"),
        (("a-run",), "plan takes no run"),
    ],
    ids=("bucket", "prefix", "inventory", "run"),
)
def test_what_may_not_be_read_is_refused_before_anything_is(
    ops: Ops, standard: Stack, words: tuple[str, ...], reason: str
) -> None:
    ran = ops(standard, "backfill", "plan", *words)
    assert (ran.code, reason in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"fileFormat": "Parquet"}, "Step Functions reads inventories in CSV alone"),
        ({"fileSchema": "Bucket, Key, Size"}, "it lacks ETag"),
        ({"fileSchema": "Bucket, Key, VersionId, Size, ETag"}, "it lists every version"),
        ({"sourceBucket": "another"}, "it lists the bucket another"),
    ],
    ids=("format", "no-etag", "versions", "bucket"),
)
def test_an_inventory_that_will_not_do_is_refused(
    ops: Ops, standard: Stack, picture: bytes, change: dict[str, str], reason: str
) -> None:
    prefix = put(standard, {"a.png": picture})
    key, s3 = inventory(standard, prefix), standard.aws.client("s3")
    manifest = json.load(s3.get_object(Bucket=INVENTORIES, Key=key)["Body"]) | change
    s3.put_object(Bucket=INVENTORIES, Key=key, Body=json.dumps(manifest).encode())
    address = f"s3://{INVENTORIES}/{key}"
    ran = ops(standard, "backfill", "plan", "--bucket", BUCKET, "--inventory", address)
    assert (ran.code, reason in ran.err) == (2, True), ran.err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("watch", "--budget", "5"), "watch takes no --budget"),
        (("stop", "--tolerate", "0"), "stop takes no --tolerate"),
        (("resume", "--sample", "1%"), "resume takes no --sample"),
        (("list", "--once"), "list takes no --once"),
    ],
    ids=("watch", "stop", "resume", "list"),
)
def test_an_option_of_another_action_is_refused(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], reason: str
) -> None:
    assert main(["backfill", *words]) == 2
    assert reason in capsys.readouterr().err


def test_a_missing_action_is_called_as_in_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    for words, told in (((), "required: ACTION"), (("--help",), "\n  ACTION ")):
        with pytest.raises(SystemExit):
            main(["backfill", *words])
        assert told in "".join(capsys.readouterr())


def test_without_a_terminal_the_answer_is_no(ops: Ops, standard: Stack, picture: bytes) -> None:
    prefix = put(standard, {"a.png": picture})
    ran = ops(standard, "backfill", "start", "--bucket", BUCKET, "--prefix", prefix)
    assert (ran.code, "nothing was changed" in ran.err) == (1, True)
    assert recorded(standard, prefix) == {}


def test_a_sample_is_a_share_and_a_larger_one_has_all_of_a_smaller() -> None:
    keys = [f"{number}.jpg" for number in range(20_000)]
    one, five = ({k for k in keys if chosen("b", k, below(share))} for share in (0.01, 0.05))
    assert one < five
    assert len(one) == pytest.approx(200, rel=0.3)
    assert len(five) == pytest.approx(1000, rel=0.15)
    assert all(chosen("b", key, below(1)) for key in keys)
    assert below(1) == EVERY


def pages(objects: int) -> Any:
    for first in range(0, objects, 1000):
        yield [Photo(f"{n:09}.jpg", f"{n:032x}", 2) for n in range(first, first + 1000)]


def test_a_plan_of_many_asks_of_a_sample_and_says_about_how_many_are_decided() -> None:
    asked: list[str] = []

    def outcomes(names: list[str]) -> dict[str, str]:
        asked.extend(names)  # a quarter is decided
        return {name: "accepted" for name in names if int(name.rpartition("#")[2], 16) % 4 == 0}

    found = count(pages(100_000), Source("bucket", ""), outcomes)
    assert (found.objects, found.bytes, found.exact) == (100_000, 200_000, False)
    assert ASKED_FIRST < len(asked) < ASKED_FIRST + 1500
    assert found.known == pytest.approx(25_000, rel=0.1)
    assert found.to_decide == found.objects - found.known
    sample = count(pages(100_000), Source("bucket", "", share=0.01), outcomes)
    assert (sample.listed, sample.exact) == (100_000, True)
    assert sample.objects == pytest.approx(1000, rel=0.2)
    few = count(pages(5000), Source("bucket", ""), outcomes)
    assert (few.exact, few.known) == (True, 1250)


def test_what_was_gone_when_it_was_read_is_to_decide_and_a_failure_is_not() -> None:
    found = Count(objects=3)
    found.add(["absent", "failed", "accepted"])
    assert (found.to_decide, found.failed, found.decided) == (1, 1, 1)


def test_an_estimate_names_the_limits_that_the_concurrency_exceeds() -> None:
    few = Estimate(1000, 1000, "STANDARD", 20, Endpoint(1, 1))
    assert few.hit == []
    assert few.per_second == few.wanted
    many = Estimate(1000, 1000, "STANDARD", 10_000, Endpoint(0, 20))
    assert next(limit.partition(":")[0] for limit in many.hit) == "StartExecution of STANDARD"
    assert many.per_second == 300
    assert many.hours < few.hours
    assert many.photo_dollars > few.photo_dollars  # it pays the endpoint by use


def test_half_of_a_new_account_s_functions_is_busy_at_the_concurrency_that_the_page_names() -> None:
    _header, new, *others = shared()
    half = int(new[2])
    busy = Estimate(1000, 1000, "EXPRESS", half, Endpoint(0, 200)).functions
    assert busy == pytest.approx(NEW_LAMBDAS / 2, rel=0.05)
    assert all(int(row[2].replace(",", "")) > CONCURRENCY for row in (new, *others))


@pytest.mark.parametrize("endpoint", [Endpoint(1, 1), Endpoint(100, 100), Endpoint(0, 200)])
def test_a_plan_fits_80_columns(endpoint: Endpoint) -> None:
    source = Source("photos-of-many-years", "2024/", ("inventories", "photos/manifest.json"), 0.1)
    found = Count(100_000_000, 100_000_000, 10**15, 1_000_000, failed=99_999, escaped=10_000_000)
    estimate = Estimate(found.listed, found.to_decide, "STANDARD", 10_000, endpoint)
    told = as_text(source, found, estimate)
    assert wide(told) == []
    assert ("1 instance\n" in told) == (endpoint.instances == 1)


def test_what_start_prints_fits_80_columns_but_for_the_command(
    ops: Ops, standard: Stack, picture: bytes
) -> None:
    where = ("--bucket", BUCKET, "--prefix", put(standard, {"a.png": picture}))
    told = ops(standard, "backfill", "start", *where, "--yes").out
    name = re.search("^started ([0-9-]+)$", told, re.MULTILINE)[1]  # type: ignore[index]
    assert [line for line in wide(told) if f"ops backfill watch {name}" not in line] == []
    ended(standard, arn(standard, name))


def test_a_serverless_endpoint_takes_as_many_as_its_concurrency() -> None:
    serverless = {"ProductionVariants": [{"CurrentServerlessConfig": {"MaxConcurrency": 7}}]}
    assert Endpoint.of(serverless) == Endpoint(0, 7)
    assert Endpoint.of({"ProductionVariants": [{"CurrentInstanceCount": 3}]}) == Endpoint(3, 3)
