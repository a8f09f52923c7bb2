"""What S3 sends to EventBridge, as AWS sends it."""

from typing import Any

from tests.support.cloud import Cloud
from tests.support.rules import Rule
from tests.support.waiting import until


def test_two_uploads_have_two_ids_and_the_etag_by_its_right_name(cloud: Cloud) -> None:
    rule = Rule(cloud)
    rule.put("a.png")
    rule.put("b c+d.png")
    found: list[Any] = []
    until(lambda: found.extend(rule.received()) or len(found) >= 2)
    assert {event["detail"]["object"]["key"] for event in found} == {"a.png", "b c+d.png"}
    assert len({event["id"] for event in found}) == 2
    assert all(len(event["detail"]["object"]["etag"]) == 32 for event in found)


def test_a_multipart_upload_is_one_event(cloud: Cloud) -> None:
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
