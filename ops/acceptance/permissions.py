"""The operator policy, tried: each call that `python -m ops` makes, with that policy's identity.

A role that has this policy alone is made, assumed and removed. Each action is called on what the
policy allows it on, so that it does nothing: on a key that does not exist, or on this run's own
picture. Any answer but a refusal is permission.
"""

import json
import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlparse

from cli.errors import DENIED, aws_errors, code_of, explained
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run
from ops.stack.dead_letters import QUEUES
from ops.stack.ledger import INDEX
from ops.stack.outputs import Stack
from ops.stack.uploads import LABELLED

ASSUMED_S, ALLOWED_S = 90, 90  # IAM is eventually consistent
SESSION_S = 900  # the shortest that STS gives
SOURCE = "scones-unlimited.acceptance"  # which no rule of the stack matches
Trial = tuple[str, Callable[[], Any]]


def operator_policy(run: Run) -> Row:
    """Call everything that the operator policy has to allow."""
    operator = run.stack.as_role(_credentials(run))
    left = dict(trials(run, operator))
    count, reasons = len(left), dict[str, str]()

    def all_allowed() -> bool:
        for action, call in list(left.items()):
            if reason := refusal(call):
                reasons[action] = reason
            else:
                del left[action]
        return not left

    run.until(all_allowed, "the operator's permissions", ALLOWED_S)
    return Row(
        "operator policy",
        f"denied: {', '.join(left)}" if left else f"{count} calls work",
        f"{count} calls work",
        DIFFERS if left else GOOD,
        where=f"{run.stack.outputs['OperatorPolicyArn']}; {next(iter(reasons.values()), '')}"
        if left
        else run.stack.outputs["OperatorPolicyArn"],
        change="OperatorPolicy in template.yaml" if left else "",
    )


def _credentials(run: Run) -> dict[str, str]:
    """Make a role with the operator policy, which goes with the run; return its credentials."""
    iam, sts = run.stack.client("iam"), run.stack.client("sts")
    partition, policy = run.stack.state_machine_arn.split(":")[1], _policy(run)
    secret = secrets.token_hex(16)  # nobody else of the account assumes it
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{run.stack.account}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": secret}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    try:
        role = iam.create_role(
            RoleName=run.name,
            AssumeRolePolicyDocument=document,
            Description=f"Tries the operator policy of {run.stack.name}; delete it if it is old.",
        )["Role"]
        run.remove_later(f"role {run.name}", lambda: iam.delete_role(RoleName=run.name))
        iam.attach_role_policy(RoleName=run.name, PolicyArn=policy)
        run.remove_later(
            f"policy of role {run.name}",
            lambda: iam.detach_role_policy(RoleName=run.name, PolicyArn=policy),
        )
    except aws_errors() as error:
        raise NotChecked(f"no role could be made to try it with: {explained(error)}") from error
    refused: list[Exception] = []

    def assumed() -> dict[str, str] | None:
        try:
            answer = sts.assume_role(
                RoleArn=role["Arn"],
                RoleSessionName=run.name,
                ExternalId=secret,
                DurationSeconds=SESSION_S,
            )
        except aws_errors() as error:
            refused.append(error)
            return None
        found: dict[str, str] = answer["Credentials"]
        return found

    found = run.until(assumed, "the role", ASSUMED_S)
    if found is None:
        raise NotChecked(f"the role could not be assumed: {explained(refused[-1])}")
    return found


def _policy(run: Run) -> str:
    return run.stack.outputs["OperatorPolicyArn"]


