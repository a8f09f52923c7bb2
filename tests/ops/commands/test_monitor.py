"""python -m ops monitor: what it reads, and what it says of it."""

import base64
import io
import json
import re
import struct
import subprocess
import sys
import tracemalloc
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import sleep
from typing import Any

import pytest
from PIL import Image

from cli.terminal import own_command
from local.deployment import captures_bucket
from model.endpoint import capture_lines
from model.endpoint.artifacts import card_key
from ops.__main__ import main
from ops.monitoring import capture_files
from ops.monitoring.baseline import CARD, Baseline
from ops.monitoring.captures import Captures
from ops.monitoring.observations import decide
from ops.monitoring.windows import Windows
from ops.stack.outputs import Stack as DeployedStack
from tests.functions.serialize.misbehaving_s3 import Answer, misbehaving_s3
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.project import ACCEPT, ROOT
from tests.support.workflow import decided as decision_of

NOON = datetime(2024, 6, 4, 12, tzinfo=UTC)
SAMPLES = ("bicycle.png", "car.png", "cat.jpg", "kick-scooter.png", "motorcycle-drawing.png")
OURS = {"inferences": [{"label": "bicycle", "confidence": 0.99}], "model": "one"}


def picture() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), "grey").save(out, "PNG")
    return out.getvalue()


