"""Patch: moto's CloudFormation does not know these types and leaves them out of the stack.

Added here: a queue's policy is put where the embedded AWS asks for it, a pipe is given to the patch
pipes, an alarm to CloudWatch; the patch logs acts on metric filters and transformers. Bucket
policies, composite alarms, queries, topic policies and subscriptions are kept as they are declared.
"""

import contextlib
import json
import threading
from collections.abc import Iterator
from typing import Any, ClassVar
from unittest.mock import patch

from moto.cloudformation import parsing
from moto.cloudformation.responses import CloudFormationResponse
from moto.cloudwatch.models import (
    Dimension,
    Metric,
    MetricDataQuery,
    MetricStat,
    cloudwatch_backends,
)
from moto.core.common_models import CloudFormationModel
from moto.pipes.models import pipes_backends
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

    def delete(self, account_id: str, region_name: str) -> None:
        """Do what deleting the resource does elsewhere: moto asks the resource, not its class."""
        self.delete_from_cloudformation_json(self.name, {}, account_id, region_name)

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


class Pipe(Declared):
    """Run by local.moto_patches.pipes while it is not stopped. made: every pipe there is."""

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
        """Whether it has not been stopped."""
        pipe = pipes_backends[self.account][self.region].pipes.get(self.name)
        return pipe is not None and pipe.desired_state == "RUNNING"

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
        for pipe in [pipe for pipe in cls.made if pipe.name == resource_name]:
            cls.made.remove(pipe)
            pipes_backends[pipe.account][pipe.region].pipes.pop(pipe.name, None)

    def get_cfn_attribute(self, attribute_name: str) -> str:
        del attribute_name  # it has an Arn alone
        return f"arn:aws:pipes:{self.region}:{self.account}:pipe/{self.name}"


class Alarm(Declared):
    """Watches its metrics: local.moto_patches.metrics evaluates it."""

    TYPE = "AWS::CloudWatch::Alarm"

    def put(self) -> None:
        given = self.properties
        cloudwatch_backends[self.account][self.region].put_metric_alarm(
            name=self.name,
            namespace=given.get("Namespace"),  # type: ignore[arg-type]
            metric_name=given.get("MetricName"),  # type: ignore[arg-type]
            comparison_operator=given["ComparisonOperator"],
            evaluation_periods=int(given["EvaluationPeriods"]),
            period=given.get("Period"),  # type: ignore[arg-type]
            threshold=float(given["Threshold"]),
            statistic=given.get("Statistic"),  # type: ignore[arg-type]
            description=given.get("AlarmDescription", ""),
            dimensions=given.get("Dimensions", []),
            alarm_actions=given.get("AlarmActions", []),
            metric_data_queries=[_watched(query) for query in given.get("Metrics", [])],
            ok_actions=given.get("OKActions"),
            treat_missing_data=given.get("TreatMissingData"),
        )

    @classmethod
    def delete_from_cloudformation_json(
        cls, resource_name: str, _: Json, account_id: str, region_name: str
    ) -> None:
        cloudwatch_backends[account_id][region_name].delete_alarms([resource_name])

    def get_cfn_attribute(self, attribute_name: str) -> str:
        del attribute_name  # it has an Arn alone
        return f"arn:aws:cloudwatch:{self.region}:{self.account}:alarm:{self.name}"


def _watched(query: Json) -> MetricDataQuery:
    """Return one of an alarm's metrics or expressions, as moto keeps it."""
    stat, found = query.get("MetricStat"), None
    if stat:
        named = stat["Metric"]
        places = [Dimension(given["Name"], given["Value"]) for given in named.get("Dimensions", [])]
        metric = Metric(named["MetricName"], named["Namespace"], places)
        found = MetricStat(metric, stat["Period"], stat["Stat"], stat.get("Unit"))
    return MetricDataQuery(
        query_id=query["Id"],
        label=query.get("Label"),  # type: ignore[arg-type]
        period=query.get("Period"),  # type: ignore[arg-type]
        return_data=query.get("ReturnData"),  # type: ignore[arg-type]
        expression=query.get("Expression"),
        metric_stat=found,
    )


class _OfLogGroup(Declared):
    """Acts on what comes into a log group: local.moto_patches.logs. made: all there are."""

    GROUP: ClassVar[str] = ""
    made: ClassVar[list[Any]] = []

    def put(self) -> None:
        if self not in self.made:
            self.made.append(self)

    @property
    def group(self) -> str:
        """The name of its log group."""
        return str(self.properties[self.GROUP])

    @classmethod
    def delete_from_cloudformation_json(cls, resource_name: str, *_: Any, **__: Any) -> None:
        cls.made[:] = [made for made in cls.made if made.name != resource_name]


class MetricFilter(_OfLogGroup):
    """Makes data points of log events."""

    TYPE, GROUP = "AWS::Logs::MetricFilter", "LogGroupName"
    made: ClassVar[list["MetricFilter"]] = []


class Transformer(_OfLogGroup):
    """Changes log events before filters and queries see them."""

    TYPE, GROUP = "AWS::Logs::Transformer", "LogGroupIdentifier"
    made: ClassVar[list["Transformer"]] = []

    def config(self) -> list[Json]:
        """Return its processors under the names that the API of CloudWatch Logs gives them."""
        return [_as_api(processor) for processor in self.properties["TransformerConfig"]]


def _as_api(value: Any) -> Any:
    """Return a declared value with names that begin in lower case, `parseJSON` for ParseJSON."""
    if isinstance(value, dict):
        return {name[:1].lower() + name[1:]: _as_api(inner) for name, inner in value.items()}
    return [_as_api(inner) for inner in value] if isinstance(value, list) else value


def _kept(type_: str) -> type[Declared]:
    return type(type_.replace("::", ""), (Declared,), {"TYPE": type_})


MODELS: list[Any] = [
    BucketPolicy,
    QueuePolicy,
    Pipe,
    Alarm,
    MetricFilter,
    Transformer,
    _kept("AWS::CloudWatch::CompositeAlarm"),
    _kept("AWS::Logs::QueryDefinition"),
    _kept("AWS::SNS::TopicPolicy"),
    _kept("AWS::SNS::Subscription"),
]


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let stacks have these types, until the context ends and no call of CloudFormation goes on.

    A client that was interrupted does not stop the call that it has made: moto would go on with the
    stack, and print a warning of each type that it no longer knows.
    """
    models, answer = parsing.get_model_list, CloudFormationResponse.call_action
    calls, fewer = list[int](), threading.Condition()
    types = {model.cloudformation_type() for model in MODELS}

    def get_model_list() -> list[Any]:
        stock = [model for model in models() if not issubclass(model, Declared)]
        return [model for model in stock if model.cloudformation_type() not in types] + MODELS

    def call_action(self: CloudFormationResponse) -> Any:
        calls.append(id(self))
        try:
            return answer(self)
        finally:
            with fewer:
                calls.remove(id(self))
                fewer.notify_all()

    with (
        patch.object(parsing, "get_model_list", get_model_list),
        patch.object(CloudFormationResponse, "call_action", call_action),
    ):
        _forget_models()
        try:
            yield
        finally:
            with fewer:
                fewer.wait_for(lambda: not calls)
            for model in (Pipe, MetricFilter, Transformer):
                model.made.clear()
    _forget_models()


def _forget_models() -> None:
    """Moto remembers the models it has once listed."""
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()
