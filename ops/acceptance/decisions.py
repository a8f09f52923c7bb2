"""From the upload to the ledger: events begin, one execution each, every attribute right."""

import time
from collections import Counter
from dataclasses import fields
from datetime import datetime
from itertools import takewhile

from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import DECIDED_S, Item, Run, Uploaded, encodings
from ops.acceptance.samples import SAMPLES, Sample
from ops.stack.executions import address_in
from ops.stack.ledger import DECISIONS, NOT_DUE, TYPES, Decision, name_of, sentence

# "The events of a new bucket start after about five minutes": twice that.
BEGIN_S = 600
ASK_AGAIN_S = 30  # an event from before the beginning is lost: another picture asks again
RUNNING = "RUNNING"
EMPTY = "Every outcome has every attribute, absent values are empty"


def notifications(run: Run) -> Row:
    """Upload a picture until one is decided, then the samples; wait for their items."""
    began, next_upload_s = time.monotonic(), 0.0

    def begun() -> bool:
        nonlocal next_upload_s
        passed_s = time.monotonic() - began
        if passed_s >= next_upload_s:
            run.upload(SAMPLES[0], f"first-{len(run.uploads) + 1}.jpg")
            next_upload_s = passed_s + ASK_AGAIN_S
        return any(run.item(uploaded.upload) for uploaded in run.uploads)

    found = run.until(begun, "the bucket's events", BEGIN_S)
    passed_s = time.monotonic() - began
    what, expected = "bucket events", "the first item"
    if not found:
        return Row(
            what,
            f"no item after {passed_s:.0f} s{_why_nothing(run)}",
            expected,
            DIFFERS,
            where="the rule of the upload bucket in the EventBridge console, and its metrics;"
            f" uploads so far: {run.stack.command('reconcile', '--grace', '0m')}",
        )
    # Those from before the beginning have no event, and never will.
    run.lost = [uploaded for uploaded in run.uploads if uploaded.upload not in run.items]
    run.uploads = [uploaded for uploaded in run.uploads if uploaded.upload in run.items]
    for sample in SAMPLES:
        run.upload(sample)

    def decided() -> bool:
        return all(run.item(upload.upload) or _misnamed(run, upload) for upload in run.uploads)

    run.until(decided, "decisions", DECIDED_S)
    return Row(what, f"after {passed_s:.0f} s", expected)


def _why_nothing(run: Run) -> str:
    bucket = run.stack.outputs["UploadBucket"]
    answer = run.stack.client("s3").get_bucket_notification_configuration(Bucket=bucket)
    if "EventBridgeConfiguration" not in answer:
        return "; the bucket tells EventBridge nothing"
    return ""


def _misnamed(run: Run, uploaded: Uploaded) -> str:
    """Return the key under which an upload was recorded, if it is the URL-encoded one."""
    bucket = run.stack.outputs["UploadBucket"]
    for encoded in encodings(uploaded.key):
        if encoded != uploaded.key and run.item(name_of(bucket, encoded, uploaded.etag)):
            return encoded
    return ""


def sample(run: Run, kind: str) -> Row:
    """Compare what became of one sample with what has to become of it."""
    uploaded = _uploaded(run, next(sample for sample in SAMPLES if sample.kind == kind))
    expected = "rejected" if uploaded.sample.rejected else "a decision"
    what, where = kind, f"s3://{run.stack.outputs['UploadBucket']}/{uploaded.key}"
    item = run.items.get(uploaded.upload)
    if item is None:
        encoded = _misnamed(run, uploaded)
        return Row(
            what,
            f"recorded as {encoded}" if encoded else "no item",
            expected,
            DIFFERS,
            where=where,
            change="decode the key where statemachine/classify_image.asl.json takes it from the"
            " event: S3's event carries it URL-encoded"
            if encoded
            else "",
        )
    problems = problems_of(run, uploaded, item)
    outcome = item["outcome"]["S"]
    reason = item["reason"]["S"] or f"{item['label']['S']} {float(item['confidence']['N']):.3f}"
    seen = "; ".join(problems) or f"{outcome}: {reason}"
    return Row(what, seen, expected, DIFFERS if problems else GOOD, where=where, decision=EMPTY)


def _uploaded(run: Run, sample: Sample) -> Uploaded:
    for uploaded in run.uploads:
        if uploaded.key == run.folder + sample.name:
            return uploaded
    raise NotChecked("it was not uploaded: the bucket's events have not begun")


