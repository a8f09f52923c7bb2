"""One test or more for each module of local/moto_patches: what stock moto lacks, and ours does.

If one fails after an update of moto, its name tells the seam to look at.
"""

import json
import re
import threading
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from local.cloud import EmbeddedAwsError
from tests.support.cloud import Cloud, Stack
from tests.support.project import template
from tests.support.waiting import until


class Rule:
    """A rule for uploads of one bucket, with a queue as its target."""

    def __init__(self, cloud: Cloud, **rule: Any) -> None:
        name = f"rule-{uuid.uuid4().hex[:8]}"
        self.events, self.s3, self.sqs = map(cloud.aws.client, ("events", "s3", "sqs"))
        self.bucket, self.name = name, name
        self.s3.create_bucket(Bucket=name)
        self.s3.put_bucket_notification_configuration(
            Bucket=name, NotificationConfiguration={"EventBridgeConfiguration": {}}
        )
        self.queue, self.queue_arn = self.make_queue(name)
        pattern = {"source": ["aws.s3"], "detail": {"bucket": {"name": [name]}}}
        answer = self.events.put_rule(Name=name, EventPattern=json.dumps(pattern), **rule)
        self.arn = answer["RuleArn"]
        self.target(Arn=self.queue_arn)

    def make_queue(self, name: str) -> tuple[str, str]:
        url = self.sqs.create_queue(QueueName=name)["QueueUrl"]
        arn = self.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
        return url, arn["Attributes"]["QueueArn"]

    def target(self, **target: Any) -> None:
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "1", **target}])

    def messages(self, url: str) -> list[Any]:
        answer = self.sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        )
        found: list[Any] = answer.get("Messages", [])
        return found

    def received(self, url: str = "") -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(url or self.queue)]

    def put(self, key: str = "a.png") -> None:
        self.s3.put_object(Bucket=self.bucket, Key=key, Body=b"picture")


def test_events_two_uploads_have_two_ids_and_the_etag_by_its_right_name(cloud: Cloud) -> None:
    rule = Rule(cloud)
    rule.put("a.png")
    rule.put("b c+d.png")
    found: list[Any] = []
    until(lambda: found.extend(rule.received()) or len(found) >= 2)
    assert {event["detail"]["object"]["key"] for event in found} == {"a.png", "b c+d.png"}
    assert len({event["id"] for event in found}) == 2
    assert all(len(event["detail"]["object"]["etag"]) == 32 for event in found)


def test_events_a_multipart_upload_is_one_event(cloud: Cloud) -> None:
    rule = Rule(cloud)
    address = {"Bucket": rule.bucket, "Key": "large.jpg"}
    upload = rule.s3.create_multipart_upload(**address)["UploadId"]
    part = rule.s3.upload_part(**address, UploadId=upload, PartNumber=1, Body=b"whole")
    rule.s3.complete_multipart_upload(
        **address,
        UploadId=upload,
        MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]},
    )
    rule.put("marker.png")  # deliveries of one rule are begun in order
    found: list[Any] = []
    until(lambda: found.extend(rule.received()) or len(found) >= 2)
    assert sorted(event["detail"]["object"]["key"] for event in found) == [
        "large.jpg",
        "marker.png",
    ]
    reasons = {event["detail"]["object"]["key"]: event["detail"]["reason"] for event in found}
    assert reasons["large.jpg"] == "CompleteMultipartUpload"


def test_events_a_disabled_rule_is_silent(cloud: Cloud) -> None:
    rule = Rule(cloud, State="DISABLED")
    rule.put("unseen.png")
    rule.events.enable_rule(Name=rule.name)
    rule.put("seen.png")
    [event] = until(rule.received)
    assert event["detail"]["object"]["key"] == "seen.png"


