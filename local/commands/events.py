"""Capture the sample document of each step again, from a run of the workflow.

    python -m local events

writes events/object_created.json, the event that starts an execution, events/serialize.json,
classify.json and filter.json, the input of each function, and events/announcement.json. What
differs from run to run (names, ids, times) is replaced, so that equal code gives equal files.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

from local.commands.demo import announcements
from local.follow import Follower
from local.paths import ROOT

PICTURE = ROOT / "events" / "images" / "bicycle.png"
STEPS = {
    "Serialize image": "object_created",
    "Classify image": "classify",
    "Filter inferences": "filter",
}
BUCKET = "scones-unlimited-uploads"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--out", type=Path, default=ROOT / "events", metavar="FOLDER", help="(default: events/)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Write the documents and print their names."""
    for name, document in capture().items():
        path = arguments.out / f"{name}.json"
        path.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n")
        print(f"wrote {path}")
    return 0


def capture() -> dict[str, Any]:
    """Return the documents of one upload, by the names of their files."""
    from local.cloud import embedded_aws

    with embedded_aws() as aws:
        outputs = aws.deploy()
        follower = Follower(aws, outputs)
        decided = follower.decide(PICTURE)
        history = aws.client("stepfunctions").get_execution_history(executionArn=decided.execution)
        [announced] = announcements(aws, outputs["AuditLogGroup"], 1)
    documents: dict[str, Any] = {
        STEPS[entered["name"]]: json.loads(entered["input"])
        for event in history["events"]
        if (entered := event.get("stateEnteredEventDetails", {})).get("name") in STEPS
    }
    detail = documents["object_created"]["detail"]
    documents["serialize"] = {
        "s3_bucket": detail["bucket"]["name"],
        "s3_key": detail["object"]["key"],
        "etag": detail["object"]["etag"],
    }
    documents["announcement"] = announced
    text = json.dumps(documents).replace(outputs["UploadBucket"], BUCKET)
    state_machine = outputs["StateMachineArn"].rsplit(":", 1)[-1]
    text = text.replace(state_machine, "scones-unlimited-ImageWorkflow")
    normalised: dict[str, Any] = _normalise(json.loads(text))
    return normalised


def _normalise(value: Any, name: str = "") -> Any:
    """Replace ids and times, which differ from run to run."""
    if isinstance(value, dict):
        return {
            key: _normalise(member, key)
            for key, member in value.items()
            if key != "ingestion-time"  # an addition of moto
        }
    if isinstance(value, list):
        return [_normalise(member, name) for member in value]
    if name in ("time", "uploaded_at"):
        return "2026-01-31T12:00:00Z"
    if name == "recorded_at":
        return "2026-01-31T12:00:00.120Z"
    if name == "sequencer":
        return "0" * 17 + "1"
    if name == "request-id":
        return "0" * 16
    if isinstance(value, str):
        uuid = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
        return re.sub(uuid, "00000000-0000-0000-0000-000000000000", value)
    return value
