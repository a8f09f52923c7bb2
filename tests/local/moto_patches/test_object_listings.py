"""A listing is of what was there when it began."""

import uuid

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.s3.models import s3_backends

from tests.support.cloud import Cloud


def test_what_is_deleted_during_a_listing_does_not_fail_it(cloud: Cloud) -> None:
    s3, bucket = cloud.aws.client("s3"), f"patch-{uuid.uuid4().hex[:8]}"
    s3.create_bucket(Bucket=bucket)
    for key in ("a", "b", "c"):
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    keys = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets[bucket].keys
    goes_on, found = keys.items(), []
    for key, _ in goes_on:
        s3.delete_object(Bucket=bucket, Key="b")
        found.append(key)
    assert found == ["a", "b", "c"]
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    assert [item["Key"] for item in listed] == ["a", "c"]
    assert [item.name for item in keys.values()] == ["a", "c"]
