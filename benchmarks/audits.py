"""Audits from upload to threshold: a model that errs by design, uploads, audits, a report, a cure.

    python -m benchmarks.audits                  2,000 uploads for each share of errors
    python -m benchmarks.audits --uploads 400

The model reads a picture's answer from its colour: red is the class, green the confidence. So its
errors are known: a share of what it accepts is wrong, all of it below a confidence of 0.975. For
each share the stack runs on the embedded AWS, people audit half of its decisions, and
`python -m ops quality` judges. Where it calls the promise broken, the threshold that it advises is
deployed, and as many uploads again tell whether it mends it. A queue on the bus of decisions hears
the corrections.
"""

import argparse
import io
import json
import logging
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from cli.terminal import table
from local.cloud import EmbeddedAws, embedded_aws
from local.follow import Follower
from ops.quality.quality import report
from ops.quality.report import Report
from ops.reviewing.reviews import Reviews
from ops.stack.outputs import Stack

CLASSES = ("bicycle", "motorcycle")
ERRORS = (0.005, 0.04)  # of what is accepted
LEAST, UNSURE = 0.95, 0.975  # confidences: of every answer; of every wrong one at most
WORKERS = 4
HEADER = ("errors", "threshold", "uploads", "accepted", "wrong", "audited", "found", "promise")


def model(folder: Path) -> None:
    """Write a model.onnx that says what a picture's colour does.

    Confidence is LEAST at no green and 1 at full green; the other labels share the rest.
    """
    half, span = np.float32(0.5), np.float32(1 - LEAST)
    constants: dict[str, Any] = {
        "half": half,
        "span": span,
        "least": np.float32(LEAST),
        "one": np.float32(1),
    }
    constants |= {"ends": np.array([1, 3]), "starts": np.array([0, 1]), "red": np.array([0])}
    constants |= {"green": np.array([1]), "axes": np.array([2, 3])}
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["colour"], keepdims=0),
        helper.make_node("Gather", ["colour", "red"], ["r"], axis=1),
        helper.make_node("Gather", ["colour", "green"], ["g"], axis=1),
        helper.make_node("Mul", ["g", "span"], ["more"]),
        helper.make_node("Add", ["more", "least"], ["sure"]),
        helper.make_node("Sub", ["one", "sure"], ["rest"]),
        helper.make_node("Mul", ["rest", "half"], ["unsure"]),
        helper.make_node("Greater", ["r", "half"], ["is_red"]),
        helper.make_node("Where", ["is_red", "sure", "unsure"], ["bicycle"]),
        helper.make_node("Where", ["is_red", "unsure", "sure"], ["motorcycle"]),
        helper.make_node("Concat", ["bicycle", "motorcycle", "unsure"], ["probabilities"], axis=1),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(
        nodes,
        "colours",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", 3])],
        [
            numpy_helper.from_array(np.asarray(value), name)
            for name, value in constants.items()
            if name in used
        ],
    )
    document = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])
    document.ir_version = 10  # the newest that every supported onnxruntime reads
    labels = json.dumps([*CLASSES, "other"])
    helper.set_model_props(document, {"labels": labels, "version": "colours"})
    onnx.checker.check_model(document)
    onnx.save(document, folder / "model.onnx")


def picture(label: str, confidence: float) -> bytes:
    """Return a PNG to which the model gives this answer, to within 0.0002."""
    red = 255 if label == CLASSES[0] else 0
    green = round(255 * (confidence - LEAST) / (1 - LEAST))
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (red, green, 0)).save(out, "PNG")
    return out.getvalue()


def uploads(count: int, errors: float, name: str) -> Iterator[tuple[str, str, bytes]]:
    """Yield so many (name, true class, picture); the seed is fixed.

    errors: share of all that is wrong; half of the answers are below UNSURE, where these are.
    """
    rng = Random(0)
    for number in range(count):
        said, confidence = rng.choice(CLASSES), rng.uniform(LEAST, 1)
        wrong = confidence < UNSURE and rng.random() < errors / ((UNSURE - LEAST) / (1 - LEAST))
        true = CLASSES[said == CLASSES[0]] if wrong else said
        yield f"{name}-{number}.png", true, picture(said, confidence)


def decided(aws: EmbeddedAws, outputs: Mapping[str, str], asked: Any) -> dict[str, str]:
    """Upload everything, wait until it is decided; return the true classes by upload."""
    follower = Follower(aws, dict(outputs))

    def one(entry: tuple[str, str, bytes]) -> tuple[str, str]:
        name, true, data = entry
        upload = follower.upload(data, name).upload
        if follower.outcome(upload) is None:
            raise RuntimeError(f"{upload} has no outcome")
        return upload, true

    with ThreadPoolExecutor(WORKERS) as pool:
        return dict(pool.map(one, asked))


