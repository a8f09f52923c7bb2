"""create_endpoint and delete_endpoint, end to end against the embedded AWS."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.terminal import own_command
from model import create_endpoint, delete_endpoint
from model.endpoint import samconfig, stack
from model.endpoint.artifacts import card_of, thresholds_of
from tests.support.endpoint import ACCOUNT, IMAGE, REGION, Aws
from tests.support.project import ACCEPT, NONE, ROOT


def other_model(folder: Path, version: str = "2", threshold: float = 0.9) -> str:
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"another graph")
    card = {"version": version, "threshold": {"value": threshold}}
    (folder / "card.json").write_text(json.dumps(card))
    return str(folder)


def test_it_serves_the_shipped_model_and_captures_into_its_bucket(
    aws: Aws, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(create_endpoint, "default_name", lambda: aws.name)
    assert aws.create() == 0
    out = capsys.readouterr().out
    assert "about $0.102 an hour" in out
    assert "smoke test: bicycle.png is bicycle (0.99" in out
    assert "EndpointName=" not in out
    config = aws.served()
    [variant] = config["ProductionVariants"]
    assert variant["InstanceType"] == "ml.c5.large"
    assert config["DataCaptureConfig"]["DestinationS3Uri"] == f"s3://{aws.bucket}/captures"
    container = aws.container()
    assert container["Image"] == IMAGE
    bucket, _, key = container["ModelDataUrl"].removeprefix("s3://").partition("/")
    assert aws.client("s3").head_object(Bucket=bucket, Key=key)["ContentLength"] > 1_000_000
    version = json.loads((ROOT / "model/pretrained/card.json").read_text())["version"]
    assert key.startswith(f"models/{version}-")
    [target] = aws.targets()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (1, 3)
    [policy] = aws.client("application-autoscaling").describe_scaling_policies(
        ServiceNamespace="sagemaker", ResourceId=target["ResourceId"]
    )["ScalingPolicies"]
    assert policy["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] == 3000


def test_its_bucket_is_private_encrypted_tls_only_and_forgets_captures(aws: Aws) -> None:
    aws.create()
    s3, bucket = aws.client("s3"), {"Bucket": aws.bucket}
    block = s3.get_public_access_block(**bucket)["PublicAccessBlockConfiguration"]
    assert len(block) == 4 and all(block.values())
    rules = s3.get_bucket_encryption(**bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    [deny] = aws.deployed("BucketPolicy")["PolicyDocument"]["Statement"]
    assert deny["Effect"] == "Deny"
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    expiries = {
        rule["ID"]: rule.get("Expiration", {}).get("Days")
        for rule in s3.get_bucket_lifecycle_configuration(**bucket)["Rules"]
    }
    assert expiries["captures"] == 30


def test_run_again_it_changes_nothing(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.create()
    before, events = aws.served(), aws.events()
    capsys.readouterr()
    assert aws.create() == 0
    assert "is up to date" in capsys.readouterr().out
    assert aws.served()["EndpointConfigName"] == before["EndpointConfigName"]
    assert aws.events() == events


def test_a_first_endpoint_has_no_guard_that_an_update_has(aws: Aws, tmp_path: Path) -> None:
    aws.create()
    assert not {"DeploymentConfig", "RetainAllVariantProperties"} & set(aws.deployed("Endpoint"))
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model")) == 0
    endpoint = aws.deployed("Endpoint")
    assert endpoint["RetainAllVariantProperties"] is True
    shifting = endpoint["DeploymentConfig"]["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert shifting["Type"] == "ALL_AT_ONCE"  # there is no half of one instance
    alarms = endpoint["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]
    metrics = {aws.deployed(name)["MetricName"] for name in ("ErrorsAlarm", "LatencyAlarm")}
    assert len(alarms) == len(metrics) == 2


def test_with_two_instances_an_update_begins_with_a_canary(aws: Aws, tmp_path: Path) -> None:
    aws.create("--min-instances", "2")
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model")) == 0
    shifting = aws.deployed("Endpoint")["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    canary = shifting["TrafficRoutingConfiguration"]
    assert (canary["Type"], canary["CanarySize"]["Value"]) == ("CANARY", 1)
    [target] = aws.targets()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (2, 3)


def test_another_model_is_served_by_an_update_and_the_old_one_is_deleted(
    aws: Aws, tmp_path: Path
) -> None:
    aws.create()
    old = aws.served()
    made = aws.client("sagemaker").describe_endpoint(EndpointName=aws.name)["CreationTime"]
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model")) == 0
    new = aws.served()
    assert new["EndpointConfigName"] != old["EndpointConfigName"]
    [config] = aws.made("endpoint_config")
    assert config["EndpointConfigName"] == new["EndpointConfigName"]
    assert len(aws.made("model")) == 1
    now = aws.client("sagemaker").describe_endpoint(EndpointName=aws.name)["CreationTime"]
    assert now == made  # the same endpoint


def test_rollback_serves_the_model_before_and_again_the_one_after(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.create()
    first = aws.container()
    aws.answers(("bicycle", 0.9))
    aws.create("--model", other_model(tmp_path / "model"))
    second = aws.container()
    capsys.readouterr()
    assert create_endpoint.main(["--name", aws.name, "--yes", "--rollback"]) == 0
    assert f"ConfidenceThreshold={ACCEPT} NoneThreshold={NONE}" in capsys.readouterr().out
    assert aws.container() == first
    assert "DeploymentConfig" not in aws.deployed("Endpoint")  # an alarm may be on already
    aws.answers(("bicycle", 0.9))
    assert create_endpoint.main(["--name", aws.name, "--yes", "--rollback"]) == 0
    assert "ConfidenceThreshold=0.900 NoneThreshold=0" in capsys.readouterr().out
    assert aws.container() == second


def test_without_a_model_before_there_is_no_rollback(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.create()
    assert create_endpoint.main(["--name", aws.name, "--yes", "--rollback"]) == 2
    assert "knows no model before this one" in capsys.readouterr().err


def test_a_comparison_is_shown_first_and_a_worse_model_is_not_deployed(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torch", reason="models are compared by the extra `train`")
    from tests.support.models import SHIPPED, changed_model, labelled_photos

    labels = str(labelled_photos(tmp_path / "labels"))
    tilted = str(changed_model(tmp_path / "tilted", bias=(9, -9, -9), version="tilted"))
    assert aws.create("--model", tilted, "--labels", labels) == 0
    assert "no model is deployed yet: there is nothing to compare with" in capsys.readouterr().out
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", str(SHIPPED), "--labels", labels) == 0
    out = capsys.readouterr().out
    assert f"OLD is the deployed model, NEW is {SHIPPED}" in out
    assert re.search(r"version +tilted +20", out)
    assert "NEW is shown to be better: right" in out
    assert out.index("shown to be better") < out.index("an hour")
    served, events = aws.container(), aws.events()
    assert aws.create("--model", tilted, "--labels", labels) == 1
    said = capsys.readouterr()
    assert "NEW is shown to be worse: right" in said.out
    assert "--yes deploys it only without --labels" in said.err
    assert (aws.container(), aws.events()) == (served, events)
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", tilted) == 0
    assert aws.container() != served


def test_a_deployed_model_without_a_card_is_not_compared(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", str(tmp_path)) == 0
    assert aws.create("--model", str(tmp_path), "--labels", str(tmp_path)) == 2
    assert "has no card.json: it cannot be compared" in capsys.readouterr().err


def test_what_is_not_given_stays_as_it_is(aws: Aws, tmp_path: Path) -> None:
    aws.create("--instance-type", "ml.m5.large", "--capture-percentage", "0")
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model")) == 0
    assert aws.served()["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    assert not aws.served().get("DataCaptureConfig")


def test_the_deployed_model_and_image_stay_when_only_hosting_changes(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers(("bicycle", 0.9))
    aws.create("--model", other_model(tmp_path / "model"))
    before = aws.container()
    capsys.readouterr()
    aws.answers(("bicycle", 0.9))
    assert aws.create("--min-instances", "2", image=None) == 0
    assert f"the deployed model, {before['ModelDataUrl']}" in capsys.readouterr().out
    assert aws.container() == before
    assert aws.docker == []
    assert aws.served()["ProductionVariants"][0]["InitialInstanceCount"] == 2


def test_an_image_that_was_given_stays_with_another_model(aws: Aws, tmp_path: Path) -> None:
    aws.create()
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model"), image=None) == 0
    assert aws.container()["Image"] == IMAGE
    assert aws.docker == []
    aws.answers(("bicycle", 0.9))
    assert aws.create(image="own") == 0
    assert f"/{aws.name}@sha256:" in aws.container()["Image"]


def test_bounds_are_compared_with_those_of_the_stack(
    aws: Aws, capsys: pytest.CaptureFixture[str]
) -> None:
    assert aws.create("--max-instances", "8") == 0
    assert aws.create("--min-instances", "5") == 0
    [target] = aws.targets()
    assert (target["MinCapacity"], target["MaxCapacity"]) == (5, 8)
    events = aws.events()
    assert aws.create("--max-instances", "4") == 2
    assert "5 instances at least are more than 4 at most" in capsys.readouterr().err
    assert aws.events() == events


def test_the_serving_role_may_pull_the_image_that_a_rollback_serves(aws: Aws) -> None:
    def pulled() -> list[str]:
        [policy] = aws.deployed("ServingRole")["Policies"]
        [pull] = [
            statement
            for statement in policy["PolicyDocument"]["Statement"]
            if statement["Sid"] == "PullTheImage"
        ]
        # Where a template leaves a value out, moto has None.
        return [arn.rpartition("repository/")[2] for arn in pull["Resource"] if arn]

    other = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/other:2"
    aws.create(image=None)
    own = aws.container()["Image"]
    assert pulled() == [aws.name]
    assert aws.create() == 0
    assert pulled() == [aws.name, "scones"]
    assert aws.create(image=other) == 0
    assert pulled() == [aws.name, "other", "scones"]
    assert aws.create("--rollback", image=None) == 0
    assert aws.container()["Image"] == IMAGE
    assert pulled() == [aws.name, "scones", "other"]
    assert aws.create(image="own") == 0
    assert aws.container()["Image"] == own
    assert pulled() == [aws.name, "scones"]


def test_scaling_is_removed_before_the_instance_type_changes(aws: Aws) -> None:
    """The embedded AWS refuses the change while the endpoint scales, as AWS does."""
    aws.create()
    assert aws.create("--instance-type", "ml.m5.large") == 0
    assert aws.served()["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"
    assert len(aws.targets()) == 1
    where = create_endpoint.place(aws.name)
    with pytest.raises(create_endpoint.EndpointError, match="Deregister endpoint/"):
        stack.deploy(where, stack.parameters(where) | {"InstanceType": "ml.c5.xlarge"})
    assert aws.served()["ProductionVariants"][0]["InstanceType"] == "ml.m5.large"


def test_serverless_has_no_instances_no_scaling_and_no_captures(aws: Aws) -> None:
    assert aws.create("--serverless") == 0
    config = aws.served()
    assert config["ProductionVariants"][0]["ServerlessConfig"]["MemorySizeInMB"] == 2048
    assert "InstanceType" not in config["ProductionVariants"][0]
    assert not config.get("DataCaptureConfig")
    assert not aws.targets()


def test_a_serverless_endpoint_is_updated_without_what_instances_have(
    aws: Aws, tmp_path: Path
) -> None:
    aws.create("--serverless")
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model")) == 0
    assert set(aws.deployed("Endpoint")) == {"EndpointName", "EndpointConfigName"}


def test_real_time_cannot_become_serverless(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    aws.create()
    events = aws.events()
    assert aws.create("--serverless") == 2
    assert "is real-time, and SageMaker cannot change" in capsys.readouterr().err
    assert aws.events() == events


def test_the_threshold_of_the_card_is_printed_to_deploy_with(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", other_model(tmp_path / "model", threshold=0.91234)) == 0
    overrides = f"EndpointName={aws.name} ConfidenceThreshold=0.913 NoneThreshold=0"
    out = capsys.readouterr().out
    for environment, kind in (("default", "STANDARD"), ("production", "EXPRESS")):
        own = f"WorkflowType={kind} Architecture=x86_64"
        deployment = f"sam deploy --config-env {environment} --parameter-overrides {own}"
        assert f"\n  {deployment} {overrides}\n" in out
    assert f"\n  {own_command('model.create_endpoint', '--name', aws.name)} --write-sam" in out


def test_a_model_without_a_card_is_served_with_a_warning(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a graph")
    aws.answers(("bicycle", 0.9))
    assert aws.create("--model", str(tmp_path)) == 0
    assert "warning: the model has no card" in capsys.readouterr().out


def test_samconfig_is_written_only_when_asked(
    aws: Aws, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "samconfig.toml"
    config.write_text((ROOT / "samconfig.toml").read_text())
    monkeypatch.setattr(samconfig, "SAMCONFIG", config)
    thresholds = thresholds_of(card_of(ROOT / "model/pretrained"))
    assert set(thresholds) == {"ConfidenceThreshold", "NoneThreshold"}
    aws.create()
    assert config.read_text() == (ROOT / "samconfig.toml").read_text()
    for _ in range(2):  # the second time there is nothing to add
        assert aws.create("--write-samconfig") == 0
        written = tomllib.loads(config.read_text())
        for environment, kind in (("default", "STANDARD"), ("production", "EXPRESS")):
            assert written[environment]["global"]["parameters"]["parameter_overrides"] == [
                f"EndpointName={aws.name}",
                *(f"{name}={value}" for name, value in thresholds.items()),
                f"WorkflowType={kind}",
                "Architecture=x86_64",
            ]


def test_the_image_is_built_for_sagemaker_once_and_named_by_digest(aws: Aws) -> None:
    aws.create(image=None)
    build, login, push, logout = aws.docker
    assert build[:4] == ["build", "--platform", "linux/amd64", "--provenance=false"]
    assert login[1:4] == ["--username", "AWS", "--password-stdin"] and login[5]
    assert push[1].startswith(f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{aws.name}:")
    assert logout[0] == "logout"
    assert f"/{aws.name}@sha256:" in aws.container()["Image"]
    assert aws.create(image=None) == 0
    assert len(aws.docker) == 4


def test_a_wrong_first_answer_is_an_error_and_names_the_way_back(
    aws: Aws, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    aws.create()
    aws.answers(("other", 0.9), ("bicycle", 0.1))
    assert aws.create("--model", other_model(tmp_path / "model")) == 2
    said = capsys.readouterr().err
    assert f"{aws.name} calls bicycle.png other" in said
    assert "back to the model before: " in said


def test_without_a_yes_nothing_is_made(aws: Aws, capsys: pytest.CaptureFixture[str]) -> None:
    assert create_endpoint.main(["--name", aws.name, "--image", IMAGE]) == 1
    assert "an hour" in capsys.readouterr().out
    stacks = aws.client("cloudformation").describe_stacks()["Stacks"]
    assert f"endpoint-{aws.name}" not in {found["StackName"] for found in stacks}


def left(aws: Aws) -> dict[str, list[Any]]:
    """Return what there is of the endpoint."""
    sagemaker = aws.client("sagemaker")
    roles = aws.client("iam").list_roles()["Roles"]
    repositories = aws.client("ecr").describe_repositories()["repositories"]
    buckets = aws.client("s3").list_buckets()["Buckets"]
    return {
        "endpoints": sagemaker.list_endpoints(NameContains=aws.name)["Endpoints"],
        "configs": aws.made("endpoint_config"),
        "models": aws.made("model"),
        "buckets": [found for found in buckets if found["Name"] == aws.bucket],
        "roles": [found for found in roles if aws.name in found["RoleName"]],
        "images": [found for found in repositories if found["repositoryName"] == aws.name],
        "targets": aws.targets(),
    }


def test_delete_removes_all_that_create_made_and_can_run_again(aws: Aws) -> None:
    aws.create(image=None)
    assert all(left(aws).values())
    for _ in range(2):
        assert aws.delete() == 0
        assert not any(left(aws).values())


def test_delete_can_keep_the_captures_for_the_next_endpoint(aws: Aws) -> None:
    aws.create()
    s3, bucket = aws.client("s3"), aws.bucket
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix="captures/"):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
    s3.put_object(Bucket=bucket, Key="captures/a/b.jsonl", Body=b"{}")
    assert aws.delete("--keep-captures") == 0
    keys = [item["Key"] for item in s3.list_objects_v2(Bucket=bucket)["Contents"]]
    assert keys == ["captures/a/b.jsonl"]
    assert aws.create() == 0
    assert s3.head_object(Bucket=bucket, Key="captures/a/b.jsonl")


def test_delete_without_a_yes_deletes_nothing(aws: Aws) -> None:
    aws.create()
    assert delete_endpoint.main(["--name", aws.name]) == 1
    assert aws.served()


def test_delete_leaves_what_others_made(aws: Aws) -> None:
    aws.create()
    foreign = {"ExecutionRoleArn": f"arn:aws:iam::{ACCOUNT}:role/other"}
    container = {"Image": IMAGE, "ModelDataUrl": "s3://other/model.tar.gz"}
    sagemaker, other = aws.client("sagemaker"), f"{aws.name}-2"
    sagemaker.create_model(ModelName=other, PrimaryContainer=container, **foreign)
    assert aws.delete() == 0
    assert [model["ModelName"] for model in aws.made("model")] == [other]
    sagemaker.delete_model(ModelName=other)
