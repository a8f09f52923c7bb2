"""python -m ops picture and export: what is drawn, and what can be imported again."""

import base64
import io
import itertools
import json
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from PIL import Image

from ops.__main__ import main
from ops.drawing.execution import decision_of, title_of, visits_of
from ops.drawing.state_machine import Visit, draw
from tests.support.cloud import Stack
from tests.support.ops import Ops
from tests.support.project import ROOT, state_machine
from tests.support.workflow import decided

ASL = "statemachine/classify_image.asl.json"
SVG = "{http://www.w3.org/2000/svg}"
BEGIN = datetime(2024, 6, 4, 12, tzinfo=UTC)
Point = tuple[float, float]


def lines(svg: str) -> Iterator[tuple[Point, Point]]:
    """Yield both ends of each straight piece of a line."""
    for line in ElementTree.fromstring(svg).iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        yield from itertools.pairwise(points)


def words(svg: str) -> Iterator[tuple[str, float, float, float, float]]:
    """Yield each text and its box: left, top, right, bottom; letters are at most so wide."""
    for text in ElementTree.fromstring(svg).iter(f"{SVG}text"):
        x, y, size = (float(text.attrib[name]) for name in ("x", "y", "font-size"))
        width = 0.58 * size * len(text.text or "")
        shift = {"start": 0.0, "middle": 0.5, "end": 1.0}[text.attrib["text-anchor"]]
        yield text.text or "", x - shift * width, y - 0.8 * size, x + (1 - shift) * width, y


def test_no_line_runs_through_a_word() -> None:
    svg = draw(state_machine())
    for word, left, top, right, bottom in words(svg):
        for (ax, ay), (bx, by) in lines(svg):
            beside = max(ax, bx) < left or min(ax, bx) > right
            assert beside or max(ay, by) < top or min(ay, by) > bottom, word


def test_the_ways_from_one_side_of_a_state_do_not_cross() -> None:
    """The detours of Serialize image: each piece across ends before it meets one downwards."""
    root = ElementTree.fromstring(draw(state_machine()))
    [serialize] = [box for box in root.iter(f"{SVG}rect") if box.attrib["height"] == "50"][:1]
    side = float(serialize.attrib["x"]) + float(serialize.attrib["width"])
    top = float(serialize.attrib["y"])
    ways = []
    for line in root.iter(f"{SVG}polyline"):
        points = [tuple(map(float, point.split(","))) for point in line.attrib["points"].split()]
        if points[0][0] == side and top < points[0][1] < top + 50:
            ways.append(points)
    assert len(ways) == 3
    for one, other in itertools.permutations(ways, 2):
        for (ax, ay), (bx, by) in itertools.pairwise(one):
            for (cx, cy), (dx, dy) in itertools.pairwise(other):
                if ay == by and cx == dx:  # across, and down
                    assert not (
                        min(ax, bx) <= cx <= max(ax, bx) and min(cy, dy) <= ay <= max(cy, dy)
                    )


def test_a_png_is_the_same_picture_at_twice_its_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    for name in ("a.svg", "a.png"):
        assert main(["picture", "--definition", ASL, "--out", str(tmp_path / name)]) == 0
    drawn = ElementTree.fromstring((tmp_path / "a.svg").read_text())
    picture = Image.open(io.BytesIO((tmp_path / "a.png").read_bytes()))
    assert picture.format == "PNG"
    assert picture.size == tuple(2 * int(drawn.attrib[side]) for side in ("width", "height"))
    assert len(picture.convert("RGB").getcolors(2**20) or []) > 5


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "{}", '{"StartAt": "A", "States": {}}', '{"StartAt": 1, "States": {"A": 1}}'],
)
def test_a_file_that_holds_no_state_machine_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    (tmp_path / "a.json").write_text(text)
    out = str(tmp_path / "a.svg")
    assert main(["picture", "--definition", str(tmp_path / "a.json"), "--out", out]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path}/a.json holds no state machine")
    assert told.count("\n") == 1


