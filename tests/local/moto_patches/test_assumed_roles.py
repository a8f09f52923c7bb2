"""Who assumes a role of the embedded AWS has its permissions, and no others."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.support.cloud import Cloud, Stack, refusal

ACCOUNT = "arn:aws:iam::123456789012:root"


@pytest.fixture
def role(cloud: Cloud) -> Iterator[dict[str, Any]]:
    """A role that the account may assume with the ExternalId `secret`, and that may do nothing."""
    iam, name = cloud.aws.client("iam"), f"assumed-{uuid.uuid4()}"
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": ACCOUNT},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": "secret"}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    yield iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]
    for policy in iam.list_role_policies(RoleName=name)["PolicyNames"]:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)


def assumed(cloud: Cloud, role: dict[str, Any], service: str) -> Any:
    """Return a client of who has assumed the role."""
    given = cloud.aws.client("sts").assume_role(
        RoleArn=role["Arn"], RoleSessionName="test", ExternalId="secret"
    )["Credentials"]
    return boto3.client(
        service,
        endpoint_url=cloud.aws.url,
        region_name="us-east-1",
        aws_access_key_id=given["AccessKeyId"],
        aws_secret_access_key=given["SecretAccessKey"],
        aws_session_token=given["SessionToken"],
    )


def test_a_role_is_refused_what_its_policies_do_not_allow(
    cloud: Cloud, standard: Stack, role: dict[str, Any]
) -> None:
    outputs = standard.outputs
    calls: list[tuple[str, str, dict[str, Any]]] = [
        ("cloudformation", "describe_stacks", {"StackName": "test-standard"}),
        ("cloudwatch", "describe_alarms", {"AlarmNames": outputs["Alarms"].split(",")}),
        ("dynamodb", "describe_table", {"TableName": outputs["DecisionsTable"]}),
        ("events", "put_events", {"Entries": [{"EventBusName": outputs["DecisionsBus"]}]}),
        ("logs", "filter_log_events", {"logGroupName": outputs["AuditLogGroup"]}),
        ("pipes", "describe_pipe", {"Name": outputs["AnnouncementPipe"]}),
        ("s3", "list_objects_v2", {"Bucket": outputs["UploadBucket"]}),
        ("sagemaker", "describe_endpoint", {"EndpointName": outputs["EndpointName"]}),
        ("sqs", "receive_message", {"QueueUrl": outputs["UploadEventsDeadLetterQueue"]}),
        ("stepfunctions", "list_executions", {"stateMachineArn": outputs["StateMachineArn"]}),
    ]
    for service, name, arguments in calls:
        code, status = refusal(getattr(assumed(cloud, role, service), name), **arguments)
        assert (code, status) in [("AccessDenied", 403), ("AccessDeniedException", 403)], service


def test_a_role_does_what_its_policies_allow(
    cloud: Cloud, standard: Stack, role: dict[str, Any]
) -> None:
    bucket = standard.outputs["UploadBucket"]
    arn = f"arn:aws:s3:::{bucket}/labelled/*"
    statement = {"Effect": "Allow", "Action": "s3:PutObject", "Resource": arn}
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    iam = cloud.aws.client("iam")
    iam.put_role_policy(RoleName=role["RoleName"], PolicyName="put", PolicyDocument=document)
    s3 = assumed(cloud, role, "s3")
    s3.put_object(Bucket=bucket, Key="labelled/test.txt", Body=b"")
    assert refusal(s3.put_object, Bucket=bucket, Key="uploads/x", Body=b"")[1] == 403
    assert refusal(s3.delete_object, Bucket=bucket, Key="labelled/test.txt")[1] == 403
    cloud.aws.client("s3").delete_object(Bucket=bucket, Key="labelled/test.txt")


@pytest.mark.parametrize("external_id", ["another", None])
def test_a_role_is_not_assumed_without_its_external_id(
    cloud: Cloud, role: dict[str, Any], external_id: str | None
) -> None:
    given = {"ExternalId": external_id} if external_id else {}
    assume = cloud.aws.client("sts").assume_role
    found = refusal(assume, RoleArn=role["Arn"], RoleSessionName="test", **given)
    assert found == ("AccessDenied", 403)


def test_a_role_that_is_not_there_is_not_assumed(cloud: Cloud) -> None:
    arn = "arn:aws:iam::123456789012:role/nobody"
    assume = cloud.aws.client("sts").assume_role
    assert refusal(assume, RoleArn=arn, RoleSessionName="test") == ("AccessDenied", 403)
