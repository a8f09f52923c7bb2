"""What moto does without the patches of local/moto_patches: a probe for each of them.

python -m tests.support.stock_moto      print one JSON object: lack, and whether moto has it still

A process of its own: mock_aws resets the services that an embedded AWS in the process runs on.
"""

import io
import json
import sys
import time
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import boto3
import requests
from botocore.exceptions import ClientError
from moto import backends, mock_aws
from moto.awslambda.models import LambdaFunction
from moto.backends import list_of_moto_modules
from moto.cloudformation.parsing import get_model_map
from moto.cloudwatch.responses import CloudWatchResponse
from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.parsing.validators import ActionCountValidator
from moto.logs.responses import LogsResponse
from moto.moto_server.threaded_moto_server import ThreadedMotoServer
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.s3.models import s3_backends
from moto.stepfunctions.parser.asl.component.common.path import result_path
from moto.stepfunctions.parser.asl.utils import json_path
from werkzeug.test import Client

REGION = "us-east-1"
ROLE = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/states"
PASS = json.dumps({"StartAt": "Pass", "States": {"Pass": {"Type": "Pass", "End": True}}})
# The types that local/moto_patches/stack_resources.py adds.
TYPES = (
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"),
    *("AWS::Logs::MetricFilter", "AWS::Logs::QueryDefinition"),
    *("AWS::Logs::Transformer", "AWS::Pipes::Pipe", "AWS::S3::BucketPolicy"),
    *("AWS::SNS::Subscription", "AWS::SNS::TopicPolicy", "AWS::SQS::QueuePolicy"),
)

# Patches whose probes need executions that run.
EXECUTING = ("event_targets", "executions", "events", "map_", "sdk_tasks")

Probe = Callable[[], bool]
PROBES: dict[str, Probe] = {}


def probe(patch: str, lack: str) -> Callable[[Probe], Probe]:
    """Register a probe, which tells whether stock moto has a lack that a patch makes good."""

    def register(function: Probe) -> Probe:
        PROBES[f"{patch}: {lack}"] = function
        return function

    return register


def client(service: str, key: str = "anyone") -> Any:
    return boto3.client(
        service, region_name=REGION, aws_access_key_id=key, aws_secret_access_key="none"
    )


def make_table() -> str:
    """Make a table with a stream; return the stream's ARN."""
    client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    described = client("dynamodb").describe_table(TableName="table")
    return str(described["Table"]["LatestStreamArn"])


