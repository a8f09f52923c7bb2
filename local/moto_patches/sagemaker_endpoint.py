"""Patch: moto's CloudFormation makes half of the endpoint's stack, and cannot update an endpoint.

Stock moto ignores EndpointName, replaces an endpoint where AWS updates it, knows no types of
Application Auto Scaling, keeps what a condition that has become false rules out, leaves out a
bucket's lifecycle and its block of public access, cannot import a bucket that is there, and
deletes no repository with images, whatever EmptyOnDelete says.

Refused as on AWS: an endpoint becomes serverless, or changes its instance type while it scales.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.applicationautoscaling.models import applicationautoscaling_backends
from moto.cloudformation import parsing
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet
from moto.cloudformation.parsing import ResourceMap
from moto.cloudformation.responses import CloudFormationResponse
from moto.s3.models import FakeBucket, PublicAccessBlock, s3_backends
from moto.sagemaker.models import FakeEndpoint, sagemaker_backends

from local.moto_patches.stack_resources import Declared

Json = dict[str, Any]


class ScalableTarget(Declared):
    """The instances of an endpoint, as Application Auto Scaling knows them; nothing scales here."""

    TYPE = "AWS::ApplicationAutoScaling::ScalableTarget"

    def put(self) -> None:
        backend: Any = applicationautoscaling_backends[self.account][self.region]
        least, most = (int(self.properties[name]) for name in ("MinCapacity", "MaxCapacity"))
        backend.register_scalable_target(*_scaled(self.properties), least, most, None, None)

    @property
    def physical_resource_id(self) -> str:
        """Resource, dimension and namespace, from which a policy reads what it scales."""
        namespace, resource, dimension = _scaled(self.properties)
        return f"{resource}|{dimension}|{namespace}"

    def delete(self, *_: Any) -> None:
        backend = applicationautoscaling_backends[self.account][self.region]
        backend.deregister_scalable_target(*_scaled(self.properties))


class ScalingPolicy(Declared):
    """How a target scales."""

    TYPE = "AWS::ApplicationAutoScaling::ScalingPolicy"

    def put(self) -> None:
        name = self.properties["PolicyName"]
        body = self.properties["TargetTrackingScalingPolicyConfiguration"]
        kind = self.properties["PolicyType"]
        self._backend().put_scaling_policy(name, *self._target(), body, kind)

    def delete(self, *_: Any) -> None:
        self._backend().delete_scaling_policy(self.properties["PolicyName"], *self._target())

    def _backend(self) -> Any:
        return applicationautoscaling_backends[self.account][self.region]

    def _target(self) -> tuple[str, str, str]:
        resource, dimension, namespace = self.properties["ScalingTargetId"].split("|")
        return namespace, resource, dimension


def _scaled(properties: Json) -> tuple[str, str, str]:
    names = ("ServiceNamespace", "ResourceId", "ScalableDimension")
    namespace, resource, dimension = (properties[name] for name in names)
    return namespace, resource, dimension


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Let CloudFormation create, update and delete an endpoint's stack, until the context ends."""
    models, update_resources = parsing.get_model_list, ResourceMap.update
    delete_resource = ResourceMap._delete_resource
    create_bucket = FakeBucket.create_from_cloudformation_json
    create_endpoint = FakeEndpoint.create_from_cloudformation_json
    create_change_set, apply_changes = CloudFormationResponse.create_change_set, ChangeSet.apply
    instance_types: dict[str, str | None] = {}  # by the endpoint's ARN; moto does not keep them
    imports: set[str] = set()  # change sets that take over what exists
    importing = False

    def get_model_list() -> list[Any]:
        return [*models(), ScalableTarget, ScalingPolicy]

    def update(self: ResourceMap, template: Json, parameters: Json | None = None) -> None:
        update_resources(self, template, parameters)
        for name, resource in reversed(template["Resources"].items()):
            condition = resource.get("Condition")
            made = self._parsed_resources.get(name)
            if condition and made and not self.lazy_condition_map[condition]:
                self._delete_resource(made, resource)
                del self._parsed_resources[name]

    def delete(self: ResourceMap, made: Any, resource: Json) -> None:
        if resource.get("Properties", {}).get("EmptyOnDelete"):
            made.images.clear()
        delete_resource(self, made, resource)

    def bucket_of(name: str, cloudformation_json: Json, account: str, *rest: Any, **kw: Any) -> Any:
        bucket = s3_backends[account]["aws"].buckets.get(name)
        if bucket is None or not importing:
            bucket = create_bucket(name, cloudformation_json, account, *rest, **kw)
        _protect(bucket, cloudformation_json["Properties"])
        return bucket

    def change_set_of(self: CloudFormationResponse) -> Any:
        if self._get_bool_param("ImportExistingResources", False):
            imports.add(self._get_param("ChangeSetName"))
        return create_change_set(self)

    def apply(self: ChangeSet) -> None:
        nonlocal importing
        importing = self.change_set_name in imports
        try:
            apply_changes(self)
        finally:
            importing = False

    def endpoint_of(
        name: str, cloudformation_json: Json, account: str, region: str, **kw: Any
    ) -> Any:
        endpoint = create_endpoint(name, cloudformation_json, account, region, **kw)
        variant = _variant(cloudformation_json, account, region)
        instance_types[endpoint.arn] = variant.get("InstanceType")
        return endpoint

    def update_endpoint(
        original_resource: FakeEndpoint,
        new_resource_name: str,
        cloudformation_json: Json,
        account_id: str,
        region_name: str,
    ) -> FakeEndpoint:
        del new_resource_name  # it keeps its own
        endpoint, variant = (
            original_resource,
            _variant(cloudformation_json, account_id, region_name),
        )
        before, after = instance_types[endpoint.arn], variant.get("InstanceType")
        if (before is None) != (after is None):
            raise ValidationError(
                message="Serverless and real-time endpoints cannot become another"
            )
        scaled = applicationautoscaling_backends[account_id][region_name].targets
        resource = f"endpoint/{endpoint.endpoint_name}/variant/{variant['VariantName']}"
        if before != after and any(resource in targets for targets in scaled.values()):
            raise ValidationError(message=f"Deregister {resource} as a scalable target first")
        name = cloudformation_json["Properties"]["EndpointConfigName"]
        config = sagemaker_backends[account_id][region_name].endpoint_configs[name]
        endpoint.endpoint_config_name = name
        endpoint.production_variants = endpoint._process_production_variants([variant])
        endpoint.data_capture_config = config.data_capture_config
        instance_types[endpoint.arn] = after
        return endpoint

    with (
        patch.object(parsing, "get_model_list", get_model_list),
        patch.object(ResourceMap, "update", update),
        patch.object(ResourceMap, "_delete_resource", delete),
        patch.object(FakeBucket, "create_from_cloudformation_json", staticmethod(bucket_of)),
        patch.object(CloudFormationResponse, "create_change_set", change_set_of),
        patch.object(ChangeSet, "apply", apply),
        patch.object(FakeEndpoint, "cloudformation_name_type", staticmethod(_name_type)),
        patch.object(FakeEndpoint, "create_from_cloudformation_json", staticmethod(endpoint_of)),
        patch.object(
            FakeEndpoint, "update_from_cloudformation_json", staticmethod(update_endpoint)
        ),
    ):
        _forget_models()
        yield
    _forget_models()


