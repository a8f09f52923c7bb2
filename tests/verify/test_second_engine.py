"""The state machine in an engine that is not the embedded AWS's, every task's result given."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

import pytest

from tests.support.project import ROOT
from tests.verify.application import Application
from tests.verify.tools import LOCALSTACK, ToolMissing, offline_environment

ENGINE = ROOT / "tests/verify/second_engine.py"
BUCKET, ETAG, UPLOADED_AT = "uploads-123456789012", "9a0364b9e99bb480dd25e1f0284c8555", "2026-11-26"
SERIALIZED = {"s3_bucket": BUCKET, "image_data": "AA==", "content_type": "image/png"}
INFERENCES = [
    {"label": "bicycle", "confidence": 0.97},
    {"label": "other", "confidence": 0.02},
    {"label": "motorcycle", "confidence": 0.01},
]
FILTERED = {
    "decision": "accepted",
    "label": "bicycle",
    "confidence": 0.97,
    "inferences": INFERENCES,
    "model": "2026-11-20",
    "threshold": 0.93,
    "none_threshold": 0.9,
    "audit": "not_due",
    "audit_share": 2.0,
}
SURE = ["Serialize image", "Classify image", "Filter inferences", "Record decision"]

ODD_KEYS = {
    "spaces": "uploads/a b  c.jpg",
    "plus-and-percent": "uploads/a+b%20%2Fc.jpg",
    "umlaut": "uploads/Fahrräder/größe.jpg",
    "quotes": 'uploads/it\'s "new".jpg',
    "braces": "uploads/{0} {} ${x}.jpg",
    "backslash": "uploads/a\\b\\n.jpg",
    "json": 'uploads/{"key": [1, null]}.jpg',
    "joined-emoji": "uploads/\N{MAN}\N{ZERO WIDTH JOINER}\N{BICYCLE}.jpg",
    "hash": "uploads/a#b#c.jpg",
}
CONFIDENCES = {
    "none": 0.0,
    "one": 1.0,
    "least": 1e-07,
    "just-below-one": 0.9999999999999999,
    "binary-fraction": 0.1 + 0.2,
    "threshold": 0.93,
}


def returned(document: Any) -> dict[str, Any]:
    return {"Return": {"StatusCode": 200, "Payload": document}}


def thrown(error: str, message: str = "it is broken", times: int = 1) -> list[dict[str, Any]]:
    """Return what a task throws: an error with the Cause that Lambda makes of an exception."""
    cause = json.dumps({"errorMessage": message, "errorType": error, "stackTrace": []})
    return [{"Throw": {"Error": error, "Cause": cause}}] * times


def case(key: str = "uploads/a.jpg", **tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return an execution in which all goes well but what `tasks` says, by a state's first word."""
    results = {
        "Serialize": [returned(SERIALIZED | {"s3_key": key})],
        "Classify": [returned({"inferences": INFERENCES})],
        "Filter": [returned(FILTERED)],
        "Record_decision": [{"Return": {}}],
        "Record_failure": [{"Return": {}}],
        **tasks,
    }
    states = (*SURE, "Record failure")
    return {
        "input": {
            "time": UPLOADED_AT,
            "resources": [f"arn:aws:s3:::{BUCKET}"],
            "detail": {"bucket": {"name": BUCKET}, "object": {"key": key, "etag": ETAG}},
        },
        "tasks": {
            state: results.get(state.split()[0], results.get(state.replace(" ", "_")))
            for state in states
        },
    }


def filtered(confidence: float) -> list[dict[str, Any]]:
    inferences = [{"label": "bicycle", "confidence": confidence}]
    return [returned(FILTERED | {"confidence": confidence, "inferences": inferences})]


REJECTION = "too_many_pixels: the picture has 20,000 x 20,000 pixels: the limit is 64,000,000."
CASES = {
    **{f"key-{name}": case(key) for name, key in ODD_KEYS.items()},
    **{f"confidence-{name}": case(Filter=filtered(c)) for name, c in CONFIDENCES.items()},
    "rejected": case(Serialize=thrown("ImageRejected", REJECTION)),
    "superseded": case(Serialize=thrown("ImageSuperseded", "superseded: another picture.")),
    "folder": case("uploads/sub/", Serialize=thrown("FolderMarker")),
    "refused": case(Classify=thrown("EndpointRefused", "the endpoint answered 400")),
    "passing": case(Classify=[*thrown("EndpointUnavailable", times=2), returned({})]),
    "unavailable": case(Filter=thrown("Lambda.TooManyRequestsException", times=4)),
    "duplicate": case(Record_decision=thrown("DynamoDB.ConditionalCheckFailedException")),
    "unrecorded": case(Record_decision=thrown("DynamoDB.ResourceNotFoundException")),
}


