"""Seam: moto's CloudFormation does not know these types and leaves them out of the stack.

Made here: bucket, queue and log-group policies are put where the embedded AWS asks for them, and
a pipe is handed to the patch pipes. Alarms, dashboards, metric filters and their transformer,
topic policies and subscriptions are kept as they are declared: nothing here measures or notifies.

moto besides ignores a bucket's EventBridgeConfiguration, a Ref to an event bus is no name, the Arn
of a log group lacks the ":*" that it ends with on AWS, and a resource whose condition is false
makes it stumble when it is asked for another.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest.mock import patch

from moto.cloudformation import parsing
from moto.cloudformation.models import Stack
from moto.core.common_models import CloudFormationModel
from moto.events.models import EventBus
from moto.logs.models import LogGroup, logs_backends
from moto.pipes.models import pipes_backends
from moto.s3.models import FakeBucket
from moto.sqs.models import sqs_backends

Json = dict[str, Any]


class Declared(CloudFormationModel):
    """A resource that is what its declaration says, and nothing more."""

    TYPE: ClassVar[str] = ""  # moto asks every class that it knows, this one too

    def __init__(self, name: str, properties: Json, account: str, region: str) -> None:
        self.name, self.properties = name, properties
        self.account, self.region = account, region

    @property
    def physical_resource_id(self) -> str:
        return self.name

    @classmethod
    def cloudformation_name_type(cls) -> str:
        return "Name"

    @classmethod
    def cloudformation_type(cls) -> str:
        return cls.TYPE

    @classmethod
    def has_cfn_attr(cls, attr: str) -> bool:
        return attr == "Arn"

    def get_cfn_attribute(self, attribute_name: str) -> str:
        service = self.TYPE.split("::")[1].lower()
        return (
            f"arn:aws:{service}:{self.region}:{self.account}:{attribute_name.lower()}/{self.name}"
        )

    @classmethod
    def create_from_cloudformation_json(
        cls,
        resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
        **_: Any,
    ) -> "Declared":
        made = cls(resource_name, cloudformation_json["Properties"], account_id, region_name)
        made.put()
        return made

    @classmethod
    def update_from_cloudformation_json(
        cls,
        original_resource: "Declared",
        new_resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
    ) -> "Declared":
        del new_resource_name, account_id, region_name  # updated in place
        original_resource.properties = cloudformation_json["Properties"]
        original_resource.put()
        return original_resource

    @classmethod
    def delete_from_cloudformation_json(cls, *_: Any, **__: Any) -> None:
        """Nothing is left of a declaration."""

    def delete(self, *_: Any) -> None:
        """Nothing is left of a declaration."""

    def put(self) -> None:
        """Do what creating or updating the resource does elsewhere."""


class BucketPolicy(Declared):
    """Kept, not enforced: it denies what comes without TLS, and loopback has none."""

    TYPE = "AWS::S3::BucketPolicy"


class QueuePolicy(Declared):
    """Who may send: without it EventBridge cannot reach its dead-letter queue."""

    TYPE = "AWS::SQS::QueuePolicy"

    def put(self) -> None:
        for url in self.properties["Queues"]:
            queue = sqs_backends[self.account][self.region].get_queue(url.rsplit("/", 1)[-1])
            queue._set_attributes({"Policy": json.dumps(self.properties["PolicyDocument"])})


class LogPolicy(Declared):
    """Who may write to a log group."""

    TYPE = "AWS::Logs::ResourcePolicy"

    def put(self) -> None:
        logs_backends[self.account][self.region].put_resource_policy(
            self.properties["PolicyName"], self.properties["PolicyDocument"]
        )

    def delete(self, *_: Any) -> None:
        logs_backends[self.account][self.region].delete_resource_policy(
            self.properties["PolicyName"]
        )


class Pipe(Declared):
    """Moved by local.moto_patches.pipes, which is told of every pipe, while it is not stopped."""

    TYPE = "AWS::Pipes::Pipe"
    made: ClassVar[list["Pipe"]] = []

    def put(self) -> None:
        if self not in self.made:
            self.made.append(self)
        backend = pipes_backends[self.account][self.region]
        given: Json = {
            "name": self.name,
            "role_arn": self.properties["RoleArn"],
            "source_parameters": self.properties["SourceParameters"],
            "target": self.properties["Target"],
            "target_parameters": self.properties["TargetParameters"],
            **dict.fromkeys(("description", "desired_state", "enrichment")),
            **dict.fromkeys(("enrichment_parameters", "log_configuration", "kms_key_identifier")),
        }
        if self.name in backend.pipes:
            backend.update_pipe(**given)
        else:
            backend.create_pipe(**given, source=self.properties["Source"], tags=None)

    @property
    def running(self) -> bool:
        """Whether nobody has stopped it."""
        pipe = pipes_backends[self.account][self.region].pipes.get(self.name)
        return pipe is not None and pipe.desired_state == "RUNNING"

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
        for pipe in [each for each in cls.made if each.name == resource_name]:
            cls.made.remove(pipe)
            pipes_backends[pipe.account][pipe.region].pipes.pop(pipe.name, None)

    def get_cfn_attribute(self, attribute_name: str) -> str:
        del attribute_name  # it has an Arn alone
        return f"arn:aws:pipes:{self.region}:{self.account}:pipe/{self.name}"


def _kept(type_: str) -> type[Declared]:
    return type(type_.replace("::", ""), (Declared,), {"TYPE": type_})


KEPT = [
    _kept("AWS::CloudWatch::Alarm"),
    _kept("AWS::CloudWatch::CompositeAlarm"),
    _kept("AWS::CloudWatch::Dashboard"),
    _kept("AWS::Logs::MetricFilter"),
    _kept("AWS::Logs::QueryDefinition"),
    _kept("AWS::Logs::Transformer"),
    _kept("AWS::SNS::TopicPolicy"),
    _kept("AWS::SNS::Subscription"),
]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let stacks have these types, until the context ends."""
    models = parsing.get_model_list
    ours: list[Any] = [BucketPolicy, QueuePolicy, LogPolicy, Pipe, *KEPT]
    types = {each.cloudformation_type() for each in ours}
    create = FakeBucket.create_from_cloudformation_json
    update = FakeBucket.update_from_cloudformation_json
    log_group = LogGroup.get_cfn_attribute

    def get_model_list() -> list[Any]:
        stock = [each for each in models() if not issubclass(each, Declared)]
        return [each for each in stock if each.cloudformation_type() not in types] + ours

    def create_bucket(
        resource_name: str, cloudformation_json: Json, account_id: str, region_name: str, **kw: Any
    ) -> FakeBucket:
        bucket = create(resource_name, cloudformation_json, account_id, region_name, **kw)
        _notify(bucket, cloudformation_json["Properties"])
        return bucket

    def update_bucket(*args: Any, **kw: Any) -> FakeBucket:
        bucket = update(*args, **kw)
        _notify(bucket, (kw.get("cloudformation_json") or args[2])["Properties"])
        return bucket

    def log_group_attribute(self: LogGroup, attribute_name: str) -> str:
        return log_group(self, attribute_name) + (":*" if attribute_name == "Arn" else "")

    with (
        patch.object(parsing, "get_model_list", get_model_list),
        patch.object(Stack, "stack_resources", property(_resources)),
        patch.object(EventBus, "physical_resource_id", property(_name), create=True),
        patch.object(LogGroup, "get_cfn_attribute", log_group_attribute),
        patch.object(FakeBucket, "create_from_cloudformation_json", staticmethod(create_bucket)),
        patch.object(FakeBucket, "update_from_cloudformation_json", staticmethod(update_bucket)),
    ):
        _forget_models()
        try:
            yield
        finally:
            Pipe.made.clear()
    _forget_models()


def _resources(stack: Stack) -> list[Any]:
    return [each for each in stack.resource_map.values() if each is not None]


def _name(bus: EventBus) -> str:
    return str(bus.name)


def _forget_models() -> None:
    """Moto remembers the models it has once listed."""
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()


def _notify(bucket: FakeBucket, properties: Json) -> None:
    configuration = properties.get("NotificationConfiguration", {})
    enabled = configuration.get("EventBridgeConfiguration", {}).get("EventBridgeEnabled")
    if str(enabled).lower() == "true":
        bucket.set_notification_configuration({"EventBridgeConfiguration": {}})
