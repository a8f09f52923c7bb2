"""python -m ops monitor: what it reads, what it says of it, and when it cries wolf."""

import base64
import io
import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from scipy.stats import ks_2samp

from model.image_statistics import STATISTICS
from ops import captures, drift
from ops.__main__ import main
from ops.captures import Captures
from ops.drift import Baseline, judge
from ops.monitor import CARD
from ops.observations import Observation, decided
from ops.windows import LATENCY_EDGES, MOST_WINDOWS, Windows
from tests.conftest import Stack
from tests.ops.conftest import Ops
from tests.workflow.test_routes import decided as decision_of

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
OURS = {"inferences": [{"label": "bicycle", "confidence": 0.99}], "model": "one"}


def picture(shade: int = 128) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade, shade, shade)).save(out, "PNG")
    return out.getvalue()


def line(answer: Any = OURS, encoding: str = "JSON", minute: int = 0) -> str:
    """Return a line as SageMaker writes it."""
    text = answer if isinstance(answer, str) else json.dumps(answer)
    data = base64.b64encode(text.encode()).decode() if encoding == "BASE64" else text
    record = {
        "captureData": {
            "endpointInput": {
                "observedContentType": "image/png",
                "mode": "INPUT",
                "data": base64.b64encode(picture()).decode(),
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
            "inferenceTime": (NOON + timedelta(minutes=minute)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "eventVersion": "0",
    }
    return json.dumps(record)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "captures" / "name" / "AllTraffic" / "2026" / "11" / "24" / "12"
    place.mkdir(parents=True)
    return place


def monitored(folder: Path, *words: str) -> int:
    """Run the command on the capture files around a folder."""
    top = folder.parents[5]
    return main(["monitor", "--captures", str(top), "--out", str(top / "report"), *words])


@pytest.mark.parametrize("encoding", ["JSON", "BASE64", "CSV"])
def test_an_endpoint_of_the_built_in_algorithm_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    (folder / "a.jsonl").write_text(line("[0.98, 0.02]", encoding) + "\n")
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
    assert "answers 2 numbers without labels" in capsys.readouterr().err


def test_bad_lines_are_counted_and_the_rest_is_read(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(captures, "LINE_LIMIT", 5_000)
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
    monitored(folder, "--since", "2026-11-24T12:15")
    said = capsys.readouterr().out
    assert "inferences                  1" in said
    assert "left out" not in said


def seen(number: np.random.Generator, baseline: Baseline, **other: Any) -> Observation:
    """Draw an observation as the baseline describes them."""
    facts = baseline.facts
    share = facts["confidence"]["share"]
    confidence = (number.choice(20, p=share) + number.random()) / 20
    labels = facts["labels"]
    label = str(number.choice(list(labels), p=list(labels.values())))
    statistics = {
        name: float(np.interp(number.random(), [0, 0.05, 0.5, 0.95, 1], [
            0, *(facts[name][key] for key in ("p5", "p50", "p95")), top]))
        for name, (_, top) in STATISTICS.items()
    }  # fmt: skip
    # The card's share of accepted, in place of a threshold on made-up confidences.
    outcome = "accepted" if number.random() < facts["accepted_share"] else "review"
    drawn = Observation(NOON, outcome, "m", label, confidence, 0.9, statistics=statistics)
    return replace(drawn, **other)


def reported(baseline: Baseline, many: int, seed: int, **other: Any) -> list[str]:
    """Return the names of what drifted among so many observations in six windows."""
    number, windows = np.random.default_rng(seed), Windows(timedelta(hours=1))
    for i in range(many):
        windows.add(seen(number, baseline, time=NOON + timedelta(hours=i % 6), **other))
    return sorted({each.name for each in judge(windows, baseline, 0.01).drifted})


def test_nothing_new_is_seldom_called_drift() -> None:
    """100 reports at 1 % cry wolf 4 times or oftener with a chance of 2 %; Bonferroni errs low."""
    baseline = Baseline.read(CARD)
    assert sum(bool(reported(baseline, 300, seed)) for seed in range(100)) < 4


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"confidence": 0.6}, "confidence"),
        ({"label": "bicycle"}, "label mix"),
        ({"label": "boat"}, "label mix"),
        ({"label": "other"}, "share of other"),
        ({"outcome": "review"}, "share accepted"),
        ({"statistics": {"brightness": 0.05}}, "brightness"),
        ({"statistics": {"sharpness": 0.001}}, "sharpness"),
        ({"statistics": {"colour": 0.0}}, "colour"),
    ],
)
def test_each_change_is_named(change: dict[str, Any], named: str) -> None:
    found = reported(Baseline.read(CARD), 300, 1, **change)
    assert named in found
    assert len(found) <= 3  # `other` is a matter of the label mix and of what is accepted, too


def test_the_test_on_bins_is_never_surer_than_the_one_on_values() -> None:
    number = np.random.default_rng(3)
    edges = np.linspace(0, 1, 21)
    for shift in (0.0, 0.05, 0.2, 0.5):
        was, now = number.random(1000), np.clip(number.random(80) * (1 - shift) + shift, 0, 1)
        binned = [np.histogram(values, edges)[0].astype(float) for values in (was, now)]
        exact = ks_2samp(was, now, method="asymp").pvalue
        coarse = drift.kolmogorov_smirnov(*binned)
        assert coarse >= exact * 0.999
        assert coarse < 0.01 or shift < 0.2


