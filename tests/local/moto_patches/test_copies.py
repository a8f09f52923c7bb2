"""CopyObject copies what was meant."""

import uuid

from tests.support.cloud import Cloud, refusal


def test_an_object_that_has_changed_is_not_copied(cloud: Cloud) -> None:
    s3, bucket = cloud.aws.client("s3"), f"patch-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    etag = s3.put_object(Bucket=bucket, Key="a", Body=b"1")["ETag"]
    s3.put_object(Bucket=bucket, Key="a", Body=b"2")
    request = {"Bucket": bucket, "Key": "b", "CopySource": f"{bucket}/a"}
    assert refusal(s3.copy_object, **request, CopySourceIfMatch=etag)[1] == 412