def make_function() -> None:
    role = client("iam").create_role(RoleName="functions", AssumeRolePolicyDocument="{}")
    client("lambda").create_function(
        FunctionName="function",
        Runtime="python3.11",
        Role=role["Role"]["Arn"],
        Handler="app.handler",
        Code={"ZipFile": b"PK\5\6" + bytes(18)},
        LoggingConfig={"LogFormat": "JSON"},
        DeadLetterConfig={"TargetArn": f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue"},
    )


def make_stack(resources: dict[str, Any], **template: Any) -> None:
    body = json.dumps({"Resources": resources, **template})
    client("cloudformation").create_stack(StackName="stack", TemplateBody=body)


def queue(name: Any = "queue") -> dict[str, Any]:
    return {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": name}}


def stack_types() -> list[str]:
    listed = client("cloudformation").list_stack_resources(StackName="stack")
    return [resource["ResourceType"] for resource in listed["StackResourceSummaries"]]


def make_queue(name: str) -> str:
    url: str = client("sqs").create_queue(QueueName=name)["QueueUrl"]
    return url


def messages(url: str) -> list[Any]:
    answer = client("sqs").receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    found: list[Any] = answer.get("Messages", [])
    return found


def make_rule(target: str, **rule: Any) -> str:
    """Route the uploads of a new bucket to a target; return the bucket's name."""
    s3, events = client("s3"), client("events")
    s3.create_bucket(Bucket="bucket")
    configuration: dict[str, Any] = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(
        Bucket="bucket", NotificationConfiguration=configuration
    )
    events.put_rule(Name="rule", EventPattern='{"source": ["aws.s3"]}', **rule)
    events.put_targets(Rule="rule", Targets=[{"Id": "1", "Arn": target, "RoleArn": ROLE}])
    return "bucket"


def make_state_machine(kind: str = "STANDARD", definition: str = PASS) -> str:
    made = client("stepfunctions").create_state_machine(
        name="machine", definition=definition, roleArn=ROLE, type=kind
    )
    return str(made["stateMachineArn"])


@probe("access", "a page of every origin may read the answers, unsigned")
def access() -> bool:
    server = Client(DomainDispatcherApplication(create_backend_app))
    page = "https://photos.example"
    answer = server.get("/", base_url="http://127.0.0.1", headers={"Origin": page})
    return answer.status_code == 200 and answer.headers["Access-Control-Allow-Origin"] == page


@probe("assumed_roles", "a role that does not exist is assumed")
def assumed_roles() -> bool:
    arn = f"arn:aws:iam::{DEFAULT_ACCOUNT_ID}:role/nobody"
    return bool(client("sts").assume_role(RoleArn=arn, RoleSessionName="probe")["Credentials"])


@probe("connections", "an answer closes its connection")
def connections() -> bool:
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        with patch.object(MotoRequestHandler, "protocol_version", "HTTP/1.1"):
            answer = requests.get(f"http://{host}:{port}/", timeout=10)
    finally:
        server.stop()
    return answer.headers.get("Connection") == "close"


@probe("copies", "a changed object is copied")
def copies() -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a", Body=b"1")
    s3.copy_object(Bucket="bucket", Key="b", CopySource="bucket/a", CopySourceIfMatch='"0"')
    return bool(s3.head_object(Bucket="bucket", Key="b"))


@probe("object_listings", "an object that is deleted meanwhile fails a listing")
def object_listings() -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    for key in ("a", "b"):
        s3.put_object(Bucket="bucket", Key=key, Body=b"1")
    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets["bucket"].keys
    try:
        for _ in keys.items():
            s3.delete_object(Bucket="bucket", Key="b")
    except KeyError:
        return True
    return False


@probe("data_capture", "no request is captured")
def data_capture() -> bool:
    sagemaker, s3 = client("sagemaker"), client("s3")
    s3.create_bucket(Bucket="captures")
    sagemaker.create_model(
        ModelName="model", PrimaryContainer={"Image": "image"}, ExecutionRoleArn=ROLE
    )
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": "model",
        "InitialInstanceCount": 1,
        "InstanceType": "ml.c5.large",
    }
    sagemaker.create_endpoint_config(
        EndpointConfigName="config",
        ProductionVariants=[variant],
        DataCaptureConfig={
            "EnableCapture": True,
            "InitialSamplingPercentage": 100,
            "DestinationS3Uri": "s3://captures/",
            "CaptureOptions": [{"CaptureMode": "Input"}],
        },
    )
    sagemaker.create_endpoint(EndpointName="endpoint", EndpointConfigName="config")
    client("sagemaker-runtime").invoke_endpoint(EndpointName="endpoint", Body=b"picture")
    return "Contents" not in s3.list_objects_v2(Bucket="captures")


@probe("event_targets", "a target of any service is taken")
def target_of_any_service() -> bool:
    make_rule(f"arn:aws:kinesis:{REGION}:{DEFAULT_ACCOUNT_ID}:stream/stream")
    return bool(client("events").list_targets_by_rule(Rule="rule")["Targets"])


@probe("event_targets", "a queue takes what its policy does not let in")
def queue_without_a_policy() -> bool:
    url = make_queue("queue")
    bucket = make_rule(f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue")
    client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")
    return bool(messages(url))


@probe("event_targets", "no rule calls a function")
def events_call_nothing() -> bool:
    make_function()
    function = f"arn:aws:lambda:{REGION}:{DEFAULT_ACCOUNT_ID}:function:function"
    with patch.object(LambdaFunction, "_invoke_lambda") as called:
        client("s3").put_object(Bucket=make_rule(function), Key="a", Body=b"1")
    return not called.called


@probe("event_targets", "no rule starts a state machine")
def events_start_nothing() -> bool:
    machine = make_state_machine()
    client("s3").put_object(Bucket=make_rule(machine), Key="a", Body=b"1")
    return not client("stepfunctions").list_executions(stateMachineArn=machine)["executions"]


@probe("events", "a disabled rule delivers")
def events_of_a_disabled_rule() -> bool:
    url = make_queue("queue")
    bucket = make_rule(f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue", State="DISABLED")
    client("s3").put_object(Bucket=bucket, Key="a", Body=b"1")
    return bool(messages(url))


@probe("dispatch", "the folder of modules is listed for every request")
def dispatch() -> bool:
    server = DomainDispatcherApplication(create_backend_app)
    environ = {"PATH_INFO": "/", "HTTP_HOST": "127.0.0.1"}
    server.get_application(environ)  # loads the service
    with patch.object(backends, "list_of_moto_modules", wraps=list_of_moto_modules) as listed:
        server.get_application(environ)
    return listed.called


@probe("json_paths", "a path is parsed for each evaluation")
def json_paths() -> bool:
    return all(
        module.parse("$.a") is not module.parse("$.a") for module in (json_path, result_path)
    )


@probe("presigned_posts", "a form is taken whatever its policy says")
def presigned_posts() -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    form = s3.generate_presigned_post(
        "bucket", "a", Conditions=[["content-length-range", 1, 2]], ExpiresIn=60
    )
    fields = [(name, (None, value)) for name, value in form["fields"].items()]
    answer = requests.post(form["url"], files=[*fields, ("file", b"12345")], timeout=10)
    return answer.ok and "ETag" not in answer.headers


@probe("queries", "bounds in the wrong order are taken")
def queries() -> bool:
    key = [("id", "HASH", "S"), ("at", "RANGE", "S")]
    client("dynamodb").create_table(
        TableName="table",
        KeySchema=[{"AttributeName": name, "KeyType": kind} for name, kind, _ in key],
        AttributeDefinitions=[{"AttributeName": n, "AttributeType": kind} for n, _, kind in key],
        BillingMode="PAY_PER_REQUEST",
    )
    answer = client("dynamodb").query(
        TableName="table",
        KeyConditionExpression="id = :id AND at BETWEEN :lower AND :upper",
        ExpressionAttributeValues={":id": {"S": "1"}, ":lower": {"S": "b"}, ":upper": {"S": "a"}},
    )
    return bool(answer["Count"] == 0)


@probe("s3_events", "every S3 event has the same id")
def events_of_one_id() -> bool:
    url = make_queue("queue")
    bucket = make_rule(f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue")
    for key in "ab":
        client("s3").put_object(Bucket=bucket, Key=key, Body=b"1")
    return len({json.loads(message["Body"])["id"] for message in messages(url)}) == 1


@probe("form_bodies", "a picture that is sent as a form is read and not given back")
def form_bodies() -> bool:
    body = io.BytesIO(b"\xff")
    environ = {
        "REQUEST_METHOD": "PUT",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": "1",
        "wsgi.input": body,
    }
    DomainDispatcherApplication(create_backend_app)._get_body(environ)
    return environ["wsgi.input"] is body and body.read() == b""


@probe("lambda_configuration", "LoggingConfig is forgotten")
def lambda_configuration() -> bool:
    make_function()
    found = client("lambda").get_function_configuration(FunctionName="function")
    return bool(found.get("LoggingConfig", {}).get("LogFormat") != "JSON")


@probe("lambda_events", "a function's dead-letter queue is forgotten")
def lambda_events() -> bool:
    make_function()
    found = client("lambda").get_function_configuration(FunctionName="function")
    return "DeadLetterConfig" not in found


@probe("lambda_invoke", "no function runs without Docker, and none is throttled")
def lambda_invoke() -> bool:
    make_function()
    client("lambda").put_function_concurrency(
        FunctionName="function", ReservedConcurrentExecutions=0
    )
    return bool(client("lambda").invoke(FunctionName="function", Payload=b"{}"))


def make_log(message: str) -> None:
    logs = client("logs")
    logs.create_log_group(logGroupName="group")
    logs.create_log_stream(logGroupName="group", logStreamName="stream")
    metric = {"metricName": "metric", "metricNamespace": "mine", "metricValue": "1"}
    logs.put_metric_filter(
        logGroupName="group",
        filterName="filter",
        filterPattern="{ $.a = * }",
        metricTransformations=[metric],
    )
    event = {"timestamp": int(time.time() * 1000), "message": message}
    logs.put_log_events(logGroupName="group", logStreamName="stream", logEvents=[event])


@probe("logs", "a metric filter measures nothing")
def metric_filters() -> bool:
    make_log('{"a": 1}')
    return not client("cloudwatch").list_metrics(Namespace="mine")["Metrics"]


@probe("logs", "Insights counts nothing")
def insights() -> bool:
    make_log('{"a": 1}')
    logs, now = client("logs"), int(time.time())
    query = logs.start_query(
        logGroupName="group",
        startTime=now - 60,
        endTime=now + 60,
        queryString="filter ispresent(a) | stats count(*) as number by a as value",
    )
    [row] = logs.get_query_results(queryId=query["queryId"])["results"]
    return "number" not in [column["field"] for column in row]


@probe("logs", "there are no transformers")
def transformers() -> bool:
    return not hasattr(LogsResponse, "get_transformer")


@probe("metrics", "no execution is measured")
def metrics() -> bool:
    machine = make_state_machine()
    client("stepfunctions").start_execution(stateMachineArn=machine, name="one")
    return not client("cloudwatch").list_metrics(Namespace="AWS/States")["Metrics"]


@probe("metrics", "an alarm has no history")
def alarm_history() -> bool:
    return not hasattr(CloudWatchResponse, "describe_alarm_history")


@probe("permissions", "a role without a policy may do everything")
def permissions() -> bool:
    make_table()
    client("iam").create_role(RoleName="nobody", AssumeRolePolicyDocument="{}")
    return bool(client("dynamodb", key="nobody").scan(TableName="table"))


@probe("pipes", "no pipe moves a record")
def pipes() -> bool:
    stream, url = make_table(), make_queue("queue")
    client("pipes").create_pipe(
        Name="pipe",
        RoleArn=ROLE,
        Source=stream,
        SourceParameters={"DynamoDBStreamParameters": {"StartingPosition": "TRIM_HORIZON"}},
        Target=f"arn:aws:sqs:{REGION}:{DEFAULT_ACCOUNT_ID}:queue",
    )
    client("dynamodb").put_item(TableName="table", Item={"id": {"S": "1"}})
    return not messages(url)


@probe("sagemaker_endpoint", "an endpoint of a stack has another name than it is given")
def endpoint_of_a_stack() -> bool:
    variant = {
        "VariantName": "AllTraffic",
        "ModelName": {"Fn::GetAtt": ["Model", "ModelName"]},
        "InitialInstanceCount": 1,
        "InstanceType": "ml.c5.large",
        "InitialVariantWeight": 1,
    }
    model = {"ExecutionRoleArn": ROLE, "PrimaryContainer": {"Image": "image"}}
    config = {"Fn::GetAtt": ["Config", "EndpointConfigName"]}
    resources = {
        "Model": ("Model", model),
        "Config": ("EndpointConfig", {"ProductionVariants": [variant]}),
        "Endpoint": ("Endpoint", {"EndpointName": "mine", "EndpointConfigName": config}),
    }
    make_stack(
        {
            name: {"Type": f"AWS::SageMaker::{kind}", "Properties": properties}
            for name, (kind, properties) in resources.items()
        }
    )
    listed = client("sagemaker").list_endpoints()["Endpoints"]
    return [endpoint["EndpointName"] for endpoint in listed] != ["mine"]


@probe("sagemaker_runtime", "an endpoint that does not exist answers")
def sagemaker_runtime() -> bool:
    answer = client("sagemaker-runtime").invoke_endpoint(EndpointName="nobody", Body=b"")
    return bool(answer["Body"].read())


@probe("stack_attributes", "a bucket's EventBridgeConfiguration is ignored")
def bucket_events() -> bool:
    configuration = {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    properties = {"BucketName": "bucket", "NotificationConfiguration": configuration}
    make_stack({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}})
    found = client("s3").get_bucket_notification_configuration(Bucket="bucket")
    return "EventBridgeConfiguration" not in found


@probe("stack_attributes", "a bucket's CorsConfiguration is ignored")
def bucket_cors() -> bool:
    rule = {"AllowedOrigins": ["https://photos.example"], "AllowedMethods": ["POST"]}
    properties = {"BucketName": "bucket", "CorsConfiguration": {"CorsRules": [rule]}}
    make_stack({"Bucket": {"Type": "AWS::S3::Bucket", "Properties": properties}})
    try:
        return not client("s3").get_bucket_cors(Bucket="bucket")
    except ClientError:
        return True


@probe("stack_attributes", "the Ref of a bus is no name, the Arn of a log group no pattern")
def references() -> bool:
    bus = {"Type": "AWS::Events::EventBus", "Properties": {"Name": "bus"}}
    group = {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "group"}}
    arn = {"Fn::GetAtt": ["Group", "Arn"]}
    outputs = {"Bus": {"Value": {"Ref": "Bus"}}, "Arn": {"Value": arn}}
    make_stack({"Bus": bus, "Group": group}, Outputs=outputs)
    [stack] = client("cloudformation").describe_stacks(StackName="stack")["Stacks"]
    found = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    return found["Bus"] != "bus" and not found["Arn"].endswith(":*")


@probe("stack_changes", "nothing of a SAM template is made")
def stack_changes() -> bool:
    make_stack(
        {"Table": {"Type": "AWS::Serverless::SimpleTable"}}, Transform="AWS::Serverless-2016-10-31"
    )
    return not client("dynamodb").list_tables()["TableNames"]


@probe("stack_changes", "a change set makes no Outputs")
def change_sets() -> bool:
    cloudformation = client("cloudformation")
    body = {"Resources": {"Queue": queue()}, "Outputs": {"Url": {"Value": {"Ref": "Queue"}}}}
    made = cloudformation.create_change_set(
        StackName="stack",
        ChangeSetName="change",
        ChangeSetType="CREATE",
        TemplateBody=json.dumps(body),
    )
    cloudformation.execute_change_set(ChangeSetName=made["Id"])
    [stack] = cloudformation.describe_stacks(StackName="stack")["Stacks"]
    return not stack.get("Outputs")


@probe("stack_parameters", "a value out of bounds is taken")
def stack_parameters() -> bool:
    share = {"Type": "Number", "Default": "2", "MaxValue": 1}
    make_stack({"Queue": queue()}, Parameters={"Share": share})
    return bool(stack_types())


@probe("stack_deletions", "a stack is deleted while its policy is attached")
def stack_deletions() -> bool:
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
    document = {"Version": "2012-10-17", "Statement": [statement]}
    policy = {"Type": "AWS::IAM::ManagedPolicy", "Properties": {"PolicyDocument": document}}
    make_stack({"Policy": policy})
    iam = client("iam")
    iam.create_user(UserName="ann")
    [made] = iam.list_policies(Scope="Local")["Policies"]
    iam.attach_user_policy(UserName="ann", PolicyArn=made["Arn"])
    client("cloudformation").delete_stack(StackName="stack")
    return client("cloudformation").describe_stacks()["Stacks"] == []


@probe("stack_updates", "a parameter within Sub does not reach its resource")
def stack_updates() -> bool:
    cloudformation = client("cloudformation")
    body = {
        "Parameters": {"Name": {"Type": "String", "Default": "a"}},
        "Resources": {"Queue": queue({"Fn::Sub": "queue-${Name}"})},
    }
    cloudformation.create_stack(StackName="stack", TemplateBody=json.dumps(body))
    cloudformation.update_stack(
        StackName="stack",
        TemplateBody=json.dumps(body),
        Parameters=[{"ParameterKey": "Name", "ParameterValue": "b"}],
    )
    return not any(url.endswith("queue-b") for url in client("sqs").list_queues()["QueueUrls"])


@probe("state_machines", "a stack's state machine has its placeholders still")
def state_machine_of_a_stack() -> bool:
    properties = {
        "DefinitionString": PASS.replace("Pass", "${Name}"),
        "DefinitionSubstitutions": {"Name": "Pass"},
        "RoleArn": ROLE,
    }
    make_stack({"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": properties}})
    states = client("stepfunctions")
    [machine] = states.list_state_machines()["stateMachines"]
    described = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
    return "${Name}" in described["definition"]


def made_of(map_state: dict[str, Any]) -> dict[str, Any]:
    """Return the ended execution of a Distributed Map, of one Pass state if it names no others."""
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    }
    state = {"Type": "Map", "ItemProcessor": processor, "End": True} | map_state
    machine = make_state_machine(
        definition=json.dumps({"StartAt": "Map", "States": {"Map": state}})
    )
    return ended(machine)


def ended(machine: str) -> dict[str, Any]:
    states = client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, name="one")["executionArn"]
    while (found := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
        time.sleep(0.05)
    return dict(found)


@probe("map_items", "an object is listed with other names and times")
def listed_objects() -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a", Body=b"1")
    where = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "bucket"}}
    found = made_of({"ItemReader": where, "ItemSelector": {"etag.$": "$$.Map.Item.Value.Etag"}})
    return bool(found["status"] == "FAILED" or "etag" not in found["output"])


