"""A folder with the application in it, as checks look at it: translated, filled in, resolved."""

import json
import re
from collections.abc import Collection, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from local import template as sam

REGION, ACCOUNT = "us-east-1", "123456789012"
PSEUDO_PARAMETERS = {
    "AWS::Region": REGION,
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::StackName": "scones-unlimited",
}
# https://docs.aws.amazon.com/service-authorization/latest/reference/: the last part of each ARN.
ARNS = {
    "AWS::ECR::Repository": "ecr:{region}:{account}:repository/{name}",
    "AWS::DynamoDB::Table": "dynamodb:{region}:{account}:table/{name}",
    "AWS::Events::EventBus": "events:{region}:{account}:event-bus/{name}",
    "AWS::Events::Rule": "events:{region}:{account}:rule/{name}",
    "AWS::IAM::Role": "iam::{account}:role/{name}",
    "AWS::Lambda::Function": "lambda:{region}:{account}:function:{name}",
    "AWS::Logs::LogGroup": "logs:{region}:{account}:log-group:{name}:*",
    "AWS::Pipes::Pipe": "pipes:{region}:{account}:pipe/{name}",
    "AWS::S3::Bucket": "s3:::{name}",
    "AWS::SNS::Topic": "sns:{region}:{account}:{name}",
    "AWS::SQS::Queue": "sqs:{region}:{account}:{name}",
    "AWS::StepFunctions::StateMachine": "states:{region}:{account}:stateMachine:{name}",
}

# The few types whose Ref is their ARN.
REFERRED_TO_BY_ARN = ("AWS::SNS::Topic", "AWS::StepFunctions::StateMachine")
# What a resource of these types allows to others.
RESOURCE_POLICIES = (
    "AWS::Logs::ResourcePolicy",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
)
ENDPOINT_TEMPLATE = "model/endpoint/template.yaml"
EXAMPLE_TEMPLATES = ("examples/consumer-on-lambda.yaml", "examples/consumer-on-sqs.yaml")
# As `create_endpoint --train s3://pictures/train --test s3://pictures/test` deploys it.
ENDPOINT_PARAMETERS = {
    "EndpointName": "scones-image-classifier",
    "BucketName": "bucket",
    "TrainingData": "pictures/train",
    "TestData": "pictures/test",
}
ENDPOINT_CONDITIONS = ("Trains", "Measures")
NO_VALUE = {"Ref": "AWS::NoValue"}


def translated(path: Path) -> dict[str, Any]:
    """Return the CloudFormation template that AWS's SAM transform makes of a template."""
    template = sam.load(path)
    for resource in template["Resources"].values():
        if uri := sam.ARTIFACTS.get(resource["Type"]):
            resource["Properties"][uri] = {"Bucket": "bucket", "Key": "key"}
    return sam.translate(template, REGION)


