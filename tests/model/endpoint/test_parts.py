"""Names, refusals, failures and roles of create_endpoint, without AWS or with what AWS answers."""

import hashlib
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from cli.errors import CommandError
from model import create_endpoint
from model.endpoint import place as endpoint
from model.endpoint import samconfig, stack
from model.endpoint.artifacts import keep_card, packed, thresholds_of, upload
from model.endpoint.image import repository_arn
from model.endpoint.place import EndpointError, Place
from model.training.rounding import rounded_up
from model.training.telemetry import METRIC_DEFINITIONS, METRICS
from tests.support.project import ENDPOINT_TEMPLATE, ROOT, resources, template
from tests.verify.application import Application

REGION, ACCOUNT = "eu-central-1", "123456789012"
ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/endpoint-scones/1"


@pytest.fixture
def where(monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setattr(stack, "POLL_S", 0)
    return Place("scones", ACCOUNT, REGION, boto3.Session("test", "test", region_name=REGION))


def described(status: str) -> dict[str, Any]:
    found = {"StackName": "endpoint-scones", "StackStatus": status, "CreationTime": 0}
    return {"Stacks": [found | {"StackId": ARN}]}


def event(number: int, resource: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "StackId": ARN,
        "StackName": "endpoint-scones",
        "EventId": str(number),
        "Timestamp": datetime(2026, 11, 26, tzinfo=UTC),
        "LogicalResourceId": resource,
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


def update(where: Place, reason: str, values: dict[str, str]) -> None:
    """Deploy an update that CloudFormation answers with a failure of the endpoint."""
    failure = [
        event(4, "endpoint-scones", "UPDATE_ROLLBACK_COMPLETE"),
        event(3, "Repository", "UPDATE_FAILED", "Resource update cancelled"),
        event(2, "Endpoint", "UPDATE_FAILED", reason),
    ]
    change = {"StackName": "endpoint-scones", "ChangeSetName": ANY}
    named = {"StackName": ARN}
    with Stubber(where.client("cloudformation")) as stubber:
        stubber.add_response("describe_stacks", described("UPDATE_COMPLETE"))
        stubber.add_response("create_change_set", {"Id": "1", "StackId": ARN})
        stubber.add_response("describe_change_set", {"Status": "CREATE_COMPLETE"}, change)
        old = {"StackEvents": [event(1, "Endpoint", "CREATE_FAILED", "long ago")]}
        stubber.add_response("describe_stack_events", old, named)
        stubber.add_response("execute_change_set", {}, change)
        stubber.add_response("describe_stacks", described("UPDATE_IN_PROGRESS"), named)
        stubber.add_response("describe_stack_events", old, named)
        stubber.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"), named)
        events = {"StackEvents": failure + old["StackEvents"]}
        stubber.add_response("describe_stack_events", events, named)
        stack.deploy(where, {"Serving": "REAL_TIME"} | values)


def test_a_failed_update_names_the_first_reason_of_its_own(
    where: Place, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(EndpointError, match="is UPDATE_ROLLBACK_COMPLETE: Endpoint: UPDATE_FAILED"):
        update(where, "Alarm ErrorsAlarm went off", {})
    said = capsys.readouterr().out
    assert "Alarm ErrorsAlarm went off" in said
    assert "long ago" not in said


@pytest.mark.parametrize(
    ("values", "quota"),
    [
        ({"InstanceType": "ml.c5.large"}, "`ml.c5.large for endpoint usage`"),
        (
            {"Serving": "SERVERLESS", "InstanceType": "ml.c5.large"},
            "`Maximum total concurrency across serverless endpoints`",
        ),
    ],
    ids=["real-time", "serverless"],
)
def test_an_endpoint_quota_is_named(where: Place, values: dict[str, str], quota: str) -> None:
    with pytest.raises(EndpointError, match=re.escape(quota)):
        update(where, "The account-level service limit is 0 (ResourceLimitExceeded)", values)


@pytest.mark.parametrize(
    ("status", "advice"),
    [
        ("UPDATE_IN_PROGRESS", "run this again when that is over"),
        ("UPDATE_ROLLBACK_FAILED", "-m model.delete_endpoint --name scones --keep-captures"),
        ("ROLLBACK_COMPLETE", "-m model.delete_endpoint --name scones --keep-captures"),
    ],
)
def test_a_stack_that_cannot_be_updated_is_reported(where: Place, status: str, advice: str) -> None:
    with Stubber(where.client("cloudformation")) as stubber:
        stubber.add_response("describe_stacks", described(status))
        with pytest.raises(EndpointError, match=f"is {status}.*{advice}"):
            stack.parameters(where)


def test_a_change_that_cloudformation_refuses_is_reported_and_deleted(where: Place) -> None:
    change = {"StackName": "endpoint-scones", "ChangeSetName": ANY}
    refused = {"Status": "FAILED", "StatusReason": "Bucket exists already"}
    with Stubber(where.client("cloudformation")) as stubber:
        stubber.add_client_error("describe_stacks", "ValidationError", "does not exist")
        stubber.add_response("create_change_set", {"Id": "1", "StackId": ARN})
        stubber.add_response("describe_change_set", refused, change)
        stubber.add_response("describe_change_set", refused, change)
        stubber.add_response("delete_change_set", {}, change)
        with pytest.raises(EndpointError, match="refuses the change: Bucket exists already"):
            stack.deploy(where, {})
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("metric", METRICS)
def test_each_metric_s_regex_reads_what_training_says(
    metric: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from model.training.telemetry import say

    say("epoch 1", **{metric.replace(":", "__"): 0.25})
    [regex] = [d["Regex"] for d in METRIC_DEFINITIONS if d["Name"] == metric]
    assert re.findall(regex, capsys.readouterr().out) == ["0.2500"]


def test_the_roles_allow_no_more_than_their_own() -> None:
    policies = Application(ROOT).endpoint_policies()
    roles = {name: policy for name, policy in policies.items() if "Role/" in name}
    assert set(roles) == {"ServingRole/serving", "TrainingRole/training"}
    for document in roles.values():
        for statement in document["Statement"]:
            actions = statement["Action"]
            actions = [actions] if isinstance(actions, str) else actions
            assert not any("*" in action for action in actions)
            if statement["Resource"] == "*":  # where AWS knows no narrower resource
                [action] = actions
                assert action in ("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken")
    read = roles["TrainingRole/training"]["Statement"][0]
    assert read["Resource"] == ["arn:aws:s3:::pictures/train/*", "arn:aws:s3:::pictures/test/*"]


def test_sagemaker_takes_the_roles_on_behalf_of_this_account_alone() -> None:
    for role in resources("AWS::IAM::Role", ENDPOINT_TEMPLATE).values():
        [statement] = role["AssumeRolePolicyDocument"]["Statement"]
        condition = statement["Condition"]
        assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
        assert ":sagemaker:${AWS::Region}:" in condition["ArnLike"]["aws:SourceArn"]["Fn::Sub"]


def test_deleting_the_stack_keeps_the_bucket_alone() -> None:
    declared = template(ENDPOINT_TEMPLATE)["Resources"]
    kept = [name for name, resource in declared.items() if "DeletionPolicy" in resource]
    assert kept == ["Bucket"]
    assert declared["Repository"]["Properties"]["EmptyOnDelete"] is True


def test_every_parameter_is_described() -> None:
    for name, parameter in template(ENDPOINT_TEMPLATE)["Parameters"].items():
        assert parameter["Description"].endswith("."), name


def test_the_image_of_another_account_is_pulled_from_there(where: Place) -> None:
    image = f"999999999999.dkr.ecr.us-east-1.amazonaws.com/team/scones@sha256:{'0' * 64}"
    expected = "arn:aws:ecr:us-east-1:999999999999:repository/team/scones"
    assert repository_arn(where, image) == expected


def test_long_names_fit_and_stay_apart() -> None:
    names = [endpoint.bucket_name("a" * 60 + end, "123", "eu") for end in "xy"]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 and name.endswith("-123-eu") for name in names)


def test_a_version_is_the_same_part_of_both_keys(where: Place) -> None:
    stored = {"Bucket": where.bucket, "ExpectedBucketOwner": ACCOUNT, "Body": ANY}
    with Stubber(where.client("s3")) as stubber:
        key = f"models/a-b-c-{hashlib.sha256(b'model').hexdigest()[:16]}/model.tar.gz"
        stubber.add_response("put_object", {}, stored | {"Key": key})
        stubber.add_response("put_object", {}, stored | {"Key": "models/cards/a-b-c.json"})
        assert upload(where, "a b/c", b"model") == f"s3://{where.bucket}/{key}"
        keep_card(where, {"version": "a b/c"})


def test_ctrl_c_names_the_endpoint_to_delete(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(create_endpoint, "place", interrupt)
    assert create_endpoint.main(["--name", "mine", "--region", REGION]) == 130
    assert f"delete_endpoint --name mine --region {REGION} to" in capsys.readouterr().err


def test_the_default_name_is_the_template_s(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(
        "  EndpointName:\n    Type: String\n    Default: abc\n  Other:\n    Default: x\n"
    )
    assert endpoint.declared(path, "EndpointName") == "abc"
    assert endpoint.default_name() == "scones-image-classifier"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--name", "Capital"], "63 lower-case"),
        (["--instance-type", "ml.t2.medium"], "burstable"),
        (["--min-instances", "4", "--max-instances", "3"], "4 instances at least are more than 3"),
        (["--rollback", "--min-instances", "3"], "changes nothing else"),
        (["--rollback", "--serverless"], "changes nothing else"),
        (["--rollback", "--image", "python:3"], "changes nothing else"),
        (["--labels", "labels"], "--labels labels: they compare a model"),
        (["--labels", "labels", "--rollback"], "give the model folder with --model"),
        (["--train", "pictures"], "s3://my-bucket"),
        (["--train", "s3://pictures"], "s3://my-bucket"),
        (["--model", "tests"], "holds no model.onnx"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_work_is_refused_before_aws_is_asked(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert create_endpoint.main(["--yes", *arguments]) == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--capture-percentage", "101"], "0 to 100"),
        (["--pictures-per-minute", "0"], "from 1"),
        (["--rollback", "--train", "s3://pictures/train"], "not allowed with"),
        (["--min", "3"], "unrecognized arguments: --min 3"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else "",
)
def test_what_no_option_takes_is_refused_by_the_command_line(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        create_endpoint.main(["--yes", *arguments])
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1


def test_an_image_outside_of_ecr_is_refused(where: Place) -> None:
    with pytest.raises(EndpointError, match="--image python:3: .* private ECR"):
        repository_arn(where, "python:3")


@pytest.mark.parametrize("command", ["create_endpoint", "delete_endpoint"])
def test_help_needs_no_package(command: str) -> None:
    program = f"from model.{command} import main; main(['--help'])"
    # -S leaves out what is installed: the standard library alone remains.
    done = subprocess.run(
        [sys.executable, "-S", "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert f"usage: python -m model.{command}" in done.stdout


def test_a_missing_extra_is_one_line() -> None:
    done = subprocess.run(
        [sys.executable, "-S", "-m", "model.delete_endpoint", "--yes"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr == "error: boto3 is not installed: run make .venv/.extra-endpoint\n"


def test_the_error_of_this_room_is_a_command_s() -> None:
    assert issubclass(EndpointError, CommandError)


def test_the_archive_is_the_same_for_the_same_model(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    assert packed(tmp_path) == packed(tmp_path)


@pytest.mark.parametrize("value", [0.9, 0.98339, 0.984, 0.9840001, 1.0])
def test_a_threshold_is_rounded_as_the_card_s_text_does(value: float) -> None:
    thresholds = thresholds_of({"threshold": {"value": value}})
    assert thresholds == {"ConfidenceThreshold": rounded_up(value), "NoneThreshold": "0"}
    card = {"threshold": {"value": value}, "none": {"value": 0.9761}}
    assert thresholds_of(card)["NoneThreshold"] == "0.977"
    assert thresholds_of({}) == {}


SAMCONFIG = """# a comment
version = 0.1
[default.global.parameters]
parameter_overrides = [
  "WorkflowType=STANDARD",
  "ConfidenceThreshold=0.5", # ours
]
[production.global.parameters]
parameter_overrides = []
"""


def test_a_deployment_keeps_the_parameters_of_its_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text(
        SAMCONFIG
        + """[own.global.parameters]
parameter_overrides = ["LogLevel=DEBUG"]
[own.deploy.parameters]
parameter_overrides = "WorkflowType=EXPRESS AlarmEmail=me@example.com"
"""
    )
    monkeypatch.setattr(samconfig, "SAMCONFIG", path)
    deploy, threshold = "sam deploy --config-env", "ConfidenceThreshold=0.984"
    found = samconfig.deployments({"ConfidenceThreshold": "0.984"})
    assert found == [
        f"{deploy} default --parameter-overrides WorkflowType=STANDARD {threshold}",
        f"{deploy} production --parameter-overrides {threshold}",
        f"{deploy} own --parameter-overrides WorkflowType=EXPRESS AlarmEmail=me@example.com"
        f" {threshold}",
    ]
    path.unlink()
    [line] = samconfig.deployments({"ConfidenceThreshold": "0.984"})
    assert line == f"{deploy} default --parameter-overrides {threshold}"


def test_a_stack_is_deployed_by_the_environment_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text(
        """version = 0.1
[default.global.parameters]
stack_name = "mine"
[other.global.parameters]
stack_name = "mine"
[other.deploy.parameters]
stack_name = "another"
"""
    )
    monkeypatch.setattr(samconfig, "SAMCONFIG", path)
    default, other = samconfig.deployments({"A": "1"})
    assert samconfig.deployments({"A": "1"}, "mine") == [default]
    assert samconfig.deployments({"A": "1"}, "another") == [other]
    assert samconfig.deployments({"A": "1"}, "nobody's") == [default, other]


def test_samconfig_keeps_its_comments_and_other_parameters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text(SAMCONFIG)
    monkeypatch.setattr(samconfig, "SAMCONFIG", path)
    said = samconfig.write({"ConfidenceThreshold": "0.984"})
    assert said == 'samconfig.toml: "ConfidenceThreshold=0.984" in 2 environments'
    assert path.read_text().startswith("# a comment\n")
    written = tomllib.loads(path.read_text())
    found = [
        written[environment]["global"]["parameters"]["parameter_overrides"]
        for environment in ("default", "production")
    ]
    assert found == [
        ["WorkflowType=STANDARD", "ConfidenceThreshold=0.984"],
        ["ConfidenceThreshold=0.984"],
    ]


def test_a_samconfig_of_another_form_is_left_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "samconfig.toml"
    path.write_text('parameter_overrides = "WorkflowType=STANDARD"\n')
    monkeypatch.setattr(samconfig, "SAMCONFIG", path)
    with pytest.raises(EndpointError, match='add "ConfidenceThreshold=0.984" by hand'):
        samconfig.write({"ConfidenceThreshold": "0.984"})
    assert path.read_text() == 'parameter_overrides = "WorkflowType=STANDARD"\n'