@pytest.mark.parametrize("allowed", [True, False], ids=["with-a-policy", "without-a-policy"])
def test_events_an_undeliverable_event_is_kept_only_if_the_queue_lets_the_rule_send(
    cloud: Cloud, allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    rule = Rule(cloud)
    letters, letters_arn = rule.make_queue(f"{rule.name}-letters")
    if allowed:
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": letters_arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": rule.arn}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
        rule.sqs.set_queue_attributes(QueueUrl=letters, Attributes={"Policy": policy})
    rule.target(
        Arn=f"{rule.queue_arn}-gone",
        DeadLetterConfig={"Arn": letters_arn},
        RetryPolicy={"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
    )
    with caplog.at_level("WARNING", logger="local.moto_patches.events"):
        rule.put()
        if allowed:
            [letter] = until(lambda: rule.messages(letters))
            assert json.loads(letter["Body"])["detail"]["object"]["key"] == "a.png"
            told = {name: each["StringValue"] for name, each in letter["MessageAttributes"].items()}
            assert told["RULE_ARN"] == rule.arn
            assert set(told) == {"ERROR_CODE", "ERROR_MESSAGE", "RULE_ARN", "TARGET_ARN"}
        else:
            assert until(lambda: "dropped: the policy of" in caplog.text)
            assert rule.received(letters) == []


@pytest.mark.parametrize(
    ("conditions", "allowed"),
    [((), False), (("CreateLogStream", "PutLogEvents"), False), (("PutLogEvents",), True)],
    ids=["without a policy", "a condition on the stream", "a condition on the events"],
)
def test_events_a_log_group_is_written_only_if_its_policy_lets_the_rule(
    cloud: Cloud, conditions: tuple[str, ...], allowed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """CreateLogStream does not tell which rule it is for: a condition on the rule denies it."""
    rule = Rule(cloud)
    logs, arn = cloud.aws.client("logs"), rule.queue_arn.replace(":sqs:", ":logs:")
    arn = arn.replace(rule.name, f"log-group:{rule.name}")
    logs.create_log_group(logGroupName=rule.name)

    def written(group: str) -> Any:
        return logs.filter_log_events(logGroupName=group)["events"]

    statements = [
        {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": f"logs:{action}",
            "Resource": f"{arn}:*",
        }
        | (
            {"Condition": {"ArnEquals": {"aws:SourceArn": rule.arn}}}
            if action in conditions
            else {}
        )
        for action in ("CreateLogStream", "PutLogEvents")
    ]
    if conditions:
        document = json.dumps({"Version": "2012-10-17", "Statement": statements})
        logs.put_resource_policy(policyName=rule.name, policyDocument=document)
    rule.target(Arn=arn)
    try:
        with caplog.at_level("WARNING", logger="local.moto_patches.events"):
            rule.put()
            until(lambda: written(rule.name) or "could not deliver" in caplog.text)
    finally:
        if conditions:
            logs.delete_resource_policy(policyName=rule.name)  # AWS and moto keep ten
    assert len(written(rule.name)) == allowed


def refusal(call: Callable[..., Any], **arguments: Any) -> tuple[str, int]:
    with pytest.raises(ClientError) as caught:
        call(**arguments)
    answer = caught.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


def test_sagemaker_runtime_an_unknown_endpoint_is_refused(cloud: Cloud) -> None:
    runtime = cloud.aws.client("sagemaker-runtime")
    request = {"EndpointName": "nobody", "Body": b"", "ContentType": "image/png"}
    assert refusal(runtime.invoke_endpoint, **request) == ("ValidationError", 400)


def test_sagemaker_runtime_the_container_s_words_reach_the_caller(standard: Stack) -> None:
    runtime = standard.aws.client("sagemaker-runtime")
    request = {"EndpointName": standard.outputs["EndpointName"], "Body": b"no picture"}
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(**request, ContentType="image/png")
    assert caught.value.response["OriginalStatusCode"] == 400


@pytest.mark.parametrize(
    ("operation", "argument"),
    [
        ("list_executions", "stateMachineArn"),
        ("describe_execution", "executionArn"),
        ("get_execution_history", "executionArn"),
        ("stop_execution", "executionArn"),
    ],
)
def test_state_machines_express_refuses_what_it_refuses_on_aws(
    express: Stack, operation: str, argument: str
) -> None:
    states = express.aws.client("stepfunctions")
    arn = express.outputs["StateMachineArn"]
    if argument == "executionArn":
        arn = states.start_execution(stateMachineArn=arn, input="{}")["executionArn"]
    code, _ = refusal(getattr(states, operation), **{argument: arn})
    assert code == "StateMachineTypeNotSupported"


def test_state_machines_nameless_executions_have_names_of_their_own(standard: Stack) -> None:
    states = standard.aws.client("stepfunctions")
    request = {"stateMachineArn": standard.outputs["StateMachineArn"], "input": "{}"}
    arns = {states.start_execution(**request)["executionArn"] for _ in range(2)}
    assert len(arns) == 2


def test_state_machines_a_deployed_one_has_its_substitutions(stack: Stack) -> None:
    described = stack.aws.client("stepfunctions").describe_state_machine(
        stateMachineArn=stack.outputs["StateMachineArn"]
    )
    assert described["type"] == stack.outputs["WorkflowType"]
    assert "${" not in described["definition"]
    assert stack.outputs["DecisionsTable"] in described["definition"]


def test_state_machines_another_type_is_another_state_machine(cloud: Cloud) -> None:
    before = cloud.aws.deploy("seam-type", {"WorkflowType": "STANDARD"})["StateMachineArn"]
    after = cloud.aws.deploy("seam-type", {"WorkflowType": "EXPRESS"})["StateMachineArn"]
    states = cloud.aws.client("stepfunctions")
    assert states.describe_state_machine(stateMachineArn=after)["type"] == "EXPRESS"
    arns = [each["stateMachineArn"] for each in states.list_state_machines()["stateMachines"]]
    assert after in arns
    assert (before in arns) == (before == after)


def test_tables_of_many_conditional_writes_at_once_one_succeeds(cloud: Cloud) -> None:
    dynamodb = cloud.aws.client("dynamodb")
    table = f"seam-{uuid.uuid4().hex[:8]}"
    dynamodb.create_table(
        TableName=table,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    outcomes: list[str] = []
    ready = threading.Barrier(8)

    def write(writer: int) -> None:
        ready.wait()
        try:
            dynamodb.put_item(
                TableName=table,
                Item={"id": {"S": "one"}, "writer": {"N": str(writer)}},
                ConditionExpression="attribute_not_exists(id)",
            )
            outcomes.append("written")
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])

    threads = [threading.Thread(target=write, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["ConditionalCheckFailedException"] * 7 + ["written"]


def announced(stack: Stack, upload: str) -> list[Any]:
    pages = stack.aws.client("logs").get_paginator("filter_log_events")
    events = [
        json.loads(event["message"])["detail"]
        for page in pages.paginate(logGroupName=stack.outputs["AuditLogGroup"])
        for event in page["events"]
    ]
    return [event for event in events if event["upload"] == upload]


def test_pipes_every_change_of_an_item_is_announced_once_and_in_order(
    standard: Stack, images: Path
) -> None:
    dynamodb, table = standard.aws.client("dynamodb"), standard.outputs["DecisionsTable"]
    data = (images / "bicycle.png").read_bytes()
    upload = standard.follower.upload(data, f"{uuid.uuid4()}.png").upload
    assert standard.follower.outcome(upload)
    for revision in range(2, 6):
        dynamodb.update_item(
            TableName=table,
            Key={"upload": {"S": upload}},
            UpdateExpression="SET revision = :revision",
            ExpressionAttributeValues={":revision": {"N": str(revision)}},
        )
    until(lambda: len(announced(standard, upload)) >= 5)
    revisions = [event["revision"] for event in announced(standard, upload)]
    assert revisions == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ConfidenceThreshold", "2", "failed to satisfy constraint: a probability, from 0 to 1"),
        ("ConfidenceThreshold", "high", "a probability, from 0 to 1"),
        ("LogRetentionDays", "2", "a number of days that CloudWatch Logs offers"),
        ("WorkflowType", "FAST", "must be one of STANDARD, EXPRESS"),
        ("EndpointName", "Mine", "1 to 63 lower-case letters"),
        ("UploadPrefix", "labelled/", "UploadPrefix failed to satisfy constraint"),
        ("Bucket", "mine", "[Bucket] do not exist in the template"),
    ],
)
def test_stack_parameters_are_held_to_their_bounds(
    cloud: Cloud, name: str, value: str, words: str
) -> None:
    with pytest.raises(EmbeddedAwsError, match=re.escape(words)):
        cloud.aws.deploy("refused", {name: value})
    stacks = cloud.aws.client("cloudformation").describe_stacks()["Stacks"]
    assert "refused" not in [stack["StackName"] for stack in stacks]


def test_stack_resources_every_resource_of_the_template_is_deployed(standard: Stack) -> None:
    client = standard.aws.client("cloudformation")
    pages = client.get_paginator("list_stack_resources").paginate(StackName="test-standard")
    deployed = {
        each["LogicalResourceId"] for page in pages for each in page["StackResourceSummaries"]
    }
    wanted = {
        name for name, each in template()["Resources"].items() if "Condition" not in each
    }  # moto leaves out, in silence, what it does not know
    assert wanted - deployed == set()


def test_stack_resources_the_policy_of_a_queue_is_deployed(standard: Stack) -> None:
    attributes = standard.aws.client("sqs").get_queue_attributes(
        QueueUrl=standard.outputs["UploadEventsDeadLetterQueue"], AttributeNames=["Policy"]
    )
    assert "events.amazonaws.com" in attributes["Attributes"]["Policy"]


def test_copies_an_object_that_has_changed_is_not_copied(cloud: Cloud) -> None:
    s3, bucket = cloud.aws.client("s3"), f"seam-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    request = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    assert refusal(s3.copy_object, **request, CopySourceIfMatch=etag)[1] == 412