def audited(stack: Stack, truth: Mapping[str, str]) -> int:
    """Give every decision whose audit is due its true class; return how many."""
    reviews = Reviews(stack, "ann", CLASSES)
    due = list(reviews.ledger.due_audits())
    for item in due:
        reviews.audit(item, truth[item.upload])
    return len(due)


def corrections(aws: EmbeddedAws, queue: str) -> set[str]:
    """Return the uploads of which the queue has heard that a decision was corrected."""
    sqs, heard = aws.client("sqs"), set()
    while messages := sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=10, WaitTimeSeconds=2
    ).get("Messages"):
        for message in messages:
            heard.add(json.loads(message["Body"])["detail"]["upload"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return heard


def listen(aws: EmbeddedAws, outputs: Mapping[str, str], name: str) -> str:
    """Return the address of a queue that the corrections of accepted decisions go to."""
    sqs, events = aws.client("sqs"), aws.client("events")
    queue = sqs.create_queue(QueueName=name)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]
    pattern = {"detail": {"outcome": ["reviewed"], "decision": ["accepted"]}}
    bus = outputs["DecisionsBus"]
    rule = events.put_rule(Name=name, EventBusName=bus, EventPattern=json.dumps(pattern))
    statement = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": arn["QueueArn"],
        "Condition": {"ArnEquals": {"aws:SourceArn": rule["RuleArn"]}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": policy})
    target = {"Id": "queue", "Arn": arn["QueueArn"]}
    events.put_targets(Rule=name, EventBusName=bus, Targets=[target])
    return str(queue)


def one_run(
    aws: EmbeddedAws, name: str, threshold: float, errors: float, count: int
) -> tuple[Report, list[str], set[str], set[str]]:
    """Upload, audit and judge; return the report, a row, what was corrected and what was heard."""
    parameters = {"WorkflowType": "EXPRESS", "AuditShare": "50", "NoneThreshold": "0"}
    outputs = aws.deploy(name, parameters | {"ConfidenceThreshold": f"{threshold:g}"})
    queue = listen(aws, outputs, name)
    began = datetime.now(UTC) - timedelta(seconds=1)
    entries = list(uploads(count, errors, f"{threshold:g}"))
    truth = decided(aws, outputs, entries)
    stack = Stack(name, "us-east-1")
    audits = audited(stack, truth)
    found = report(stack, began)
    reviews = Reviews(stack, "ann")
    since = began.strftime("%Y-%m-%dT%H:%M:%S")
    corrected = {
        item.upload
        for item in reviews.ledger.of_outcome("reviewed", since=since)
        if item.decision == "accepted"
    }
    by_person = ("accepted", "confirmed", "reviewed")
    accepted = [
        item
        for outcome in by_person
        for item in reviews.ledger.of_outcome(outcome, since=since)
        if item.decision == "accepted"
    ]
    wrong = sum(item.guesses()[0]["label"] != truth[item.upload] for item in accepted)
    estimate = found.estimates["accepted"]
    row = [
        f"{errors:.1%}",
        f"{threshold:g}",
        f"{count:,}",
        f"{len(accepted):,}",
        f"{wrong / len(accepted):.2%}",
        f"{audits:,}",
        f"{estimate.wrong / estimate.audited:.2%}",
        estimate.verdict,
    ]
    return found, row, corrected, corrections(aws, queue)


def main() -> int:
    """Run for each share of errors, and with what is advised; print a table."""
    parser = argparse.ArgumentParser(
        "python -m benchmarks.audits",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--uploads", type=int, default=2000, metavar="N", help="(%(default)s)")
    count = parser.parse_args().uploads
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    rows, heard, corrected = [], set(), set()
    with tempfile.TemporaryDirectory() as folder:
        model(Path(folder))
        with embedded_aws(model=Path(folder)) as aws:
            os.environ |= aws.environment()
            for number, errors in enumerate(ERRORS):
                name, threshold = f"audits-{number}", LEAST
                while True:
                    found, row, some, told = one_run(aws, name, threshold, errors, count)
                    rows.append(row)
                    corrected |= some
                    heard |= told
                    advised = found.advice["accepted"].threshold
                    if not found.broken or advised is None or advised <= threshold:
                        break
                    threshold = advised
                    print(found.as_text(), file=sys.stderr)
    print(table(HEADER, rows, right=HEADER[:7]))
    print(f"corrected: {len(corrected):,}; heard on the bus: {len(heard & corrected):,}")
    return 0 if heard == corrected else 1


if __name__ == "__main__":
    sys.exit(main())
