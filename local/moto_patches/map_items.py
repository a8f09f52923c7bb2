"""Patch: moto's Distributed Map reads no inventory, half a listing, and writes no results.

Stock moto lists at most 1,000 objects, with other names and times than AWS gives them, knows no
S3 Inventory, and writes a manifest of results that names none.

https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html
"""

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.stepfunctions.parser.asl.component.state.exec.state_map.item_reader.eval import (
    resource_eval_s3 as reader,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_map.result_writer.resource_eval import (  # noqa: E501
    resource_eval_s3 as writer,
)
from moto.stepfunctions.parser.asl.eval.environment import Environment


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let Distributed Maps read and write as on AWS, until the context ends."""
    with (
        patch.object(reader.ResourceEvalS3, "_handle_list_objects_v2", staticmethod(_list)),
        patch.object(reader.ResourceEvalS3, "_handle_get_object", staticmethod(_read_inventory)),
        patch.object(writer.ResourceEvalS3, "_handle_put_object", staticmethod(_write_results)),
    ):
        yield


def _list(env: Environment, part: Any, credentials: Any) -> None:
    """Put every object under a prefix on the stack, as AWS describes it to a child."""
    s3 = reader.ResourceEvalS3._get_s3_client(part, credentials)
    pages = s3.get_paginator("list_objects_v2").paginate(**env.stack.pop())
    env.stack.append(
        [
            {
                "Etag": item["ETag"],
                "Key": item["Key"],
                "LastModified": int(item["LastModified"].timestamp()),
                "Size": item["Size"],
                "StorageClass": item.get("StorageClass", "STANDARD"),
            }
            for page in pages
            for item in page.get("Contents", [])
        ]
    )


def _read_inventory(env: Environment, part: Any, credentials: Any) -> None:
    """Put every row of an S3 Inventory on the stack: the names of its schema, values as text."""
    s3 = reader.ResourceEvalS3._get_s3_client(part, credentials)
    manifest = json.load(s3.get_object(**env.stack.pop())["Body"])
    if manifest["fileFormat"] != "CSV":
        raise ValueError(f"an inventory in {manifest['fileFormat']}: Step Functions reads CSV only")
    names = [name.strip() for name in manifest["fileSchema"].split(",")]
    bucket = manifest["destinationBucket"].rpartition(":")[2]
    rows = []
    for file in manifest["files"]:
        packed = s3.get_object(Bucket=bucket, Key=file["key"])["Body"].read()
        text = gzip.decompress(packed).decode()
        rows += [dict(zip(names, row, strict=True)) for row in csv.reader(io.StringIO(text))]
    env.stack.append(rows)


def _write_results(env: Environment, part: Any, credentials: Any) -> None:
    """Write what became of the children, by status, and a manifest of it."""
    place, results = env.stack.pop(), env.stack.pop()
    s3 = writer.ResourceEvalS3._get_s3_client(part, credentials)
    record = env.map_run_record_pool_manager.get_all()[-1]
    folder = f"{place['Prefix'].rstrip('/')}/{record.map_run_arn.rpartition(':')[2]}/"
    files: dict[str, Any] = {"FAILED": [], "PENDING": [], "SUCCEEDED": []}
    for status, kept in (("FAILED", False), ("SUCCEEDED", True)):
        entries = [entry for ended, entry in results if (ended == "SUCCEEDED") is kept]
        if entries:
            body = json.dumps(entries).encode()
            key = f"{folder}{status}_0.json"
            s3.put_object(Bucket=place["Bucket"], Key=key, Body=body)
            files[status] = [{"Key": key, "Size": len(body)}]
    manifest = {
        "DestinationBucket": place["Bucket"],
        "MapRunArn": record.map_run_arn,
        "ResultFiles": files,
    }
    key = f"{folder}manifest.json"
    s3.put_object(Bucket=place["Bucket"], Key=key, Body=json.dumps(manifest).encode())
    for counter in (record.item_counter, record.execution_counter):
        counter.results_written.offset(len(results))
    env.stack.append(
        {
            "MapRunArn": record.map_run_arn,
            "ResultWriterDetails": {"Bucket": place["Bucket"], "Key": key},
        }
    )