def line(
    answer: Any = OURS,
    encoding: str = "JSON",
    minute: float = 0,
    time: str | None = None,
    image: bytes | None = None,
) -> str:
    """Return a line as SageMaker writes it."""
    sent = picture() if image is None else image
    text = answer if isinstance(answer, str) else json.dumps(answer)
    data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
    record = {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png",
                "mode": "INPUT",
                "data": base64.b64encode(sent).decode(),
                "encoding": "BASE64",
            },
            "endpointOutput": {
                "observedContentType": "application/json",
                "mode": "OUTPUT",
                "data": data,
                "encoding": encoding,
            },
        },
        "eventMetadata": {
            "eventId": "1",
            "inferenceTime": time
            or (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }
    return json.dumps(record)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "captures" / "name" / "AllTraffic" / "2024" / "06" / "04" / "12"
    place.mkdir(parents=True)
    return place


def unwrapped(said: str) -> str:
    """Return what was printed with each sentence on one line."""
    return said.replace("\n  ", " ")


def monitored(folder: Path, *words: str) -> int:
    """Run the command on the capture files around a folder."""
    top = folder.parents[5]
    return main(["monitor", "--captures", str(top), "--out", str(top / "report"), *words])


@pytest.mark.parametrize("encoding", ["JSON", "BASE64", "CSV"])
def test_an_endpoint_of_the_built_in_algorithm_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    (folder / "a.jsonl").write_text(f"{line('[0.98, 0.02]', encoding)}\n" * 5)
    monitored(folder, "--labels", "bicycle,motorcycle", "--threshold", "0.9")
    said = capsys.readouterr().out
    assert "bicycle 100%" in said
    assert "accepted" in said
    assert "100.0%" in said
    monitored(folder, "--labels", "bicycle,motorcycle", "--threshold", "0.99")
    assert "accepted   " not in capsys.readouterr().out.partition("against")[0]


def test_numbers_without_labels_are_refused_with_the_way_out(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text(line("[0.98, 0.02]") + "\n")
    assert monitored(folder) == 2
    assert "1 numbers without labels: name these in their order with" in capsys.readouterr().err


def test_bad_lines_are_counted_and_the_rest_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(capture_lines, "LINE_LIMIT", 5_000)
    lines = [
        line(),
        "{",
        "[]",
        "null",
        '{"eventMetadata": {"inferenceTime": "yesterday"}}',
        "[" * 2_000,
        "x" * 20_000,
        line("[0.5]"),
        line({"inferences": []}),
        line({"inferences": [{"label": "bicycle", "confidence": 7}]}),
        line({"inferences": [{"label": "bicycle", "confidence": "NaN"}]}),
        line()[:-40],
        "",
        line(minute=1),
    ]
    (folder / "a.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "b.jsonl").write_bytes(b"\xff\xfe\n" + line().encode())
    monitored(folder, "--labels", "bicycle,motorcycle")
    said = capsys.readouterr().out
    assert "inferences                  3" in said
    left = [int(row.split()[3]) for row in said.splitlines() if row.startswith("! left out")]
    assert sum(left) == 12, said
    assert "longer than 5,000 bytes" in said


def labelled(label: str) -> dict[str, Any]:
    return {"inferences": [{"label": label, "confidence": 0.5}], "model": "one"}


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def with_chunk(name: bytes, data: bytes) -> bytes:
    """Return a PNG with one chunk more before its pixels."""
    at = picture().index(b"IDAT") - 4
    return picture()[:at] + chunk(name, data) + picture()[at:]


@pytest.mark.parametrize(
    "odd",
    [
        line("[1" + "0" * 400 + ",0]"),
        line('{"inferences": [{"label": "b", "confidence": 1' + "0" * 400 + "}]}"),
        line("[]"),
        line("[0.98, 0.02]"),
        line(labelled("a\ud800b")),
        line(OURS, time="0001-01-01T00:00:00Z"),
        line(OURS, time="0001-01-01T00:00:00+23:59"),
        line(OURS, time="9999-12-31T23:59:59Z"),
        line(OURS, time="1970-01-01T00:00:00Z"),
        line().replace('"captureData": {', '"captureData": [1], "other": {'),
    ],
    ids=["a huge integer", "a huge confidence", "no number", "numbers without labels",
         "half a character", "year 1",
         "before year 1", "year 9999", "1970", "data that is a list"],
)  # fmt: skip
def test_an_odd_line_is_left_out_and_counted(
    folder: Path, capsys: pytest.CaptureFixture[str], odd: str
) -> None:
    (folder / "a.jsonl").write_text(f"{line()}\n{odd}\n")
    assert monitored(folder) == 0
    said = capsys.readouterr().out
    assert "inferences                  1" in said
    assert "! left out, 1 lines" in said


@pytest.mark.parametrize(
    "odd",
    [
        line(image=b"no picture"),
        line(image=with_chunk(b"gAMA", b"\0")),
        line(image=with_chunk(b"cHRM", b"abc")),
        line(image=with_chunk(b"tRNS", b"")),
        line(image=with_chunk(b"iCCP", b"")),
        re.sub(r'"endpointInput": \{[^}]*\}', '"endpointInput": [1]', line()),
        re.sub(r'"endpointInput": \{[^}]*\}, ', "", line()),
        line(labelled("$\\frac$")),
        line(labelled("a$x_$b")),
        line(labelled("_hidden")),
        line(labelled("a\x1b\0c")),
        line(labelled("\U0001f6b2")),
    ],
    ids=["no picture", "a short gAMA", "a short cHRM", "an empty tRNS", "an empty iCCP",
         "an input that is a list", "no input", "half a formula", "a formula", "an underscore",
         "control characters", "a bicycle"],
)  # fmt: skip
def test_an_odd_picture_or_label_is_an_inference_like_others(
    folder: Path, capsys: pytest.CaptureFixture[str], odd: str
) -> None:
    (folder / "a.jsonl").write_text(f"{line()}\n{odd}\n")
    assert monitored(folder) == 0
    said = capsys.readouterr().out
    assert "inferences                  2" in said
    assert "left out" not in said
    assert (folder.parents[5] / "report" / "index.html").read_text().count("<svg") == 4


# The KB by which a capture line raises the peak of a process that has read none.
PEAK = """
import resource, sys
from ops.monitoring.baseline import CARD, Baseline
from ops.monitoring.captures import Captures

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
assert Captures([], 0.9, 0, 128).observation(sys.stdin.buffer.read()).statistics == {}
print(peak() - before)
"""


def test_an_animated_png_takes_no_more_memory_than_a_plain_one() -> None:
    """115 bytes whose header names a frame of 13,000 x 13,000 pixels."""
    side = struct.pack(">II", 13_000, 13_000)
    frame = struct.pack(">I", 0) + side + struct.pack(">IIHHBB", 0, 0, 1, 1, 1, 0)
    animated = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", side + bytes([8, 6, 0, 0, 0]))
        + chunk(b"acTL", struct.pack(">II", 2, 0))
        + chunk(b"fcTL", frame)
        + chunk(b"IDAT", b"")
        + chunk(b"IEND", b"")
    )
    ended = subprocess.run(
        [sys.executable, "-c", PEAK],
        input=line(image=animated).encode(),
        capture_output=True,
        check=True,
        cwd=ROOT,
    )
    assert int(ended.stdout) < 50_000  # KB


@pytest.mark.parametrize("lines", [1, 30_000], ids=["a small file", "a large file"])
def test_a_file_of_s3_whose_transfer_breaks_off_is_read_again(
    monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    body = b'{"a line": "of a capture file"}\n' * lines
    listing = (
        b"<ListBucketResult><Name>b</Name><IsTruncated>false</IsTruncated><Contents>"
        b"<Key>c/2024/06/04/12/a.jsonl</Key></Contents></ListBucketResult>"
    )
    broken = Answer(body=body[: len(body) // 2], length=len(body))
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "any")
    answers = (Answer(body=listing), Answer(length=len(body)), broken, Answer(body=body))
    with misbehaving_s3(*answers) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
        read = list(capture_files.in_s3(DeployedStack("any", "us-east-1"), "s3://b/c/", None))
    assert read == body.splitlines(keepends=True)


def test_nothing_to_read_is_an_error_that_tells_what_to_give(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for words, told in (
        (["--captures", str(tmp_path / "none")], "is no folder: give one with .jsonl files"),
        (["--captures", str(tmp_path)], "holds no .jsonl file"),
        (["--captures", "s3:///a"], "names no bucket: write s3://BUCKET/PREFIX"),
        (["--captures", str(tmp_path), "--baseline", "nowhere.json"], "nowhere.json: No such file"),
    ):
        assert main(["monitor", *words]) == 2
        assert told in capsys.readouterr().err
    (tmp_path / "card.json").write_text('{"version": "1"}')
    (tmp_path / "a.jsonl").write_text("{\n")
    assert main(["monitor", "--captures", str(tmp_path)]) == 2
    assert "nothing to report; 1 lines left out" in capsys.readouterr().err
    words = ["--captures", str(tmp_path), "--baseline", str(tmp_path / "card.json")]
    assert main(["monitor", *words]) == 2
    assert "holds no baseline" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("answer", "words", "told"),
    [
        ("0.9,0.1", [], "1 an answer that is no JSON, CSV for instance"),
        ("[[0.9, 0.1]]", [], "1 lists in a list: an answer must be of one picture"),
        ('["0.9", "0.1"]', [], "1 a confidence that is no number"),
        ("[0.9, NaN]", [], "1 a confidence outside 0..1"),
        ("[0.9, 0.1]", ["--since", "2024-06-05"], ""),
    ],
    ids=["CSV", "a list in a list", "text", "not a number", "since"],
)
def test_look_further_back_is_said_only_where_it_helps(
    folder: Path, capsys: pytest.CaptureFixture[str], answer: str, words: list[str], told: str
) -> None:
    """All of the captures are read, unless --since is given."""
    (folder / "a.jsonl").write_text(line(answer) + "\n")
    assert monitored(folder, "--labels", "bicycle,other", *words) == 2
    said = capsys.readouterr().err
    assert told in said
    assert ("look further back" in said) == bool(words)


@pytest.mark.parametrize("words", [["--false-alarms", "2"], ["--labels", "a,,b"], ["--since", "x"]])
def test_options_that_mean_nothing_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(["monitor", *words])
    assert stopped.value.code == 2


def test_since_leaves_out_what_is_older(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    earlier = folder.with_name("10")
    earlier.mkdir()
    # The name of its hour alone keeps this file from being opened.
    (earlier / "a.jsonl").write_text("never read\n")
    (folder / "a.jsonl").write_text(line(minute=0) + "\n" + line(minute=30) + "\n")
    monitored(folder, "--since", "2024-06-04T12:15")
    said = capsys.readouterr().out
    assert "inferences                  1" in said
    assert "left out" not in said


def peak_of(lines: int) -> int:
    """Return the most bytes held while so many captures, of many labels, are read."""

    def made() -> Iterator[bytes]:
        for i in range(lines):
            answer = {"inferences": [{"label": f"class {i}", "confidence": 0.5}], "model": f"{i}"}
            yield line(answer, minute=i).encode()

    tracemalloc.start()
    windows = Windows()
    windows.add_all(Captures([], 0.9, 0, 128).read(made(), None))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_captures() -> None:
    peak_of(10)  # whatever is imported on first use
    assert peak_of(8_000) < 1.5 * peak_of(1_000)


def test_a_baseline_of_what_is_seen_finds_no_drift_in_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = {"inferences": [{"label": "boat", "confidence": 0.7}], "model": "two"}
    lines = [line(odd if i % 3 else OURS, minute=i) for i in range(120)]
    (folder / "a.jsonl").write_text("\n".join(lines))
    good = folder / "good.json"
    assert monitored(folder, "--write-baseline", str(good)) == 0
    assert "! the baseline is the pictures that the model was trained on" in capsys.readouterr().out
    assert monitored(folder, "--baseline", str(good)) == 0
    said = capsys.readouterr().out
    assert "No drift" in said
    assert "boat 67%, bicycle 33%" in said
    assert "the pictures that the model was trained on" not in said


def test_the_summary_as_json_says_what_the_page_does(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text("\n".join(line(labelled("boat")) for _ in range(30)))
    assert monitored(folder, "--json") == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["verdict"].startswith("Drift in confidence, label mix")
    assert {row["name"] for row in found["comparisons"] if row["drift"]} >= {"label mix"}
    assert found["figures"]["inferences"]["value"] == "30"
    assert f"Report: {folder.parents[5]}" in printed.err


@pytest.mark.parametrize("given", ["model/pretrained", "model/pretrained/card.json", None])
def test_the_card_of_the_model_in_use_is_the_baseline_or_how_to_give_it_is_said(
    folder: Path, capsys: pytest.CaptureFixture[str], given: str | None
) -> None:
    version = Baseline.read(CARD).model
    for model in (version, "another"):
        (folder / "a.jsonl").write_text(line(OURS | {"model": model}))
        monitored(folder, *(["--baseline", str(ROOT / given)] if given else []))
        advice = "give the card of the model in use, --baseline FOLDER/card.json"
        assert (advice in unwrapped(capsys.readouterr().out)) == (model == "another")


def test_a_baseline_of_too_few_is_refused(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "a.jsonl").write_text("\n".join(line() for _ in range(99)))
    good = folder / "good.json"
    assert monitored(folder, "--write-baseline", str(good)) == 2
    assert "99 inferences are too few for a baseline, 100 the least" in capsys.readouterr().err
    assert not good.exists()


def test_sentences_of_the_summary_fit_a_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text("\n".join(line(labelled("boat")) for _ in range(30)))
    assert monitored(folder) == 1
    said = capsys.readouterr().out
    remark, verdict = said[said.index("! ") :], said[said.index("Drift in ") :]
    remark, verdict = remark[: remark.index("\nagainst ")], verdict[: verdict.index("\nReport: ")]
    assert "--write-baseline" in remark  # an option is not broken at its hyphens
    assert max(map(len, (remark + verdict).splitlines())) <= 80 < len(unwrapped(remark))


def test_too_few_inferences_are_shown_and_not_judged(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text("\n".join(line(labelled("boat")) for _ in range(4)))
    assert monitored(folder) == 0
    assert "Not judged. 5 inferences are the least." in capsys.readouterr().out


def test_what_makes_a_comparison_worth_little_is_reported(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text("\n".join(line("[0.98, 0.02]") for _ in range(30)))
    monitored(folder, "--labels", "bicycle,motorcycle", "--threshold", "0.9")
    said = capsys.readouterr().out
    remarks = unwrapped(said)
    assert "! answers came from a model without a name (30); the baseline is of 2026" in remarks
    assert "! the baseline is the pictures that the model was trained on" in remarks
    assert f"not compared: it was decided at 0.900, the baseline's at {ACCEPT}" in remarks
    assert "\n  share accepted " not in said


def test_the_threshold_is_the_same_figure_everywhere(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text(line())
    monitored(folder)
    assert f"threshold {ACCEPT}" in capsys.readouterr().out
    assert f"threshold {ACCEPT}" in (folder.parents[5] / "report" / "index.html").read_text()


def test_the_period_ends_with_the_last_inference(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a.jsonl").write_text("\n".join(line(minute=m) for m in range(0, 300, 5)))
    monitored(folder)
    assert "2024-06-04 12:00 to 2024-06-04 16:55 UTC" in capsys.readouterr().out


def test_labels_without_a_colour_of_their_own_are_drawn_as_more(folder: Path) -> None:
    (folder / "a.jsonl").write_text(
        "\n".join(line(labelled(f"label {i % 12}"), minute=i) for i in range(120))
    )
    monitored(folder)
    page = (folder.parents[5] / "report" / "index.html").read_text()
    assert "label 2<" in page
    assert "label 11<" not in page.partition("<table>")[0]
    assert ">more labels<" in page


def test_figures_stand_in_the_same_order_whatever_their_size(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for sure in (1, 9):
        good, unsure = [line()] * sure, [line(labelled("bicycle"))] * (10 - sure)
        (folder / "a.jsonl").write_text("\n".join([*unsure, *good]))
        monitored(folder)
        said = capsys.readouterr().out
        assert said.index("  accepted ") < said.index("  review ")


def test_the_report_is_one_page_that_runs_nothing_it_was_given(folder: Path) -> None:
    script = "<script>alert(1)</script>"
    evil = {"inferences": [{"label": script, "confidence": 0.5}], "model": script}
    (folder / "a.jsonl").write_text("\n".join(line(evil, minute=i) for i in range(90)))
    monitored(folder)
    page = (folder.parents[5] / "report" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 5
    assert page.count("data:image/png;base64,") == 8
    assert "http" not in page.replace("http://www.w3.org", "")


def test_plots_leave_no_gap_in_rows_of_two(folder: Path) -> None:
    (folder / "a.jsonl").write_text("\n".join(line(minute=i) for i in range(90)))
    monitored(folder)
    page = (folder.parents[5] / "report" / "index.html").read_text()
    figures = re.findall(r"<figure( class='wide' tabindex='0')?><svg", page)
    assert figures.count("") % 2 == 0
    assert len(figures) == 5


def test_decide_is_what_the_workflow_does() -> None:
    assert decide("bicycle", 0.9, 0.9, 0) == "accepted"
    assert decide("bicycle", 0.89, 0.9, 0) == "review"
    assert decide("other", 1.0, 0.9, 0) == "review"


def test_the_ledger_and_the_captures_of_a_stack_tell_the_same(
    standard: Stack, ops: Ops, images: Path, tmp_path: Path
) -> None:
    # A capture's time is in whole seconds: what other tests sent in this one is not ours.
    began = datetime.now(UTC).replace(microsecond=0) + timedelta(seconds=1)
    sleep((began - datetime.now(UTC)).total_seconds())
    for name in SAMPLES:
        decision_of(standard, (images / name).read_bytes())
    decision_of(standard, b"no picture")
    since = ("--since", began.isoformat().replace("+00:00", ""), "--out", str(tmp_path))
    ledger = ops(standard, "monitor", *since)
    assert ledger.code in (0, 1)
    assert "uploads                     6" in ledger.out
    assert "rejected                16.7%  1" in ledger.out
    assert "median latency" in ledger.out
    captured = ops(standard, "monitor", "--captures", *since)
    assert "inferences                  5" in captured.out
    for name in ("share of other", "label mix", "share accepted"):
        [one], [two] = (
            [row.split("  ") for row in ran.out.splitlines() if row.startswith(f"  {name}")]
            for ran in (ledger, captured)
        )
        assert [cell for cell in one if cell != "drift"] == [
            cell for cell in two if cell != "drift"
        ]
    assert "<h2>The least confident</h2>" in (tmp_path / "index.html").read_text()


def test_an_endpoint_that_captures_nothing_is_reported(
    standard: Stack, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    from local.deployment import create_endpoint

    create_endpoint(standard.aws.client, "silent")
    monkeypatch.setitem(standard.outputs, "EndpointName", "silent")
    monkeypatch.setattr("ops.stack.outputs.Stack.outputs", standard.outputs)
    ran = ops(standard, "monitor", "--captures")
    assert ran.code == 2
    advice = own_command("model.create_endpoint", "--capture-percentage", "10")
    assert f"endpoint silent captures nothing: {advice}" in ran.err


def test_the_baseline_is_that_of_the_model_that_decided_last(
    standard: Stack, ops: Ops, images: Path, tmp_path: Path
) -> None:
    card = json.loads(CARD.read_text()) | {"version": "of-this-test"}
    answer = {"inferences": [{"label": "bicycle", "confidence": 0.999}], "model": card["version"]}
    bucket = captures_bucket(standard.aws.client, standard.outputs["EndpointName"])
    s3, key = standard.aws.client("s3"), card_key(card["version"])
    said = []
    for body in (None, json.dumps(card)):
        if body:
            s3.put_object(Bucket=bucket, Key=key, Body=body)
        standard.container.tell((200, "application/json", json.dumps(answer).encode()))
        decision_of(standard, (images / "bicycle.png").read_bytes())
        said.append(ops(standard, "monitor", "--json", "--out", str(tmp_path)))
    s3.delete_object(Bucket=bucket, Key=key)
    assert [ran.err.count("error") for ran in said] == [0, 0]
    models = [json.loads(ran.out)["baseline"]["model"] for ran in said]
    assert models == [json.loads(CARD.read_text())["version"], "of-this-test"]
