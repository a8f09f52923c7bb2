"""Backfills of the stacks that tests deploy: pictures in another bucket, runs over them."""

import csv
import gzip
import io
import json
import time
import uuid
from collections.abc import Mapping
from typing import Any

from tests.support.cloud import GRANTING, Stack

BUCKET, INVENTORIES = GRANTING["BackfillBucket"], GRANTING["InventoryBucket"]
SCHEMA = ("Bucket", "Key", "Size", "LastModifiedDate", "ETag")
PATIENCE_S = 120


def put(stack: Stack, pictures: Mapping[str, bytes], bucket: str = BUCKET) -> str:
    """Put pictures into the other bucket, under a prefix of their own; return the prefix."""
    s3, prefix = stack.aws.client("s3"), f"{uuid.uuid4()}/"
    s3.create_bucket(Bucket=bucket)
    for name, data in pictures.items():
        s3.put_object(Bucket=bucket, Key=prefix + name, Body=data)
    return prefix


def inventory(stack: Stack, prefix: str, schema: tuple[str, ...] = SCHEMA) -> str:
    """Write an inventory of what is under a prefix, as S3 does; return the manifest's key."""
    s3, folder = stack.aws.client("s3"), f"{uuid.uuid4()}/"
    s3.create_bucket(Bucket=INVENTORIES)
    rows, text = s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix)["Contents"], io.StringIO()
    writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n")
    for row in rows:
        row |= {"Bucket": BUCKET, "ETag": row["ETag"].strip('"')}
        row["LastModifiedDate"] = row["LastModified"].strftime("%Y-%m-%dT%H:%M:%S.000Z")
        writer.writerow([row[name] for name in schema])
    packed = gzip.compress(text.getvalue().encode())
    s3.put_object(Bucket=INVENTORIES, Key=f"{folder}data/1.csv.gz", Body=packed)
    manifest = {
        "sourceBucket": BUCKET,
        "destinationBucket": f"arn:aws:s3:::{INVENTORIES}",
        "fileFormat": "CSV",
        "fileSchema": ", ".join(schema),
        "files": [{"key": f"{folder}data/1.csv.gz", "size": len(packed)}],
    }
    key = f"{folder}manifest.json"
    s3.put_object(Bucket=INVENTORIES, Key=key, Body=json.dumps(manifest).encode())
    return key


def start(stack: Stack, prefix: str, allowance: int = 1000, **given: Any) -> str:
    """Start a run; return its ARN."""
    name, machine = str(uuid.uuid4()), stack.outputs["BackfillWorkflowArn"]
    run = f"{machine.replace(':stateMachine:', ':execution:')}:{name}"
    stack.aws.client("dynamodb").put_item(
        TableName=stack.outputs["BackfillsTable"],
        Item={"run": {"S": run}, "allowance": {"N": str(allowance)}, "started": {"N": "0"}},
    )
    document = {
        "bucket": BUCKET,
        "prefix": prefix,
        "keys_until": f"{prefix}\uffff",
        "sample_below": "g",
        "concurrency": 10,
        "tolerated_failure_percentage": 5,
        **given,
    }
    stack.aws.client("stepfunctions").start_execution(
        stateMachineArn=machine, name=name, input=json.dumps(document)
    )
    return run


def ended(stack: Stack, run: str) -> dict[str, Any]:
    """Return DescribeExecution of a run that has ended."""
    states, deadline = stack.aws.client("stepfunctions"), time.monotonic() + PATIENCE_S
    while (found := states.describe_execution(executionArn=run))["status"] == "RUNNING":
        assert time.monotonic() < deadline, f"{run} runs still after {PATIENCE_S} s"
        time.sleep(0.2)
    return dict(found)


def counts(stack: Stack, run: str) -> dict[str, int]:
    """Return how many children of a run ended how."""
    states = stack.aws.client("stepfunctions")
    [listed] = states.list_map_runs(executionArn=run)["mapRuns"]
    found: dict[str, int] = states.describe_map_run(mapRunArn=listed["mapRunArn"])["itemCounts"]
    return found


def allowance(stack: Stack, run: str) -> tuple[int, int]:
    """Return what a run may start still, and what it has started."""
    item = stack.aws.client("dynamodb").get_item(
        TableName=stack.outputs["BackfillsTable"], Key={"run": {"S": run}}
    )["Item"]
    return int(item["allowance"]["N"]), int(item["started"]["N"])


def recorded(stack: Stack, prefix: str) -> dict[str, dict[str, str]]:
    """Return the ledger's items of what is under a prefix of the other bucket, by key."""
    pages = (
        stack.aws.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=stack.outputs["DecisionsTable"],
            FilterExpression="begins_with(s3_key, :prefix) AND s3_bucket = :bucket",
            ExpressionAttributeValues={":prefix": {"S": prefix}, ":bucket": {"S": BUCKET}},
        )
    )
    items = [{k: next(iter(v.values())) for k, v in i.items()} for p in pages for i in p["Items"]]
    return {item["s3_key"].removeprefix(prefix): item for item in items}
