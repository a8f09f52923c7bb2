"""The calls of `python -m ops`, one for each action of the operator policy.

Each is made on what the policy allows the action on, so that it does nothing: on a key that does
not exist, or on this run's own picture. Any answer but a refusal is permission.
"""

import secrets
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any
from urllib.parse import urlparse

from ops.acceptance.run import PROBE, Run
from ops.stack.dead_letters import QUEUES
from ops.stack.ledger import AUDITS, DUE, INDEX
from ops.stack.outputs import Stack
from ops.stack.uploads import LABELLED

Trial = tuple[str, Callable[[], Any]]


def trials(run: Run, operator: Stack) -> Iterator[Trial]:
    """Yield every action of the policy, on each kind of resource, and a call that needs it."""
    outputs, client = run.stack.outputs, operator.client
    yield from _of_ledger(run, operator)
    yield (
        "cloudformation:DescribeStacks",
        lambda: client("cloudformation").describe_stacks(StackName=run.stack.name),
    )
    entry = {
        "Source": PROBE,
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
    alarms = {"AlarmNames": outputs["Alarms"].split(","), "AlarmTypes": ["MetricAlarm"]}
    yield "cloudwatch:DescribeAlarms", lambda: client("cloudwatch").describe_alarms(**alarms)
    yield (
        "logs:FilterLogEvents",
        lambda: client("logs").filter_log_events(logGroupName=outputs["AuditLogGroup"], limit=1),
    )
    yield from _of_workflow(run, operator)
    yield from _of_backfills(run, operator)
    yield from _of_pictures(run, operator)
    yield from _of_captures(run, operator)


def _of_ledger(run: Run, operator: Stack) -> Iterator[Trial]:
    table, dynamodb = run.stack.outputs["DecisionsTable"], operator.client("dynamodb")
    key = {"upload": {"S": f"{run.name}/no-such-upload"}}
    for index, name, value in ((INDEX, "outcome", "review"), (AUDITS, "audit", DUE)):
        yield (
            "dynamodb:Query",
            partial(
                dynamodb.query,
                TableName=table,
                IndexName=index,
                Limit=1,
                KeyConditionExpression=f"{name} = :value",
                ExpressionAttributeValues={":value": {"S": value}},
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


def _of_backfills(run: Run, operator: Stack) -> Iterator[Trial]:
    """Yield them on a run that there is none of; an input that is no JSON starts none."""
    states, dynamodb = operator.client("stepfunctions"), operator.client("dynamodb")
    machine, table = (run.stack.outputs[name] for name in ("BackfillWorkflowArn", "BackfillsTable"))
    absent = f"{machine.replace(':stateMachine:', ':execution:')}:{run.name}"
    map_run = f"{machine.replace(':stateMachine:', ':mapRun:')}/none:{run.name}"
    key = {"run": {"S": absent}}
    yield (
        "states:StartExecution (backfill)",
        lambda: states.start_execution(stateMachineArn=machine, input="no JSON"),
    )
    yield (
        "states:ListExecutions (backfill)",
        lambda: states.list_executions(stateMachineArn=machine, maxResults=1),
    )
    yield (
        "states:DescribeExecution (backfill)",
        lambda: states.describe_execution(executionArn=absent),
    )
    yield "states:ListMapRuns", lambda: states.list_map_runs(executionArn=absent)
    yield "states:StopExecution", lambda: states.stop_execution(executionArn=absent)
    yield "states:DescribeMapRun", lambda: states.describe_map_run(mapRunArn=map_run)
    yield "dynamodb:GetItem (backfill)", lambda: dynamodb.get_item(TableName=table, Key=key)
    yield (
        "dynamodb:PutItem",
        lambda: dynamodb.put_item(
            TableName=table,
            Item=key,
            ConditionExpression="attribute_exists(allowance)",  # nothing is written
        ),
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
