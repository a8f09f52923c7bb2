"""What stands around the workflow: endpoint, captures, scaling, pipe, dead letters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlparse

from cli.errors import code_of
from cli.terminal import own_command
from ops.acceptance.rows import ABSENT, DIFFERS, GOOD, UNCHECKED, NotChecked, Row
from ops.acceptance.run import Run, statements
from ops.stack.dead_letters import QUEUES

CAPTURED_S = 600  # SageMaker collects requests for some minutes before it writes a file
VARIANT = "AllTraffic"
EVENTS = "events.amazonaws.com"
CREATE = own_command("model.create_endpoint")
COUNTS = ("ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible")


def _endpoint(run: Run) -> dict[str, Any]:
    client, name = run.stack.client("sagemaker"), run.stack.outputs["EndpointName"]
    try:
        found: dict[str, Any] = client.describe_endpoint(EndpointName=name)
    except client.exceptions.ClientError as error:
        if "Could not find" not in str(error):
            raise
        return {}
    return found


def _serverless(found: dict[str, Any]) -> bool:
    variants = found.get("ProductionVariants", [])
    return any("CurrentServerlessConfig" in variant for variant in variants)


def endpoint(run: Run) -> Row:
    """The endpoint is there and serves."""
    status = _endpoint(run).get("EndpointStatus", "Missing")
    return Row(
        "endpoint",
        status,
        "InService",
        GOOD if status == "InService" else DIFFERS,
        where=f"{run.stack.outputs['EndpointName']} in the SageMaker console; {CREATE}",
    )


def captures(run: Run) -> Row:
    """The endpoint captures, and a file of this run arrives."""
    found = _endpoint(run)
    what, expected = "captures", "a file"
    if _serverless(found):
        return Row(what, "serverless", expected, ABSENT)
    config = found.get("DataCaptureConfig") or {}
    if not config.get("EnableCapture") or config.get("CaptureStatus", "Started") != "Started":
        return Row(
            what,
            "off",
            expected,
            DIFFERS,
            where=f"DataCaptureConfig of aws sagemaker describe-endpoint; {CREATE}"
            " --capture-percentage 100 turns it on",
        )
    if not run.items:
        raise NotChecked("nothing was decided, so nothing is captured")
    place = urlparse(config["DestinationS3Uri"])
    folder = f"{place.path.strip('/')}/{run.stack.outputs['EndpointName']}/{VARIANT}/".lstrip("/")
    name = run.until(lambda: _captured(run, place.netloc, folder), "a capture file", CAPTURED_S)
    if name:
        return Row(what, name.rpartition("/")[-1], expected)
    share = int(config.get("CurrentSamplingPercentage", 100))
    where = f"s3://{place.netloc}/{folder}, and the log of the endpoint"
    seen = f"none, at {share} % of the requests"
    # A few pictures may all be left out of a sample.
    return Row(what, seen, expected, DIFFERS if share == 100 else UNCHECKED, where=where)


def _captured(run: Run, bucket: str, folder: str) -> str:
    """Return the key of a capture file that was written since the run began."""
    hours, hour = [], run.since.replace(minute=0, second=0, microsecond=0)
    while hour <= datetime.now(UTC):
        hours.append(hour)
        hour += timedelta(hours=1)
    pages = run.stack.client("s3").get_paginator("list_objects_v2")
    for hour in hours:
        for page in pages.paginate(Bucket=bucket, Prefix=f"{folder}{hour:%Y/%m/%d/%H}/"):
            for entry in page.get("Contents", []):
                if entry["LastModified"] >= run.since:
                    return str(entry["Key"])
    return ""


def scaling(run: Run) -> Row:
    """The endpoint's instances are a scaling target."""
    what, expected = "scaling target", "registered"
    if _serverless(_endpoint(run)):
        return Row(what, "serverless", expected, ABSENT)
    resource = f"endpoint/{run.stack.outputs['EndpointName']}/variant/{VARIANT}"
    found = run.stack.client("application-autoscaling").describe_scalable_targets(
        ServiceNamespace="sagemaker", ResourceIds=[resource]
    )["ScalableTargets"]
    seen = [f"{one['MinCapacity']} to {one['MaxCapacity']} instances" for one in found]
    return Row(
        what,
        ", ".join(seen) or "none",
        expected,
        GOOD if found else DIFFERS,
        where=f"{resource}: the stack endpoint-{run.stack.outputs['EndpointName']}",
    )