def _forget_models() -> None:
    """Moto remembers the models it has once listed."""
    parsing.get_model_map.cache_clear()
    parsing.get_name_type_map.cache_clear()


def _name_type() -> str:
    return "EndpointName"


def _variant(cloudformation_json: Json, account: str, region: str) -> Json:
    """Return the one variant of the configuration that an endpoint names."""
    name = cloudformation_json["Properties"]["EndpointConfigName"]
    [variant] = sagemaker_backends[account][region].endpoint_configs[name].production_variants
    return dict(variant)


def _protect(bucket: FakeBucket, properties: Json) -> None:
    if block := properties.get("PublicAccessBlockConfiguration"):
        names = (
            "BlockPublicAcls",
            "IgnorePublicAcls",
            "BlockPublicPolicy",
            "RestrictPublicBuckets",
        )
        bucket.public_access_block = PublicAccessBlock(*(str(block.get(name)) for name in names))
    rules = properties.get("LifecycleConfiguration", {}).get("Rules", [])
    bucket.set_lifecycle(
        [
            {
                "ID": rule["Id"],
                "Status": rule["Status"],
                "Filter": {"Prefix": rule.get("Prefix", "")},
                "Expiration": {"Days": str(rule["ExpirationInDays"])},
            }
            for rule in rules
            if "ExpirationInDays" in rule and "Id" in rule
        ]
    )