@dataclass(frozen=True)
class Execution:
    """What the engine tells of an execution."""

    status: str
    error: str | None
    cause: str | None
    events: list[dict[str, Any]]

    @property
    def states(self) -> list[str]:
        """The names of the states that were entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"]
            for event in self.events
            if "stateEnteredEventDetails" in event
        ]

    def scheduled(self, state: str) -> list[dict[str, Any]]:
        """Return the parameters of every attempt at a task."""
        found, current = [], ""
        for event in self.events:
            current = event.get("stateEnteredEventDetails", {}).get("name", current)
            if current == state and "taskScheduledEventDetails" in event:
                found.append(json.loads(event["taskScheduledEventDetails"]["parameters"]))
        return found

    def values(self, state: str) -> dict[str, str]:
        """Return what the last attempt at a Record state writes, by its placeholder."""
        written = self.scheduled(state)[-1]["ExpressionAttributeValues"]
        return {name[1:]: next(iter(value.values())) for name, value in written.items()}


@pytest.fixture(scope="module")
def executions() -> dict[str, Execution]:
    """What became of every case."""
    try:
        python = LOCALSTACK.require()
    except ToolMissing as missing:
        pytest.skip(str(missing))
    ended = subprocess.run(
        [python, ENGINE],
        input=json.dumps(
            {"definition": Application(ROOT).definitions["ImageWorkflow"], "cases": CASES}
        ),
        env=offline_environment(),
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
    )
    assert ended.returncode == 0, ended.stderr[-3000:]
    return {name: Execution(**seen) for name, seen in json.loads(ended.stdout).items()}


@pytest.mark.parametrize("name", ODD_KEYS)
def test_an_odd_key_goes_through_as_it_is(executions: dict[str, Execution], name: str) -> None:
    execution, key = executions[f"key-{name}"], ODD_KEYS[name]
    assert (execution.status, execution.states) == ("SUCCEEDED", SURE)
    [asked] = execution.scheduled("Serialize image")
    assert asked["Payload"] == {"s3_bucket": BUCKET, "s3_key": key, "etag": ETAG}
    [recorded] = execution.scheduled("Record decision")
    assert recorded["Key"] == {"upload": {"S": f"{BUCKET}/{key}#{ETAG}"}}
    values = execution.values("Record decision")
    assert values["s3_key"] == key
    assert json.loads(values["event"]) == CASES[f"key-{name}"]["input"]


@pytest.mark.parametrize("name", CONFIDENCES)
def test_a_confidence_is_recorded_digit_for_digit(
    executions: dict[str, Execution], name: str
) -> None:
    execution, confidence = executions[f"confidence-{name}"], CONFIDENCES[name]
    assert execution.states == SURE
    values = execution.values("Record decision")
    assert float(values["confidence"]) == confidence
    assert json.loads(values["inferences"]) == [{"label": "bicycle", "confidence": confidence}]


def test_the_decision_is_what_the_filter_said(executions: dict[str, Execution]) -> None:
    values = executions["key-spaces"].values("Record decision")
    said = {name: values[name] for name in ("outcome", "label", "model", "reason", "detail")}
    assert said == {
        "outcome": "accepted",
        "label": "bicycle",
        "model": "2026-11-20",
        "reason": "",
        "detail": "",
    }
    assert (values["threshold"], values["uploaded_at"]) == ("0.93", UPLOADED_AT)


@pytest.mark.parametrize(
    ("name", "state", "reason", "detail"),
    [
        ("rejected", "Image rejected", "too_many_pixels", REJECTION),
        ("superseded", "Image superseded", "superseded", "superseded: another picture."),
    ],
)
def test_a_rejection_is_recorded_with_its_reason(
    executions: dict[str, Execution], name: str, state: str, reason: str, detail: str
) -> None:
    execution = executions[name]
    route = ["Serialize image", state, "Describe rejection", "Record decision"]
    assert (execution.status, execution.states) == ("SUCCEEDED", route)
    values = execution.values("Record decision")
    assert (values["outcome"], values["reason"], values["detail"]) == (name, reason, detail)
    assert (values["confidence"], values["inferences"]) == ("0", "[]")


@pytest.mark.parametrize(
    ("name", "state", "error", "attempts"),
    [
        ("refused", "Classify image", "EndpointRefused", 1),
        ("unavailable", "Filter inferences", "Lambda.TooManyRequestsException", 4),
        ("unrecorded", "Record decision", "DynamoDB.ResourceNotFoundException", 1),
    ],
)
def test_a_failure_is_recorded_and_ends_the_execution(
    executions: dict[str, Execution], name: str, state: str, error: str, attempts: int
) -> None:
    execution = executions[name]
    assert (execution.status, execution.error) == ("FAILED", error)
    route = [*SURE[: SURE.index(state) + 1], "Record failure", "Workflow failed"]
    assert execution.states == route
    assert len(execution.scheduled(state)) == attempts
    values = execution.values("Record failure")
    assert (values["outcome"], values["reason"]) == ("failed", error)
    assert json.loads(values["detail"])["Error"] == error
    assert execution.cause is not None
    assert json.loads(execution.cause) == json.loads(values["detail"])


def test_a_passing_fault_is_tried_again(executions: dict[str, Execution]) -> None:
    execution = executions["passing"]
    assert (execution.status, execution.states) == ("SUCCEEDED", SURE)
    assert len(execution.scheduled("Classify image")) == 3


def test_a_duplicate_ends_quietly(executions: dict[str, Execution]) -> None:
    execution = executions["duplicate"]
    assert (execution.status, execution.states) == ("SUCCEEDED", [*SURE, "Already decided"])


def test_a_folder_is_passed_over(executions: dict[str, Execution]) -> None:
    execution = executions["folder"]
    assert execution.status == "SUCCEEDED"
    assert execution.states == ["Serialize image", "Folder passed over"]
