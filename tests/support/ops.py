"""What tests of ops commands share: results, queues, keys, dead letters."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from tests.support.cloud import Stack


class Ran(NamedTuple):
    """What a command has said, and its exit code."""

    code: int
    out: str
    err: str


Ops = Callable[..., Ran]


@contextlib.contextmanager
def role(stack: Stack, name: str, policy: str = "") -> Iterator[dict[str, str]]:
    """Make a role, with the policy that an output names or none; yield its credentials."""
    iam, sts = stack.aws.client("iam"), stack.aws.client("sts")
    account = {"AWS": "arn:aws:iam::123456789012:root"}
    trust = {"Effect": "Allow", "Principal": account, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    arn = iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]
    attached = {"RoleName": name, "PolicyArn": stack.outputs.get(policy)}
    if policy:
        iam.attach_role_policy(**attached)
    yield sts.assume_role(RoleArn=arn, RoleSessionName=name)["Credentials"]
    if policy:
        iam.detach_role_policy(**attached)
    iam.delete_role(RoleName=name)


def empty(stack: Stack, queue: str) -> None:
    """Take every message out of a queue; PurgeQueue could do it once a minute only."""
    sqs, url = stack.aws.client("sqs"), stack.outputs[queue]
    while messages := sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])


def keys(stack: Stack, prefix: str) -> list[str]:
    """Return the keys under a prefix of the upload bucket."""
    answer = stack.aws.client("s3").list_objects_v2(
        Bucket=stack.outputs["UploadBucket"], Prefix=prefix
    )
    return [entry["Key"] for entry in answer.get("Contents", [])]


def dead_letter(stack: Stack, queue: str, body: object, cause: str = "") -> None:
    attributes = {"ERROR_CODE": {"DataType": "String", "StringValue": cause}} if cause else {}
    stack.aws.client("sqs").send_message(
        QueueUrl=stack.outputs[queue],
        MessageBody=body if isinstance(body, str) else json.dumps(body),
        MessageAttributes=attributes,
    )


def pointer(stack: Stack, upload: str) -> dict[str, Any]:
    """Return what the pipe's dead letter would hold for the changes of an upload."""
    table = stack.outputs["DecisionsTable"]
    arn = stack.aws.client("dynamodb").describe_table(TableName=table)["Table"]["LatestStreamArn"]
    client = stack.aws.client("dynamodbstreams")
    [shard] = client.describe_stream(StreamArn=arn)["StreamDescription"]["Shards"]
    iterator = client.get_shard_iterator(
        StreamArn=arn, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    first, *_, last = 2 * [
        record["dynamodb"]["SequenceNumber"]
        for record in client.get_records(ShardIterator=iterator)["Records"]
        if record["dynamodb"]["Keys"]["upload"]["S"] == upload
    ]
    return {
        "streamArn": arn,
        "shardId": shard["ShardId"],
        "startSequenceNumber": first,
        "endSequenceNumber": last,
    }