def test_psi_is_zero_of_equals_and_grows_with_the_distance() -> None:
    was = np.array([900.0, 100.0])
    values = [drift.psi(was, np.array([900.0 - k, 100.0 + k])) for k in (0, 50, 200)]
    assert values[0] == pytest.approx(0)
    assert values[0] < values[1] < values[2]
    # (0.7 - 0.9) ln(0.7 / 0.9) + (0.3 - 0.1) ln(0.3 / 0.1), the half counts aside
    assert values[2] == pytest.approx(0.27, abs=0.005)


def test_windows_double_and_lose_nothing() -> None:
    windows = Windows()
    for minute in range(1_000):
        time = NOON + timedelta(minutes=minute)
        windows.add(Observation(time, "accepted", "m", "bicycle", 0.99, 0.9, latency_s=1.0))
    starts = [start for start, _ in windows]
    assert MOST_WINDOWS // 2 <= len(starts) <= MOST_WINDOWS
    assert starts == sorted(starts)
    assert windows.length == timedelta(minutes=32)
    assert all(sums.uploads <= 32 for _, sums in windows)
    whole = windows.whole()
    assert whole.uploads == whole.inferences == whole.latency.sum() == 1_000
    assert whole.labels == {"bicycle": 1_000}


def test_quantiles_are_those_of_the_values() -> None:
    number, windows = np.random.default_rng(0), Windows()
    values = number.random(5_000)
    waits = number.lognormal(0, 1, 5_000)
    for value, wait in zip(values, waits, strict=True):
        windows.add(
            Observation(
                NOON, "review", "m", "other", value, 0.9, wait, statistics={"brightness": value}
            )
        )
    whole = windows.whole()
    for name, of in (("confidence", values), ("brightness", values)):
        assert whole.quantiles(name, [0.05, 0.5, 0.95]) == pytest.approx(
            np.quantile(of, [0.05, 0.5, 0.95]), abs=0.006
        )
    bin_width = LATENCY_EDGES[1] / LATENCY_EDGES[0] - 1
    assert whole.quantiles("latency", [0.5, 0.95]) == pytest.approx(
        np.quantile(waits, [0.5, 0.95]), rel=bin_width
    )


def peak_of(lines: int) -> int:
    """Return the most bytes held while so many captures, of many labels, are read."""

    def made() -> Iterator[bytes]:
        for i in range(lines):
            answer = {"inferences": [{"label": f"class {i}", "confidence": 0.5}], "model": f"{i}"}
            yield line(answer, minute=i).encode()

    tracemalloc.start()
    windows = Windows()
    windows.add_all(Captures([], 0.9, 128).read(made(), None))
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
    assert monitored(folder, "--write-baseline", str(good)) == 1
    capsys.readouterr()
    assert monitored(folder, "--baseline", str(good)) == 0
    said = capsys.readouterr().out
    assert "No drift" in said
    assert "boat 67%, bicycle 33%" in said


def test_the_report_is_one_page_that_runs_nothing_it_was_given(folder: Path) -> None:
    evil = {"inferences": [{"label": "<script>alert(1)</script>", "confidence": 0.5}]}
    (folder / "a.jsonl").write_text("\n".join(line(evil, minute=i) for i in range(90)))
    monitored(folder)
    page = (folder.parents[5] / "report" / "index.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert page.count("<svg") == 5
    assert page.count("data:image/png;base64,") == 8
    assert "http" not in page.replace("http://www.w3.org", "")


def test_decided_is_what_the_workflow_does() -> None:
    assert decided("bicycle", 0.9, 0.9) == "accepted"
    assert decided("bicycle", 0.89, 0.9) == "review"
    assert decided("other", 1.0, 0.9) == "review"


def test_the_ledger_and_the_captures_of_a_stack_tell_the_same(
    standard: Stack, ops: Ops, images: Path, tmp_path: Path
) -> None:
    began = datetime.now(UTC).replace(microsecond=0)
    for name in ("bicycle.png", "cat.jpg"):
        decision_of(standard, (images / name).read_bytes())
    decision_of(standard, b"no picture")
    since = ("--since", began.isoformat().replace("+00:00", ""), "--out", str(tmp_path))
    ledger = ops(standard, "monitor", *since)
    assert ledger.code in (0, 1)
    assert "uploads                     3" in ledger.out
    assert "rejected                33.3%  1" in ledger.out
    assert "median latency" in ledger.out
    captured = ops(standard, "monitor", "--captures", *since)
    assert "inferences                  2" in captured.out
    for name in ("share of other", "label mix", "share accepted"):
        [one], [two] = (
            [row.split("  ") for row in ran.out.splitlines() if row.startswith(f"  {name}")]
            for ran in (ledger, captured)
        )
        assert one == two
    assert "<h2>The least confident</h2>" in (tmp_path / "index.html").read_text()


def test_an_endpoint_that_captures_nothing_is_told(
    standard: Stack, ops: Ops, monkeypatch: pytest.MonkeyPatch
) -> None:
    from local.deployment import create_endpoint

    create_endpoint(standard.aws.client, "silent")
    monkeypatch.setitem(standard.outputs, "EndpointName", "silent")
    monkeypatch.setattr("ops.stack.Stack.outputs", standard.outputs)
    ran = ops(standard, "monitor", "--captures")
    assert ran.code == 2
    assert "endpoint silent captures nothing: python -m model.create_endpoint" in ran.err
