"""Measure what `python -m ops cost` multiplies by prices, and write ops/measured.json.

    python -m benchmarks.costs

Photos of 12 megapixels go through the workflow on the embedded AWS, one after the other; read are
the functions' own reports, the executions' times and states, and the bytes of item and logs. The
template has what is billed by the month.
"""

import argparse
import json
import logging
import math
import statistics
import sys
import time
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.serialize import file_of, photo
from local import template
from local.cloud import EmbeddedAws, embedded_aws
from local.follow import Follower
from ops.stack.ledger import OUTCOMES

ROOT = Path(__file__).parents[1]
MEASURED, TEMPLATE = ROOT / "ops" / "measured.json", ROOT / "template.yaml"
ALARM = "AWS::CloudWatch::Alarm"
STACK = "costs"
WARM_UP, PHOTOS = 3, 20
STEPS = ("serialize", "classify", "filter")
VALUES = {"Outcome": len(OUTCOMES), "Audit": 2}  # of a dimension; audits are agreed or corrected


def main() -> int:
    """Measure, write, and print what was written."""
    argparse.ArgumentParser(
        "python -m benchmarks.costs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    picture = file_of(photo(4000, 3000), "JPEG", quality=85)
    with embedded_aws() as aws:
        follower = Follower(aws, aws.deploy(STACK))
        executions: list[float] = []
        item: dict[str, Any] = {}
        for number in range(WARM_UP + PHOTOS):
            # One more byte behind the end of each JPEG: an upload of its own.
            uploaded = follower.upload(picture + bytes([number]), f"{number}.jpg")
            item = follower.outcome(uploaded.upload) or {}
            executions.append(execution_ms(aws, item["execution"]["S"]))
        measured = {
            "measured": datetime.now(UTC).date().isoformat(),
            "photo": f"{len(picture) / 1e6:.1f} MB JPEG of 12 megapixels",
            "photo_bytes": len(picture),
            "states": len(follower.states(item["execution"]["S"])),
            "execution_ms": round(statistics.median(executions[WARM_UP:]), 1),
            "milliseconds": milliseconds(aws),
            "item_bytes": sum(
                len(name) + len(str(*value.values())) for name, value in item.items()
            ),
            "log_bytes": log_bytes(aws) // (WARM_UP + PHOTOS),
            "watched": watched(),
            "backfill": json.loads(MEASURED.read_text())["backfill"],  # of benchmarks.backfill
        }
    MEASURED.write_text(json.dumps(measured, indent=2) + "\n")
    print(MEASURED.read_text(), end="")
    return 0


def execution_ms(aws: EmbeddedAws, arn: str) -> float:
    """Return how long an execution took, once it has ended."""
    client = aws.client("stepfunctions")
    while (described := client.describe_execution(executionArn=arn))["status"] == "RUNNING":
        time.sleep(0.01)
    took: timedelta = described["stopDate"] - described["startDate"]
    return took.total_seconds() * 1000


def watched() -> dict[str, int]:
    """Return how many metrics alarms list, metrics and dashboards template.yaml declares."""
    resources = template.load(TEMPLATE)["Resources"].values()

    def declared(kind: str) -> list[Any]:
        return [
            resource.get("Properties", {}) for resource in resources if resource["Type"] == kind
        ]

    listed = [alarm.get("Metrics", [{"MetricStat": {}}]) for alarm in declared(ALARM)]
    return {
        "alarm_metrics": sum("MetricStat" in metric for metrics in listed for metric in metrics),
        "custom_metrics": sum(
            math.prod(VALUES[dimension["Key"]] for dimension in metric.get("Dimensions", []))
            for filter_ in declared("AWS::Logs::MetricFilter")
            for metric in filter_["MetricTransformations"]
        ),
        "dashboards": len(declared("AWS::CloudWatch::Dashboard")),
    }


def milliseconds(aws: EmbeddedAws) -> dict[str, float]:
    """Return the median duration of each function's warm calls, from its reports."""
    found = defaultdict(list)
    for step in STEPS:
        for message in messages(aws, f"/aws/lambda/{STACK}-{step}"):
            if message.get("type") == "platform.report":
                found[step].append(message["record"]["metrics"]["durationMs"])
    return {step: round(statistics.median(found[step][WARM_UP:]), 1) for step in STEPS}


def log_bytes(aws: EmbeddedAws) -> int:
    """Return the bytes of all log groups; CloudWatch adds 26 to each event."""
    groups = aws.client("logs").describe_log_groups()["logGroups"]
    return sum(
        len(json.dumps(message)) + 26
        for group in groups
        for message in messages(aws, group["logGroupName"])
    )


def messages(aws: EmbeddedAws, group: str) -> list[dict[str, Any]]:
    """Return the events of a log group, which are JSON."""
    pages = aws.client("logs").get_paginator("filter_log_events").paginate(logGroupName=group)
    return [json.loads(event["message"]) for page in pages for event in page["events"]]


if __name__ == "__main__":
    sys.exit(main())
