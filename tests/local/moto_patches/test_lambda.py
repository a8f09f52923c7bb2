"""The patches lambda_invoke and lambda_configuration: moto's Lambda API on the real runtime."""

import base64
import contextlib
import inspect
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.awslambda.models import LambdaFunction
from moto.awslambda.responses import LambdaResponse
from moto.core.config import default_user_config
from moto.server import ThreadedMotoServer

from local.lambdas.runtime import LambdaRuntime
from local.moto_patches import lambda_configuration, lambda_invoke
from tests.support.lambdas import package, wait_until

ACCOUNT = "123456789012"
REGION = "eu-central-1"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/scones"


@pytest.mark.parametrize(
    ("patched_by", "method", "signature"),
    [
        (lambda_invoke, LambdaResponse.invoke, ["self"]),
        (lambda_invoke, LambdaFunction._invoke_lambda, ["self", "event"]),
        (
            lambda_configuration,
            LambdaFunction.__init__,
            ["self", "account_id", "spec", "region", "version"],
        ),
        (lambda_configuration, LambdaFunction.get_configuration, ["self", "on_create"]),
        (lambda_configuration, LambdaFunction.update_configuration, ["self", "config_updates"]),
        (
            lambda_configuration,
            LambdaFunction.create_from_cloudformation_json,
            ["resource_name", "cloudformation_json", "account_id", "region_name", "kwargs"],
        ),
        (
            lambda_configuration,
            LambdaFunction.update_from_cloudformation_json,
            [
                "original_resource",
                "new_resource_name",
                "cloudformation_json",
                "account_id",
                "region_name",
            ],
        ),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_moto_still_has_what_is_patched(patched_by: Any, method: Any, signature: Any) -> None:
    found = list(inspect.signature(method).parameters)
    assert found == signature, f"{patched_by.__name__} patches a method that moto has changed"


class Aws:
    """boto3 against a moto server whose Lambda is the real runtime."""

    def __init__(self, endpoint: str, runtime: LambdaRuntime) -> None:
        self.endpoint = endpoint
        self.runtime = runtime
        self.lambda_ = self.client("lambda")
        self.logs = self.client("logs")
        self.client("iam").create_role(
            RoleName="scones",
            AssumeRolePolicyDocument=json.dumps(
                {
                    "Statement": {
                        "Effect": "Allow",
                        "Principal": {"Service": "lambda.amazonaws.com"},
                        "Action": "sts:AssumeRole",
                    }
                }
            ),
        )

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            region_name=REGION,
            endpoint_url=self.endpoint,
            aws_access_key_id="test",
            aws_secret_access_key="test",
            config=Config(retries={"total_max_attempts": 1}),
        )

    def create(self, handler: str, **settings: Any) -> str:
        name = f"{handler.replace('.', '-')}-{uuid.uuid4().hex[:8]}"
        self.lambda_.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=ROLE,
            Handler=handler,
            Code={"ZipFile": package()},
            **settings,
        )
        return name

    def invoke(self, name: str, event: object = None, **options: Any) -> tuple[Any, Any]:
        answer = self.lambda_.invoke(
            FunctionName=name, Payload=json.dumps(event).encode(), **options
        )
        payload = answer["Payload"].read()
        return answer, json.loads(payload) if payload else None

    def messages(self, group: str) -> list[str]:
        return [
            event["message"] for event in self.logs.filter_log_events(logGroupName=group)["events"]
        ]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Aws]:
    folder = tmp_path_factory.mktemp("aws")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with contextlib.ExitStack() as stack:
        runtime = stack.enter_context(
            LambdaRuntime(
                workdir=folder / "run", log=lambda_invoke.cloudwatch_logs(ACCOUNT, REGION)
            )
        )
        stack.enter_context(lambda_configuration.installed())
        stack.enter_context(
            lambda_invoke.installed(
                runtime,
                code=folder / "code",
                platform=lambda function: {"AWS_ACCESS_KEY_ID": f"key of {function.role}"},
            )
        )
        server.start()
        stack.callback(server.stop)
        host, port = server.get_host_and_port()
        patched = stack.enter_context(pytest.MonkeyPatch.context())
        patched.setenv("MOTO_PORT", str(port))  # where moto's Step Functions finds Lambda
        patched.setitem(default_user_config, "stepfunctions", {"execute_state_machine": True})
        yield Aws(f"http://{host}:{port}", runtime)


def test_an_answer_comes_without_a_function_error(aws: Aws) -> None:
    answer, payload = aws.invoke(aws.create("app.echo"), {"s3_key": "ü"})
    assert payload == {"s3_key": "ü"}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert "LogResult" not in answer