@probe("map_items", "the results of a map are not written")
def results() -> bool:
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="items.json", Body=b"[1]")
    where = {"Bucket": "bucket", "Key": "items.json"}
    read = {
        "Resource": "arn:aws:states:::s3:getObject",
        "ReaderConfig": {"InputType": "JSON"},
        "Parameters": where,
    }
    write = {
        "Resource": "arn:aws:states:::s3:putObject",
        "Parameters": {"Bucket": "bucket", "Prefix": "results"},
    }
    made_of({"ItemReader": read, "ResultWriter": write})
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket="bucket")["Contents"]]
    return not any("SUCCEEDED" in key for key in keys)


@probe("map_runs", "children of a Distributed Map cannot be EXPRESS")
def express_children() -> bool:
    processor = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "EXPRESS"},
        "StartAt": "Pass",
        "States": {"Pass": {"Type": "Pass", "End": True}},
    }
    state = {"Type": "Map", "ItemProcessor": processor, "End": True}
    try:
        make_state_machine(definition=json.dumps({"StartAt": "Map", "States": {"Map": state}}))
    except ClientError:
        return True
    return False


@probe("map_runs", "every failure of a child is tolerated")
def failing_children() -> bool:
    failing = {
        "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
        "StartAt": "Fail",
        "States": {"Fail": {"Type": "Fail", "Error": "No"}},
    }
    s3 = client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a", Body=b"1")
    where = {"Resource": "arn:aws:states:::s3:listObjectsV2", "Parameters": {"Bucket": "bucket"}}
    found = made_of({"ItemReader": where, "ItemProcessor": failing})
    return found.get("error") != "States.ExceedToleratedFailureThreshold"