class Application:
    """template.yaml and what it points at, in the given folder."""

    def __init__(
        self, folder: Path, given: Mapping[str, str] = {}, holding: Collection[str] = ()
    ) -> None:
        """Look at a folder; given: parameters, else their defaults; holding: true conditions."""
        self.folder, self.given, self.holding = folder, given, holding

    @cached_property
    def translated(self) -> dict[str, Any]:
        """The CloudFormation template that AWS's SAM transform makes of template.yaml."""
        return translated(self.folder / "template.yaml")

    @cached_property
    def definitions(self) -> dict[str, str]:
        """The state machines' definitions with their substitutions filled in, by logical names."""
        return {
            name: self._definition(resource["Properties"])
            for name, resource in sam.load(self.folder / "template.yaml")["Resources"].items()
            if resource["Type"] == "AWS::Serverless::StateMachine"
        }

    def _definition(self, workflow: Mapping[str, Any]) -> str:
        given = {
            name: str(self.resolved(value))
            for name, value in workflow["DefinitionSubstitutions"].items()
        }
        text = (self.folder / workflow["DefinitionUri"]).read_text()
        return re.sub(r"\$\{(\w+)\}", lambda name: given.get(name[1], name[0]), text)

    def policies(self) -> dict[str, dict[str, Any]]:
        """Return inline policies, by "Role/PolicyName", and others by name; all resolved."""
        others = {
            name: self.resolved(policy["Properties"]["PolicyDocument"])
            for name, policy in self.translated["Resources"].items()
            if policy["Type"] in ("AWS::IAM::ManagedPolicy", "AWS::IAM::Policy")
        }
        return others | {
            f"{name}/{self.resolved(policy['PolicyName'])}": self.resolved(policy["PolicyDocument"])
            for name, role in self.translated["Resources"].items()
            if role["Type"] == "AWS::IAM::Role"
            for policy in role["Properties"].get("Policies", [])
        }

    def resource_policies(self) -> dict[str, dict[str, Any]]:
        """Return the policies of buckets, queues, topics and log groups, by name; all resolved."""
        found = {
            name: self.resolved(resource["Properties"]["PolicyDocument"])
            for name, resource in self.translated["Resources"].items()
            if resource["Type"] in RESOURCE_POLICIES
        }
        # That of a log group is text.
        return {
            name: json.loads(document) if isinstance(document, str) else document
            for name, document in found.items()
        }

    def endpoint_policies(self) -> dict[str, dict[str, Any]]:
        """Return the policies of the endpoint's roles and of its bucket, by name."""
        endpoint = Application(self.folder, ENDPOINT_PARAMETERS, ENDPOINT_CONDITIONS)
        endpoint.translated = sam.load(self.folder / ENDPOINT_TEMPLATE)
        return endpoint.policies() | endpoint.resource_policies()

    def deploy_policies(self) -> dict[str, dict[str, Any]]:
        """Return the policies of the roles that GitHub's workflow deploys with, by name."""
        roles = Application(self.folder)
        roles.translated = sam.load(self.folder / ".github" / "deploy-role.yaml")
        return roles.policies()

    def resolved(self, value: Any) -> Any:
        """Return a value with Ref, GetAtt, Sub and If replaced by what AWS would put there."""
        if isinstance(value, list):
            resolved = [self.resolved(member) for member in value]
            return [member for member in resolved if member != NO_VALUE]
        if not isinstance(value, dict):
            return value
        if value == NO_VALUE:
            return value
        if set(value) == {"Ref"}:
            return self._reference(value["Ref"])
        if set(value) == {"Fn::GetAtt"}:
            parts = value["Fn::GetAtt"]
            return self._attribute(*(parts.split(".", 1) if isinstance(parts, str) else parts))
        if set(value) == {"Fn::Sub"}:
            return self._substituted(value["Fn::Sub"])
        if set(value) == {"Fn::If"}:
            condition, then, otherwise = value["Fn::If"]
            return self.resolved(then if condition in self.holding else otherwise)
        if set(value) == {"Fn::Select"}:
            index, options = value["Fn::Select"]
            return self.resolved(options)[int(index)]
        if set(value) == {"Fn::Split"}:
            separator, text = value["Fn::Split"]
            return self.resolved(text).split(separator)
        return {key: self.resolved(member) for key, member in value.items()}

    def _reference(self, name: str) -> str:
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        if name in self.given:
            return self.given[name]
        if parameter := self.translated["Parameters"].get(name):
            return str(parameter["Default"])
        if self.translated["Resources"][name]["Type"] in REFERRED_TO_BY_ARN:
            return self._attribute(name, "Arn")
        return name.lower()

    def _attribute(self, name: str, attribute: str) -> str:
        kind = self.translated["Resources"][name]["Type"]
        if attribute in ("Name", "QueueName"):
            return name.lower()
        if attribute == "StreamArn":
            return self._attribute(name, "Arn") + "/stream/2026"  # AWS labels it by a time
        if attribute != "Arn" or kind not in ARNS:
            return f"{name}.{attribute}"
        fields = {"region": REGION, "account": ACCOUNT, "name": name.lower()}
        return "arn:aws:" + ARNS[kind].format(**fields)

    def _substituted(self, sub: str | list[Any]) -> str:
        text, given = (sub, {}) if isinstance(sub, str) else sub

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(self.resolved(given[name]))
            return self._attribute(*name.split(".", 1)) if "." in name else self._reference(name)

        return re.sub(r"\$\{([^!}]+)\}", value, text)


def as_text(document: Any) -> str:
    """Return a document as JSON text, one line per value, as the linters report lines."""
    return json.dumps(document, indent=1)