def pipe(run: Run) -> Row:
    """The pipe of the announcements runs."""
    name = run.stack.outputs["AnnouncementPipe"]
    found = run.stack.client("pipes").describe_pipe(Name=name)
    running = found["CurrentState"] == "RUNNING"
    reason = f": {found['StateReason']}" if found.get("StateReason") else ""
    return Row(
        "pipe",
        f"{found['CurrentState']}{reason}",
        "RUNNING",
        GOOD if running else DIFFERS,
        where=f"aws pipes start-pipe --name {name}, once its cause is removed",
    )


def queue_policies(run: Run) -> Row:
    """Every rule may send to the dead-letter queue of its targets."""
    problems, count = [], 0
    for rule, queues in _dead_letter_queues(run):
        for queue in queues:
            count += 1
            if not _lets(run, queue, rule):
                problems.append(
                    f"{queue.rsplit(':', 1)[-1]} takes nothing of {rule.rpartition('/')[-1]}"
                )
    if not count:
        problems.append("no rule has a dead-letter queue")
    return Row(
        "policies of queues",
        "; ".join(problems) or f"{count} rules may send",
        "let their rules",
        DIFFERS if problems else GOOD,
        where="Policy of aws sqs get-queue-attributes; without it EventBridge drops what it"
        " cannot deliver",
        change="the AWS::SQS::QueuePolicy of that queue in template.yaml" if problems else "",
    )


def _dead_letter_queues(run: Run) -> list[tuple[str, list[str]]]:
    """Return the ARN of each rule of the stack, and those of its targets' dead-letter queues."""
    events, found = run.stack.client("events"), []
    for name in run.resources.get("AWS::Events::Rule", []):
        where = _place(run, name)
        arn = events.describe_rule(**where)["Arn"]
        rule = {"Rule": where["Name"], "EventBusName": where["EventBusName"]}
        targets = events.list_targets_by_rule(**rule)["Targets"]
        configs = [target["DeadLetterConfig"] for target in targets if "DeadLetterConfig" in target]
        found.append((arn, [config["Arn"] for config in configs]))
    return found


def _place(run: Run, physical: str) -> dict[str, str]:
    """Return name and bus of a rule: CloudFormation calls those of another bus BUS|RULE."""
    bus, _, name = physical.rpartition("|")
    if bus:
        return {"Name": name, "EventBusName": bus}
    events = run.stack.client("events")
    for bus in ("default", run.stack.outputs["DecisionsBus"]):
        try:
            events.describe_rule(Name=name, EventBusName=bus)
        except events.exceptions.ResourceNotFoundException:
            continue
        return {"Name": name, "EventBusName": bus}
    raise NotChecked(f"there is no rule {name}")


def _lets(run: Run, queue: str, rule: str) -> bool:
    """Tell whether the policy of a queue lets EventBridge send to it for a rule."""
    sqs = run.stack.client("sqs")
    try:
        url = sqs.get_queue_url(QueueName=queue.rsplit(":", 1)[-1])["QueueUrl"]
    except sqs.exceptions.ClientError as error:
        if "NonExistentQueue" not in code_of(error) and "QueueDoesNotExist" not in code_of(error):
            raise
        return False
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    for statement in statements(attributes.get("Attributes", {}).get("Policy", "")):
        actions = {action.lower() for action in _listed(statement.get("Action"))}
        conditions = statement.get("Condition", {})
        sources = [
            source
            for operator in ("ArnEquals", "ArnLike", "StringEquals")
            for source in _listed(conditions.get(operator, {}).get("aws:SourceArn"))
        ]
        principal = statement.get("Principal")
        services = _listed(principal.get("Service")) if isinstance(principal, dict) else ["*"]
        if (
            statement.get("Effect") == "Allow"
            and {EVENTS, "*"} & set(services)
            and actions & {"sqs:sendmessage", "sqs:*"}
            and (not conditions or rule in sources)
        ):
            return True
    return False


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def dead_letters(run: Run) -> Row:
    """The dead-letter queues are empty."""
    sqs, counts = run.stack.client("sqs"), {}
    for name, output in QUEUES.items():
        attributes = sqs.get_queue_attributes(
            QueueUrl=run.stack.outputs[output], AttributeNames=list(COUNTS)
        )["Attributes"]
        counts[name] = sum(int(attributes[count]) for count in COUNTS)
    full = any(counts.values())
    return Row(
        "dead letters",
        ", ".join(f"{count} {name}" for name, count in counts.items()),
        "none",
        DIFFERS if full else GOOD,
        where=f"{run.stack.command('redrive', '--dry-run')}: their reasons",
    )