def task_of(resource: str, parameters: dict[str, Any]) -> dict[str, Any]:
    task = {"Type": "Task", "Resource": resource, "Parameters": parameters, "End": True}
    return ended(
        make_state_machine(definition=json.dumps({"StartAt": "Do", "States": {"Do": task}}))
    )


@probe("sdk_tasks", "no state machine starts another one")
def nested() -> bool:
    other = client("stepfunctions").create_state_machine(
        name="other", definition=PASS, roleArn=ROLE
    )["stateMachineArn"]
    found = task_of("arn:aws:states:::states:startExecution", {"StateMachineArn": other})
    return bool(found["status"] == "FAILED")


@probe("sdk_tasks", "an absent object is an error without its name")
def absent_object() -> bool:
    client("s3").create_bucket(Bucket="bucket")
    found = task_of("arn:aws:states:::aws-sdk:s3:headObject", {"Bucket": "bucket", "Key": "a"})
    return bool(found["error"] != "S3.NoSuchKeyException")


@probe("executions", "EXPRESS lists executions")
def express_lists() -> bool:
    machine = make_state_machine("EXPRESS")
    return "executions" in client("stepfunctions").list_executions(stateMachineArn=machine)


@probe("executions", "two executions without a name are one")
def nameless_executions() -> bool:
    machine = make_state_machine()
    states = client("stepfunctions")
    try:
        arns = [states.start_execution(stateMachineArn=machine)["executionArn"] for _ in range(2)]
    except ClientError:
        return True
    return len(set(arns)) == 1