def refusal(call: Callable[[], Any]) -> str:
    """Return why a call is not allowed; empty if it is, whatever else is said against it."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
        # HEAD has no body that could name the error.
        if code_of(error) in DENIED or (code_of(error) == "403" and status == 403):
            return explained(error)
    return ""


def trials(run: Run, operator: Stack) -> Iterator[Trial]:
    """Yield every action of the policy, on each kind of resource, and a call that needs it."""
    outputs, client = run.stack.outputs, operator.client
    yield from _of_ledger(run, operator)
    yield (
        "cloudformation:DescribeStacks",
        lambda: client("cloudformation").describe_stacks(StackName=run.stack.name),
    )
    entry = {
        "Source": SOURCE,
        "DetailType": "Permission tried",
        "Detail": "{}",
        "EventBusName": outputs["DecisionsBus"],
    }
    yield "events:PutEvents", lambda: client("events").put_events(Entries=[entry])
    for name, output in QUEUES.items():
        yield from _of_queue(operator, f" ({name})", outputs[output])
    pipe = {"Name": outputs["AnnouncementPipe"]}
    yield "pipes:DescribePipe", lambda: client("pipes").describe_pipe(**pipe)
    if run.stack.client("pipes").describe_pipe(**pipe)["CurrentState"] == "RUNNING":
        yield "pipes:StartPipe", lambda: client("pipes").start_pipe(**pipe)  # changes nothing
    yield (
        "sagemaker:DescribeEndpoint",
        lambda: client("sagemaker").describe_endpoint(EndpointName=outputs["EndpointName"]),
    )
    yield from _of_workflow(run, operator)
    yield from _of_pictures(run, operator)
    yield from _of_captures(run, operator)


def _of_ledger(run: Run, operator: Stack) -> Iterator[Trial]:
    table, dynamodb = run.stack.outputs["DecisionsTable"], operator.client("dynamodb")
    key = {"upload": {"S": f"{run.name}/no-such-upload"}}
    yield (
        "dynamodb:Query",
        lambda: dynamodb.query(
            TableName=table,
            IndexName=INDEX,
            Limit=1,
            KeyConditionExpression="outcome = :outcome",
            ExpressionAttributeValues={":outcome": {"S": "review"}},
        ),
    )
    yield (
        "dynamodb:BatchGetItem",
        lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}}),
    )
    yield "dynamodb:GetItem", lambda: dynamodb.get_item(TableName=table, Key=key)
    yield "dynamodb:DeleteItem", lambda: dynamodb.delete_item(TableName=table, Key=key)
    yield (
        "dynamodb:UpdateItem",
        lambda: dynamodb.update_item(
            TableName=table,
            Key=key,
            UpdateExpression="SET revision = revision",
            ConditionExpression="attribute_exists(upload)",  # which it is not: nothing is written
        ),
    )
    stream = run.stack.client("dynamodb").describe_table(TableName=table)["Table"][
        "LatestStreamArn"
    ]
    streams, known = operator.client("dynamodbstreams"), run.stack.client("dynamodbstreams")
    shards = known.describe_stream(StreamArn=stream)["StreamDescription"]["Shards"]
    yield "dynamodb:DescribeStream", lambda: streams.describe_stream(StreamArn=stream)
    where = {"StreamArn": stream, "ShardId": shards[0]["ShardId"], "ShardIteratorType": "LATEST"}
    yield "dynamodb:GetShardIterator", lambda: streams.get_shard_iterator(**where)
    iterator = known.get_shard_iterator(**where)["ShardIterator"]
    yield "dynamodb:GetRecords", lambda: streams.get_records(ShardIterator=iterator, Limit=1)


def _of_queue(operator: Stack, which: str, url: str) -> Iterator[Trial]:
    sqs, receipt = operator.client("sqs"), {"QueueUrl": url, "ReceiptHandle": "none"}
    yield (
        f"sqs:GetQueueAttributes{which}",
        lambda: sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"]),
    )
    yield (
        f"sqs:ReceiveMessage{which}",
        lambda: sqs.receive_message(QueueUrl=url, VisibilityTimeout=0),
    )
    yield f"sqs:DeleteMessage{which}", lambda: sqs.delete_message(**receipt)
    yield (
        f"sqs:ChangeMessageVisibility{which}",
        lambda: sqs.change_message_visibility(**receipt, VisibilityTimeout=0),
    )


def _of_workflow(run: Run, operator: Stack) -> Iterator[Trial]:
    states, arn = operator.client("stepfunctions"), run.stack.state_machine_arn
    yield (
        "states:DescribeStateMachine",
        lambda: states.describe_state_machine(stateMachineArn=arn),
    )
    item = next(iter(run.items.values()), None)
    if item:  # it is decided: the execution ends without a second decision
        event = item["event"]["S"]
        yield (
            "states:StartExecution",
            lambda: states.start_execution(
                stateMachineArn=arn, name=f"{run.name}-{secrets.token_hex(4)}", input=event
            ),
        )
    if run.stack.outputs["WorkflowType"] == "EXPRESS":  # which keeps no executions to look at
        return
    yield (
        "states:ListExecutions",
        lambda: states.list_executions(stateMachineArn=arn, maxResults=1),
    )
    if item:
        execution = item["execution"]["S"]
        yield (
            "states:DescribeExecution",
            lambda: states.describe_execution(executionArn=execution),
        )
        yield (
            "states:GetExecutionHistory",
            lambda: states.get_execution_history(executionArn=execution, maxResults=1),
        )


def _of_pictures(run: Run, operator: Stack) -> Iterator[Trial]:
    s3, bucket = operator.client("s3"), run.stack.outputs["UploadBucket"]
    copy = f"{LABELLED}{run.name}/permission.txt"
    yield "s3:GetBucketVersioning", lambda: s3.get_bucket_versioning(Bucket=bucket)
    yield (
        "s3:ListBucket",
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix=run.folder, MaxKeys=1),
    )
    yield (
        "s3:ListBucketVersions",
        lambda: s3.list_object_versions(Bucket=bucket, Prefix=run.folder, MaxKeys=1),
    )

    def put() -> None:
        s3.put_object(Bucket=bucket, Key=copy, Body=b"")

    own = run.stack.client("s3")
    run.remove_later(copy, lambda: own.delete_object(Bucket=bucket, Key=copy))
    yield "s3:PutObject (labelled)", put
    for which, key in (("uploads", f"{run.folder}none"), ("labelled", copy)):
        where = {"Bucket": bucket, "Key": key}
        yield f"s3:GetObject ({which})", partial(s3.get_object, **where)
        yield (
            f"s3:DeleteObjectVersion ({which})",
            partial(s3.delete_object, **where, VersionId="null"),
        )
        yield f"s3:DeleteObject ({which})", partial(s3.delete_object, **where)


def _of_captures(run: Run, operator: Stack) -> Iterator[Trial]:
    s3, name = operator.client("s3"), run.stack.outputs["EndpointName"]
    found = run.stack.client("sagemaker").describe_endpoint(EndpointName=name)
    config = found.get("DataCaptureConfig") or {}
    if "DestinationS3Uri" not in config:
        return
    place = urlparse(config["DestinationS3Uri"])
    bucket, folder = place.netloc, place.path.strip("/")
    yield (
        "s3:ListBucket (captures)",
        lambda: s3.list_objects_v2(Bucket=bucket, Prefix=folder, MaxKeys=1),
    )
    for which, key in (("captures", f"{folder}/none"), ("cards", "models/cards/none.json")):
        where = {"Bucket": bucket, "Key": key}
        yield f"s3:GetObject ({which})", partial(s3.get_object, **where)