def history(*events: tuple[str, float, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events of GetExecutionHistory: type, second, details."""
    return [
        {"type": kind, "timestamp": BEGIN + timedelta(seconds=second)} | details
        for kind, second, details in events
    ]


def entered(name: str) -> dict[str, Any]:
    return {"stateEnteredEventDetails": {"name": name}}


def exited(name: str) -> dict[str, Any]:
    return {"stateExitedEventDetails": {"name": name}}


def test_a_history_tells_states_in_order_with_time_retries_and_errors() -> None:
    throttled = {"taskFailedEventDetails": {"error": "Lambda.TooManyRequestsException"}}
    refused = {"taskFailedEventDetails": {"error": "EndpointRefused"}}
    visits = visits_of(
        history(
            ("ExecutionStarted", 0, {}),
            ("TaskStateEntered", 0, entered("Serialize image")),
            ("TaskScheduled", 0, {}),
            ("TaskFailed", 1, throttled),
            ("TaskScheduled", 2, {}),
            ("TaskSucceeded", 2.5, {}),
            ("TaskStateExited", 2.5, exited("Serialize image")),
            ("TaskStateEntered", 2.5, entered("Classify image")),
            ("TaskScheduled", 2.5, {}),
            ("TaskFailed", 3, refused),
            ("TaskStateExited", 3, exited("Classify image")),
            ("FailStateEntered", 3, entered("Workflow failed")),
            ("ExecutionFailed", 3, {"executionFailedEventDetails": {"error": "EndpointRefused"}}),
        )
    )
    assert list(visits) == ["Serialize image", "Classify image", "Workflow failed"]
    assert visits["Serialize image"] == Visit(2.5, retries=1, error="")
    assert visits["Classify image"] == Visit(0.5, retries=0, error="EndpointRefused")
    assert visits["Workflow failed"] == Visit(None)


def test_a_picture_of_an_execution_tells_what_it_passed(
    ops: Ops, standard: Stack, images: Path, tmp_path: Path
) -> None:
    item = decided(standard, (images / "bicycle.png").read_bytes())
    out = tmp_path / "execution.svg"
    ran = ops(standard, "picture", "--execution", item["execution"], "--out", str(out))
    assert ran.code == 0, ran.err
    assert re.search(rf"{item['s3_key']}: SUCCEEDED in [\d,]+ ms", ran.out)
    drawn = out.read_text()
    assert len(re.findall(r">[\d,]+ ms<", drawn)) == 4
    assert f">accepted: bicycle {float(item['confidence']):.3f}<" in drawn
    root = ElementTree.fromstring(drawn)
    [picture] = root.iter(f"{SVG}image")
    kind, _, text = picture.attrib["href"].partition(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(text))) as canonical:
        assert (kind, canonical.size) == ("data:image/png", (256, 256))
    assert root.attrib["style"] == "max-width:100%;height:auto"


def test_a_drawing_keeps_every_word_apart_and_within_its_edges() -> None:
    title = f"uploads/{'m' * 1000}.jpg: SUCCEEDED in 1,234 ms"
    svg = draw(state_machine(), {}, title, decision="accepted: bicycle 0.994", picture="data:,")
    width = float(ElementTree.fromstring(svg).attrib["width"])
    boxes = list(words(svg))
    assert all(left >= 0 and right <= width for _, left, _, right, _ in boxes)
    for (one, *a), (other, *b) in itertools.combinations(boxes, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, (one, other)


def gave(name: str, kind: str = "Task", **document: str) -> tuple[str, float, dict[str, Any]]:
    output = json.dumps(document)
    return f"{kind}StateExited", 1, {"stateExitedEventDetails": {"name": name, "output": output}}


ACCEPTED = gave("Record decision", outcome="accepted", label="bicycle", confidence="0.99421")
REJECTED = gave("Record decision", outcome="rejected", label="", reason="too_large")
SUCCEEDED: tuple[str, float, dict[str, Any]] = ("ExecutionSucceeded", 2, {})
FAILED = ("ExecutionFailed", 2, {"executionFailedEventDetails": {"error": "EndpointRefused"}})


@pytest.mark.parametrize(
    ("events", "told"),
    [
        pytest.param([ACCEPTED, SUCCEEDED], "accepted: bicycle 0.994", id="decided"),
        pytest.param([REJECTED, SUCCEEDED], "rejected: too_large", id="rejected"),
        pytest.param([ACCEPTED, FAILED], "failed: EndpointRefused", id="failed"),
        pytest.param([ACCEPTED], "", id="still running"),
        pytest.param(
            [ACCEPTED, gave("Already decided", "Succeed", outcome="accepted"), SUCCEEDED],
            "already decided",
            id="not recorded",
        ),
        pytest.param([("TaskStateExited", 1, exited("A")), SUCCEEDED], "", id="no documents"),
        pytest.param([], "", id="no history"),
    ],
)
def test_what_an_execution_found_is_told_once_it_is_recorded(
    events: list[tuple[str, float, dict[str, Any]]], told: str
) -> None:
    assert decision_of(history(*events)) == told


def test_a_title_is_one_that_any_reader_of_svg_takes() -> None:
    key = json.dumps({"detail": {"object": {"key": "a\x07\u202e<b>&.png"}}})
    execution = {"input": key, "name": "1", "status": "RUNNING", "startDate": BEGIN}
    root = ElementTree.fromstring(draw(state_machine(), {}, title_of(execution)))
    titled = root.find(f"{SVG}title")
    assert titled is not None
    assert titled.text == "a\\u0007\\u202e<b>&.png: RUNNING since 2024-06-04 12:00:00 UTC"


@contextmanager
def throttled(stack: Stack, step: str) -> Iterator[None]:
    """Let a function of a stack not run."""
    client = stack.aws.client("lambda")
    machine = stack.aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=stack.outputs["StateMachineArn"]
    )
    states = json.loads(machine["definition"])["States"]
    name = states[step]["Parameters"]["FunctionName"]
    client.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    try:
        yield
    finally:
        client.delete_function_concurrency(FunctionName=name)


def test_an_execution_that_still_runs_is_drawn_as_far_as_it_has_come(
    ops: Ops, standard: Stack, images: Path, tmp_path: Path
) -> None:
    states = standard.aws.client("stepfunctions")
    with throttled(standard, "Serialize image"):
        name = f"{uuid.uuid4()}.png"
        followed = standard.follower.upload((images / "bicycle.png").read_bytes(), name)
        running: list[dict[str, Any]] = []
        while not running:
            running = states.list_executions(
                stateMachineArn=standard.outputs["StateMachineArn"], statusFilter="RUNNING"
            )["executions"]
        out = tmp_path / "running.png"
        arn = running[0]["executionArn"]
        ran = ops(standard, "picture", "--execution", arn, "--out", str(out))
    assert ran.code == 0, ran.err
    assert re.search(rf"{name}: RUNNING since 20[\d-]+ [\d:]+", ran.out)
    assert out.stat().st_size > 1000
    assert standard.follower.outcome(followed.upload)


def test_a_title_tells_the_object_or_else_the_execution() -> None:
    execution = {"input": "{}", "name": "by-hand", "status": "RUNNING", "startDate": BEGIN}
    assert title_of(execution) == "by-hand: RUNNING since 2024-06-04 12:00:00 UTC"


def test_that_an_express_workflow_keeps_no_executions_is_reported(ops: Ops, express: Stack) -> None:
    ran = ops(express, "picture", "--execution", "latest")
    assert ran.code == 2
    assert "runs as EXPRESS, which keeps no history" in ran.err


def test_what_is_exported_can_be_created_again_and_runs(
    ops: Ops, standard: Stack, images: Path, tmp_path: Path
) -> None:
    file = tmp_path / "exported.json"
    assert ops(standard, "export", "--out", str(file)).code == 0
    text = file.read_text()
    assert "${" not in text
    assert json.loads(text)["States"].keys() == state_machine()["States"].keys()
    assert ops(standard, "export").out == text
    states = standard.aws.client("stepfunctions")
    before = states.describe_state_machine(stateMachineArn=standard.outputs["StateMachineArn"])
    imported = states.create_state_machine(
        name=f"imported-{uuid.uuid4().hex[:8]}", definition=text, roleArn=before["roleArn"]
    )["stateMachineArn"]
    event = decided(standard, (images / "bicycle.png").read_bytes())["event"]
    arn = states.start_execution(stateMachineArn=imported, input=event)["executionArn"]
    while (found := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        pass
    states.delete_state_machine(stateMachineArn=imported)
    assert found["status"] == "SUCCEEDED"  # already decided: a quiet end