def test_no_payload_is_an_empty_event(aws: Aws) -> None:
    answer = aws.lambda_.invoke(FunctionName=aws.create("app.echo"))
    assert answer["Payload"].read() == b"{}"


def test_an_exception_is_an_unhandled_function_error(aws: Aws) -> None:
    answer, payload = aws.invoke(aws.create("app.fail"))
    assert answer["StatusCode"] == 200
    assert answer["FunctionError"] == "Unhandled"
    assert payload["errorType"] == "PictureIsBlank"


def test_the_log_tail_comes_on_demand(aws: Aws) -> None:
    answer, _ = aws.invoke(aws.create("app.log"), LogType="Tail")
    tail = base64.b64decode(answer["LogResult"]).decode()
    assert "printed\n" in tail
    assert "REPORT RequestId: " in tail


def test_an_asynchronous_event_is_accepted_and_runs(aws: Aws) -> None:
    name = aws.create("app.log")
    answer, payload = aws.invoke(name, InvocationType="Event")
    assert answer["StatusCode"] == 202
    assert payload is None

    def has_run() -> bool:
        with contextlib.suppress(aws.logs.exceptions.ResourceNotFoundException):
            return any("REPORT" in line for line in aws.messages(f"/aws/lambda/{name}"))
        return False

    wait_until(has_run)


def test_a_dry_run_runs_nothing(aws: Aws) -> None:
    before = aws.runtime.processes()
    answer, _ = aws.invoke(aws.create("app.echo"), InvocationType="DryRun")
    assert answer["StatusCode"] == 204
    assert aws.runtime.processes() == before


@pytest.mark.parametrize(
    ("payload", "options", "status", "code", "message"),
    [
        pytest.param(
            b'"' + b"x" * 6_291_455 + b'"',
            {},
            413,
            "RequestEntityTooLargeException",
            "limit 6291456 bytes",
            id="too-large",
        ),
        pytest.param(
            b'"' + b"x" * 1_048_575 + b'"',
            {"InvocationType": "Event"},
            413,
            "RequestEntityTooLargeException",
            "limit 1048576 bytes",
            id="too-large-for-an-event",
        ),
        pytest.param(
            b"{'a': 1}",
            {},
            400,
            "InvalidRequestContentException",
            "Could not parse request body into json",
            id="no-json",
        ),
    ],
)
def test_a_payload_that_lambda_refuses_is_refused(
    aws: Aws, payload: bytes, options: dict[str, str], status: int, code: str, message: str
) -> None:
    name = aws.create("app.echo")
    with pytest.raises(ClientError, match=message) as refusal:
        aws.lambda_.invoke(FunctionName=name, Payload=payload, **options)
    assert refusal.value.response["Error"]["Code"] == code
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == status


def test_an_unknown_function_is_not_found(aws: Aws) -> None:
    with pytest.raises(aws.lambda_.exceptions.ResourceNotFoundException):
        aws.invoke("nobody")


def test_six_megabytes_of_answer_pass(aws: Aws) -> None:
    answer, payload = aws.invoke(aws.create("app.of_length", Timeout=20), {"length": 6_291_556})
    assert len(payload) == 6_291_554, answer


def test_a_throttled_invocation_is_a_429(aws: Aws) -> None:
    name = aws.create("app.echo")
    aws.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=0)
    with pytest.raises(aws.lambda_.exceptions.TooManyRequestsException) as refusal:
        aws.invoke(name)
    assert refusal.value.response["ResponseMetadata"]["HTTPStatusCode"] == 429
    reason = refusal.value.response["Reason"]
    assert reason == "ReservedFunctionConcurrentInvocationLimitExceeded"


def test_logs_and_variables_are_those_of_the_configuration(aws: Aws) -> None:
    group = f"/scones/{uuid.uuid4()}"
    name = aws.create(
        "app.surroundings",
        Environment={"Variables": {"THRESHOLD": "0.93"}},
        LoggingConfig={"LogFormat": "JSON", "ApplicationLogLevel": "WARN", "LogGroup": group},
    )
    _, seen = aws.invoke(name)
    variables = seen["variables"]
    assert variables["THRESHOLD"] == "0.93"
    assert variables["AWS_ACCESS_KEY_ID"] == f"key of {ROLE}"
    assert variables["AWS_LAMBDA_LOG_LEVEL"] == "WARN"
    kinds = [json.loads(line)["type"] for line in aws.messages(group)]
    assert kinds == ["platform.initStart", "platform.start", "platform.report"]
    described = aws.lambda_.get_function_configuration(FunctionName=name)["LoggingConfig"]
    assert described["LogGroup"] == group