def problems_of(run: Run, uploaded: Uploaded, item: Item) -> list[str]:
    """Return what is wrong with the item of a sample, attribute by attribute."""
    wrong_types = [
        f"{field.name} is {next(iter(item.get(field.name, {})), 'absent')}"
        for field in fields(Decision)
        if TYPES[field.type] not in item.get(field.name, {})
    ]
    if wrong_types:
        return wrong_types
    found, problems = Decision.of(item), []
    if found.outcome == "failed":  # all else follows from it
        return [f"failed: {sentence(found.detail)}"]

    def expect(name: str, right: bool) -> None:
        if not right:
            problems.append(f"{name} is {getattr(found, name)!r}")

    bucket = run.stack.outputs["UploadBucket"]
    expect("s3_bucket", found.s3_bucket == bucket)
    expect("s3_key", found.s3_key == uploaded.key)
    expect("etag", found.etag == uploaded.etag)
    expect("event", address_in(found.event) == (bucket, uploaded.key, uploaded.etag))
    expect("execution", found.execution.startswith("arn:"))
    expect("revision", found.revision == 1)
    expect("reviewer", found.reviewer == found.previous_label == "")
    expect("uploaded_at", _is_time(found.uploaded_at))
    expect("recorded_at", _is_time(found.recorded_at))
    if uploaded.sample.rejected:
        expect("outcome", found.outcome == "rejected")
        expect("reason", found.reason == "unsupported_format")
        expect("detail", found.detail.startswith(found.reason))
        expect("inferences", found.inferences == "[]")
        expect("label", found.label == found.model == "")
        expect("confidence", found.confidence == found.threshold == 0)
        expect("decision", found.decision == "" and found.audit == NOT_DUE)
        return problems
    expect("outcome", found.outcome == found.decision and found.decision in DECISIONS)
    expect("reason", found.reason == found.detail == "")
    expect("model", bool(found.model))
    # The largest of a sorted list, which is what the label goes by.
    guesses = _guesses(found)
    expect("inferences", bool(guesses) and guesses == sorted(guesses, reverse=True))
    expect("confidence", bool(guesses) and abs(guesses[0] - found.confidence) < 1e-9)
    outputs = run.stack.outputs
    threshold = float(outputs["ConfidenceThreshold"])
    expect("threshold", abs(found.threshold - threshold) < 1e-9)
    expect("none_threshold", abs(found.none_threshold - float(outputs["NoneThreshold"])) < 1e-9)
    expect("audit_share", abs(found.audit_share - float(outputs["AuditShare"])) < 1e-9)
    return problems


def _guesses(found: Decision) -> list[float]:
    try:
        return [float(guess["confidence"]) for guess in found.guesses()]
    except (ValueError, KeyError, TypeError):
        return []


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def duplicate(run: Run) -> Row:
    """Upload a sample again, and another picture after it: the first item has to stay as it is."""
    first = _uploaded(run, SAMPLES[2])
    before = run.items.get(first.upload)
    if before is None:
        raise NotChecked(f"{first.key} has no item")
    run.upload(first.sample)
    last = run.upload(SAMPLES[0], "last.jpg")
    if not run.until(lambda: run.item(last.upload), "the duplicate", DECIDED_S):
        raise NotChecked(f"{last.key} has no item: the duplicate may not be over either")
    after = run.read(first.upload) or {}
    same = before == after
    seen = "as it was" if same else f"revision {after.get('revision', {}).get('N', 'none')}"
    return Row(
        "the same upload twice",
        seen,
        "one decision",
        GOOD if same else DIFFERS,
        where="the condition of Record decision in statemachine/classify_image.asl.json",
        decision="Two Record states",
    )


def executions(run: Run) -> Row:
    """Count the executions of each upload: one for each event, which may come twice."""
    if not run.items:
        raise NotChecked("no upload was decided")
    what, expected = "executions", "one an upload"
    arns = {item["execution"]["S"] for item in run.items.values()}
    if run.stack.outputs["WorkflowType"] == "EXPRESS":
        same = len(arns) == len(run.items)
        seen = f"{len(arns)} in {len(run.items)} items"
        return Row(what, seen, expected, GOOD if same else DIFFERS)
    known: dict[str, tuple[str, str]] = {}
    run.until(lambda: _all_ended(run, known), "executions", DECIDED_S)
    own = [(key, status) for key, status in known.values() if key.startswith(run.folder)]
    counts = Counter(key for key, _ in own)
    bad = [f"{key}: {status}" for key, status in own if status != "SUCCEEDED"]
    keys = [uploaded.key for uploaded in run.uploads]
    missing = [key for key in keys if not counts[key]]
    # The duplicate has an execution of its own.
    more = [key for key in keys if counts[key] > 1]
    seen = f"{counts.total()}, 1 for the repetition"
    if missing or bad or len(more) == len(keys):
        problems = [*(f"none of {key}" for key in missing), *bad]
        problems += ["two of each"] if len(more) == len(keys) else []
        return Row(what, "; ".join(problems), expected, DIFFERS, run.stack.state_machine_arn)
    return Row(what, seen, expected)


def _all_ended(run: Run, known: dict[str, tuple[str, str]]) -> bool:
    """Learn of the executions since the run began; tell whether those of its uploads have ended.

    known: key and status of executions, by ARN; each that has ended is looked at once.
    """
    client = run.stack.client("stepfunctions")
    pages = client.get_paginator("list_executions").paginate(
        stateMachineArn=run.stack.state_machine_arn
    )
    newest_first = (execution for page in pages for execution in page["executions"])
    for execution in takewhile(lambda found: found["startDate"] >= run.since, newest_first):
        arn = execution["executionArn"]
        if known.get(arn, ("", RUNNING))[1] == RUNNING:
            described = client.describe_execution(executionArn=arn)
            address = address_in(described["input"])
            known[arn] = (address[1] if address else "", described["status"])
    statuses = [status for key, status in known.values() if key.startswith(run.folder)]
    return len(statuses) > len(run.uploads) and RUNNING not in statuses  # one was repeated
