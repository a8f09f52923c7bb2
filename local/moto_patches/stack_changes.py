"""Patch: moto's CloudFormation has no SAM transform and half of what change sets do.

Stock moto creates nothing of an AWS::Serverless resource and calls that a success; a stack made by
a change set has no Outputs; to it every SAM template has changed; a template's URL must have its
bucket in the host name.
"""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch
from urllib.parse import urlparse

from moto.cloudformation import responses
from moto.cloudformation.exceptions import ValidationError
from moto.cloudformation.models import ChangeSet, Stack
from moto.s3.models import s3_backends
from samtranslator.model.exceptions import InvalidDocumentException

from local import template as sam

Json = Any  # a template


@contextlib.contextmanager
def installed(region: str) -> Iterator[None]:
    """Let CloudFormation take SAM templates, by change sets too, until the context ends."""
    parse_change_set, parse_stack = ChangeSet._parse_template, Stack._parse_template
    apply = ChangeSet.apply

    def transformed(parse: Any) -> Any:
        def parse_template(self: Stack | ChangeSet) -> None:
            parse(self)
            self.template_dict = transform(self.template_dict, region)

        return parse_template

    def has_template(self: Any, other_template: str) -> bool:
        same: bool = Stack.parse_template(self.template) == Stack.parse_template(other_template)
        return same

    def apply_change_set(self: ChangeSet) -> None:
        stack = self.stack
        apply(self)
        stack.template, stack.template_dict = self.template, self.template_dict
        stack.parameters = self.parameters
        stack.description = self.template_dict.get("Description")
        stack.output_map = stack._create_output_map()

    with (
        patch.object(Stack, "_parse_template", transformed(parse_stack)),
        patch.object(ChangeSet, "_parse_template", transformed(parse_change_set)),
        patch.object(ChangeSet, "apply", apply_change_set),
        patch.object(Stack, "has_template", has_template),
        patch.object(responses, "get_stack_from_s3_url", template_at),
    ):
        yield


def transform(template: Json, region: str) -> Json:
    """Return a template with its SAM transform carried out, if it asks for one."""
    if "AWS::Serverless-2016-10-31" not in str(template.get("Transform", "")):
        return template
    try:
        return sam.translate(copy.deepcopy(template), region)
    except InvalidDocumentException as error:
        raise ValidationError(message=f"Transform failed with: {error.message}") from error


def template_at(template_url: str, account_id: str, partition: str) -> str:
    """Return the template in a bucket of the embedded AWS, whose URLs are path-style."""
    bucket, key = urlparse(template_url).path.lstrip("/").split("/", 1)
    kept = s3_backends[account_id][partition].get_object(bucket, key)
    if kept is None:
        raise ValidationError(message=f"S3 error: there is no template at {template_url}")
    text: str = kept.value.decode()
    return text