def test_updated_code_runs_from_then_on(aws: Aws) -> None:
    name = aws.create("app.echo")
    aws.invoke(name)
    newer = package(newer="def handler(event, context):\n    return 'new code'\n")
    aws.lambda_.update_function_code(FunctionName=name, ZipFile=newer)
    aws.lambda_.update_function_configuration(FunctionName=name, Handler="newer.handler")
    assert aws.invoke(name)[1] == "new code"


def test_a_stack_keeps_log_format_and_concurrency_and_updates_them(aws: Aws) -> None:
    cloudformation = aws.client("cloudformation")
    stack = f"scones-{uuid.uuid4().hex[:8]}"
    s3 = aws.client("s3")
    s3.create_bucket(Bucket=stack, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=stack, Key="package.zip", Body=package())

    def template(level: str, reserved: int) -> str:
        properties = {
            "Runtime": "python3.11",
            "Handler": "app.echo",
            "Role": ROLE,
            "Code": {"S3Bucket": stack, "S3Key": "package.zip"},
            "ReservedConcurrentExecutions": reserved,
            "LoggingConfig": {"LogFormat": "JSON", "ApplicationLogLevel": level},
        }
        resources = {"Step": {"Type": "AWS::Lambda::Function", "Properties": properties}}
        outputs = {"Name": {"Value": {"Ref": "Step"}}}
        return json.dumps({"Resources": resources, "Outputs": outputs})

    cloudformation.create_stack(StackName=stack, TemplateBody=template("INFO", 3))
    described = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
    name = described["Outputs"][0]["OutputValue"]

    def kept() -> tuple[str, int]:
        function = aws.lambda_.get_function(FunctionName=name)
        return (
            function["Configuration"]["LoggingConfig"]["ApplicationLogLevel"],
            function["Concurrency"]["ReservedConcurrentExecutions"],
        )

    assert kept() == ("INFO", 3)
    assert aws.invoke(name, {"a": 1})[1] == {"a": 1}
    cloudformation.update_stack(StackName=stack, TemplateBody=template("ERROR", 5))
    assert kept() == ("ERROR", 5)


def outcome_of(states: Any, execution: str) -> dict[str, Any]:
    described: dict[str, Any] = {}

    def has_ended() -> bool:
        described.update(states.describe_execution(executionArn=execution))
        return bool(described["status"] != "RUNNING")

    wait_until(has_ended)
    return described


def test_a_state_machine_retries_and_catches_errors_by_the_names_that_aws_gives(
    aws: Aws, tmp_path: Path
) -> None:
    throttled = aws.create("app.echo")
    aws.lambda_.put_function_concurrency(FunctionName=throttled, ReservedConcurrentExecutions=0)
    steps: dict[str, tuple[str, dict[str, Any]]] = {
        "PictureIsBlank": (aws.create("app.fail"), {}),
        "Sandbox.Timedout": (aws.create("app.hang", Timeout=1), {"pids": str(tmp_path / "pids")}),
        "Runtime.ExitError": (aws.create("app.end"), {"status": 1}),
        "Runtime.ImportModuleError": (aws.create("nowhere.handler"), {}),
        "Lambda.TooManyRequestsException": (throttled, {}),
    }
    states = aws.client("stepfunctions")
    executions = {}
    for error, (name, event) in steps.items():
        step = {
            "Type": "Task",
            "Resource": "arn:aws:states:::lambda:invoke",
            "Parameters": {"FunctionName": name, "Payload": event},
            "Retry": [{"ErrorEquals": [error], "IntervalSeconds": 1, "MaxAttempts": 1}],
            "Catch": [{"ErrorEquals": [error], "Next": "Caught"}],
            "End": True,
        }
        definition = {"StartAt": "Step", "States": {"Step": step, "Caught": {"Type": "Succeed"}}}
        machine = states.create_state_machine(
            name=uuid.uuid4().hex, definition=json.dumps(definition), roleArn=ROLE
        )["stateMachineArn"]
        execution = states.start_execution(stateMachineArn=machine, name=uuid.uuid4().hex)
        executions[error] = execution["executionArn"]
    for error, arn in executions.items():
        described = outcome_of(states, arn)
        assert described["status"] == "SUCCEEDED", error
        assert json.loads(described["output"])["Error"] == error
        history = states.get_execution_history(executionArn=arn)["events"]
        failures = [event["type"] for event in history].count("TaskFailed")
        assert failures == 2, f"{error}: one try and one retry by that name"
