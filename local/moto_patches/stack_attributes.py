"""Patch: moto's stacks resolve some properties and attributes otherwise than AWS.

Stock moto ignores a bucket's EventBridgeConfiguration and CorsConfiguration, a Ref to an event bus
is no name, the Arn of a log group lacks the ":*" that it ends with on AWS, and a stack with a
resource whose condition is false cannot be asked for another.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.cloudformation.models import Stack
from moto.events.models import EventBus
from moto.logs.models import LogGroup
from moto.s3.models import FakeBucket

Json = dict[str, Any]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Resolve them as AWS does, until the context ends."""
    create = FakeBucket.create_from_cloudformation_json
    update = FakeBucket.update_from_cloudformation_json
    log_group = LogGroup.get_cfn_attribute

    def create_bucket(
        resource_name: str, cloudformation_json: Json, account_id: str, region_name: str, **kw: Any
    ) -> FakeBucket:
        bucket = create(resource_name, cloudformation_json, account_id, region_name, **kw)
        _configure(bucket, cloudformation_json["Properties"])
        return bucket

    def update_bucket(*args: Any, **kw: Any) -> FakeBucket:
        bucket = update(*args, **kw)
        _configure(bucket, (kw.get("cloudformation_json") or args[2])["Properties"])
        return bucket

    def log_group_attribute(self: LogGroup, attribute_name: str) -> str:
        return log_group(self, attribute_name) + (":*" if attribute_name == "Arn" else "")

    with (
        patch.object(Stack, "stack_resources", property(_resources)),
        patch.object(EventBus, "physical_resource_id", property(_name), create=True),
        patch.object(LogGroup, "get_cfn_attribute", log_group_attribute),
        patch.object(FakeBucket, "create_from_cloudformation_json", staticmethod(create_bucket)),
        patch.object(FakeBucket, "update_from_cloudformation_json", staticmethod(update_bucket)),
    ):
        yield


def _resources(stack: Stack) -> list[Any]:
    return [resource for resource in stack.resource_map.values() if resource is not None]


def _name(bus: EventBus) -> str:
    return str(bus.name)


def _configure(bucket: FakeBucket, properties: Json) -> None:
    configuration = properties.get("NotificationConfiguration", {})
    enabled = configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled")
    if str(enabled).lower() == "true":
        bucket.set_notification_configuration({"EventBridgeConfiguration": {}})
    bucket.delete_cors()
    if rules := properties.get("CorsConfiguration", {}).get("CorsRules"):
        bucket.set_cors([_as_api(rule) for rule in rules])


def _as_api(rule: Json) -> Json:
    """Return a declared CORS rule under the names that S3's API gives to what it holds."""
    names = {
        "AllowedOrigins": "AllowedOrigin",
        "AllowedMethods": "AllowedMethod",
        "AllowedHeaders": "AllowedHeader",
        "ExposedHeaders": "ExposeHeader",
        "MaxAge": "MaxAgeSeconds",
    }
    found = {names[name]: value for name, value in rule.items() if name in names}
    return (
        found | {"MaxAgeSeconds": str(int(found["MaxAgeSeconds"]))} if "MaxAge" in rule else found
    )
