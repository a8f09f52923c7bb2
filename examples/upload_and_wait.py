"""Upload a picture from a server, and wait for its decision.

    python examples/upload_and_wait.py photo.jpg --stack scones-unlimited

It asks the ledger and not the bus: bytes that were uploaded under the same key before have their
decision already, and are not announced again.
"""

import argparse
import json
import mimetypes
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError, ClientError

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 2.0
# A failure may still become a decision, by python -m ops redrive; everything else is final.
UNDECIDED = ("failed", "rejected", "superseded")


def upload(s3: Any, bucket: str, prefix: str, picture: Path) -> str:
    """Upload a picture under a new name; return its key in the ledger, bucket/key#etag."""
    key = f"{prefix}{uuid.uuid4()}/{picture.name}"  # a name that is taken would be overwritten
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    answer = s3.put_object(Bucket=bucket, Key=key, Body=picture.read_bytes(), ContentType=kind)
    return f"{bucket}/{key}#{answer['ETag'].strip(chr(34))}"


def decision(table: Any, upload: str, patience_s: float) -> dict[str, Any]:
    """Wait for the ledger's item of an upload. Raises TimeoutError after patience_s seconds."""
    deadline, wait_s = time.monotonic() + patience_s, FIRST_WAIT_S
    while True:
        item: dict[str, Any] = table.get_item(Key={"upload": upload}).get("Item", {})
        if item.get("outcome"):
            return item
        if time.monotonic() + wait_s > deadline:
            raise TimeoutError(f"no outcome of {upload} within {patience_s:g} s: ask again later")
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)


def main() -> int:
    """Print upload, outcome, label and confidence as JSON; 1 if there is no decision."""
    parser = argparse.ArgumentParser(description="Upload a picture and wait for its decision.")
    parser.add_argument("picture", type=Path)
    parser.add_argument("--stack", default="scones-unlimited")
    parser.add_argument("--patience", type=float, default=60, metavar="SECONDS")
    arguments = parser.parse_args()
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=arguments.stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    bucket, prefix = outputs["UploadBucket"], outputs["UploadPrefix"]
    name = upload(boto3.client("s3"), bucket, prefix, arguments.picture)
    table = boto3.resource("dynamodb").Table(outputs["DecisionsTable"])
    try:
        item = decision(table, name, arguments.patience)
    except TimeoutError as error:
        print(error, file=sys.stderr)
        return 1
    shown = {field: item[field] for field in ("upload", "outcome", "label", "confidence", "reason")}
    print(json.dumps(shown, default=float))
    return int(item["outcome"] in UNDECIDED)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
