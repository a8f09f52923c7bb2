"""What an endpoint of the embedded AWS captures, and what the demo keeps of it."""

import base64
import json
import re
from pathlib import Path
from typing import Any

import pytest

from local import artifacts
from local.deployment import captures_bucket, create_endpoint
from local.follow import Follower
from tests.support.cloud import Cloud

PICTURE = Path(__file__).parents[3] / "events" / "images" / "bicycle.png"


def captured(cloud: Cloud, name: str) -> list[tuple[str, dict[str, Any]]]:
    """Key and record of everything that an endpoint has captured."""
    s3 = cloud.aws.client("s3")
    bucket = captures_bucket(cloud.aws.client, name)
    found = []
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
        if entry["Key"].startswith("models/"):  # the model and its card, beside the captures
            continue
        text = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read().decode()
        found += [(entry["Key"], json.loads(line)) for line in text.splitlines()]
    return found


def ask(cloud: Cloud, name: str, times: int = 1) -> tuple[bytes, bytes]:
    """Invoke an endpoint; return what it was sent and what it answered last."""
    runtime = cloud.aws.client("sagemaker-runtime")
    for _ in range(times):
        response = runtime.invoke_endpoint(
            EndpointName=name, ContentType="image/png", Body=PICTURE.read_bytes()
        )
        answer = response["Body"].read()
    return PICTURE.read_bytes(), answer


def test_a_request_and_its_answer_are_written_as_sagemaker_does(cloud: Cloud) -> None:
    create_endpoint(cloud.aws.client, "watched", 100)
    sent, answer = ask(cloud, "watched")
    [(key, record)] = captured(cloud, "watched")
    assert re.fullmatch(
        r"captures/watched/AllTraffic/\d{4}(/\d\d){3}/\d\d-\d\d-\d{3}-[0-9a-f-]{36}\.jsonl",
        key,
    )
    assert record["captureData"] == {
        "endpointInput": {
            "observedContentType": "image/png",
            "mode": "INPUT",
            "data": base64.b64encode(sent).decode(),
            "encoding": "BASE64",
        },
        "endpointOutput": {
            "observedContentType": "application/json",
            "mode": "OUTPUT",
            "data": answer.decode(),
            "encoding": "JSON",
        },
    }
    assert record["eventVersion"] == "0"
    assert re.fullmatch(r"[\d-]{10}T[\d:]{8}Z", record["eventMetadata"]["inferenceTime"])
    assert key.split("/")[3:7] == re.findall(r"\d+", record["eventMetadata"]["inferenceTime"])[:4]


def test_captures_expire(cloud: Cloud) -> None:
    create_endpoint(cloud.aws.client, "expiring", 100)
    found = cloud.aws.client("s3").get_bucket_lifecycle_configuration(
        Bucket=captures_bucket(cloud.aws.client, "expiring")
    )
    [rule] = [rule for rule in found["Rules"] if rule["Filter"]["Prefix"] == "captures/"]
    assert rule["Status"] == "Enabled"
    assert rule["Expiration"]["Days"] > 0


def test_a_percentage_is_a_sample(cloud: Cloud) -> None:
    """Of 40 requests at 50 %, all or none would be one chance in 5 * 10^11."""
    create_endpoint(cloud.aws.client, "sampled", 50)
    ask(cloud, "sampled", times=40)
    assert 0 < len(captured(cloud, "sampled")) < 40


def test_an_endpoint_without_the_setting_captures_nothing(cloud: Cloud) -> None:
    create_endpoint(cloud.aws.client, "unwatched")
    ask(cloud, "unwatched")
    assert captured(cloud, "unwatched") == []


def test_the_answer_comes_though_the_capture_cannot_be_written(cloud: Cloud) -> None:
    create_endpoint(cloud.aws.client, "full", 100)
    s3, bucket = cloud.aws.client("s3"), captures_bucket(cloud.aws.client, "full")
    for entry in s3.list_objects_v2(Bucket=bucket).get("Contents", []):  # the model's card
        s3.delete_object(Bucket=bucket, Key=entry["Key"])
    s3.delete_bucket(Bucket=bucket)
    _, answer = ask(cloud, "full")
    assert json.loads(answer)["inferences"][0]["label"] == "bicycle"


def test_the_answer_comes_though_it_is_not_the_text_that_it_says(cloud: Cloud) -> None:
    create_endpoint(cloud.aws.client, "garbled", 100)
    cloud.container.tell((200, "application/json", b"\xff"))
    assert ask(cloud, "garbled")[1] == b"\xff"
    assert captured(cloud, "garbled") == []


def test_the_demo_keeps_a_picture_of_each_execution(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    outputs = dict(cloud.stacks["STANDARD"])
    followed = Follower(cloud.aws, outputs).decide(PICTURE)
    create_endpoint(cloud.aws.client, "kept", 100)
    ask(cloud, "kept")
    folder = tmp_path / "kept"
    monkeypatch.setattr(artifacts, "FOLDER", folder)
    artifacts.keep(cloud.aws, outputs | {"EndpointName": "kept"}, [followed])
    drawn = (folder / "executions" / "bicycle.png.svg").read_text()
    assert "SUCCEEDED" in drawn
    assert len(list(folder.glob("captures/kept/AllTraffic/*/*/*/*/*.jsonl"))) == 1