@probe("executions", "why an execution was stopped is forgotten")
def stopped_executions() -> bool:
    wait = {"StartAt": "Wait", "States": {"Wait": {"Type": "Wait", "Seconds": 9, "End": True}}}
    machine, states = make_state_machine(definition=json.dumps(wait)), client("stepfunctions")
    execution = states.start_execution(stateMachineArn=machine, name="one")["executionArn"]
    time.sleep(0.5)  # it takes its first step
    states.stop_execution(executionArn=execution, error="Enough")
    return states.describe_execution(executionArn=execution).get("error") != "Enough"


@probe("executions", "a slow table is no time-out")
def slow_table() -> bool:
    make_table()
    write = {
        "Type": "Task",
        "Resource": "arn:aws:states:::dynamodb:putItem",
        "Parameters": {"TableName": "table", "Item": {"id": {"S": "1"}}},
        "TimeoutSeconds": 1,
        "End": True,
    }
    machine = make_state_machine(
        definition=json.dumps({"StartAt": "Write", "States": {"Write": write}})
    )
    put = DynamoDBBackend.put_item

    def late(*args: Any, **kwargs: Any) -> Any:
        time.sleep(1.5)
        return put(*args, **kwargs)

    with patch.object(DynamoDBBackend, "put_item", late):
        states = client("stepfunctions")
        execution = states.start_execution(stateMachineArn=machine, name="slow")["executionArn"]
        while (ended := states.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(0.05)
    return bool(ended["error"] != "States.Timeout")


@probe("tables", "an update that makes an item is two records of the stream")
def tables() -> bool:
    make_table()
    client("dynamodb").update_item(
        TableName="table",
        Key={"id": {"S": "1"}},
        UpdateExpression="SET a = :a",
        ExpressionAttributeValues={":a": {"S": "1"}},
    )
    table: Any = dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION].tables["table"]
    return len(table.stream_shard.items) == 2


@probe("update_expressions", "every node of an expression's tree is checked with all below it")
def update_expressions() -> bool:
    make_table()
    check = ActionCountValidator.verify_action_counts
    calls = []
    for number in (1, 20):
        with patch.object(ActionCountValidator, "verify_action_counts", autospec=True) as checked:
            checked.side_effect = check
            client("dynamodb").update_item(
                TableName="table",
                Key={"id": {"S": "1"}},
                UpdateExpression="SET " + ", ".join(f"a{place} = :a" for place in range(number)),
                ExpressionAttributeValues={":a": {"S": "1"}},
            )
        calls.append(checked.call_count)
    return calls[0] < calls[1]


def lacks() -> dict[str, bool]:
    """Return each lack, by patch, and whether stock moto has it."""
    found = {}
    for name, function in PROBES.items():
        config = {
            "stepfunctions": {"execute_state_machine": name.startswith(EXECUTING)},
            "lambda": {"use_docker": False},  # what moto does without it is a canned answer
        }
        with mock_aws(config=config):  # type: ignore[arg-type]
            found[name] = function()
    return found | {f"stack_resources: no {kind}": kind not in get_model_map() for kind in TYPES}


if __name__ == "__main__":
    json.dump(lacks(), sys.stdout)
