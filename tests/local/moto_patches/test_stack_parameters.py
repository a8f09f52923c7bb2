"""A stack's parameters are held to the bounds of template.yaml."""

import re

import pytest

from local.cloud import EmbeddedAwsError
from tests.support.cloud import Cloud


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("ConfidenceThreshold", "2", "failed to satisfy constraint: a probability, from 0 to 1"),
        ("ConfidenceThreshold", "high", "a probability, from 0 to 1"),
        ("LogRetentionDays", "2", "a number of days that CloudWatch Logs offers"),
        ("WorkflowType", "FAST", "must be one of STANDARD, EXPRESS"),
        ("EndpointName", "Mine", "1 to 63 lower-case letters"),
        ("UploadPrefix", "labelled/", "UploadPrefix failed to satisfy constraint"),
        ("Bucket", "mine", "[Bucket] do not exist in the template"),
    ],
)
def test_parameters_are_held_to_their_bounds(
    cloud: Cloud, name: str, value: str, words: str
) -> None:
    with pytest.raises(EmbeddedAwsError, match=re.escape(words)):
        cloud.aws.deploy("refused", {name: value})
    stacks = cloud.aws.client("cloudformation").describe_stacks()["Stacks"]
    assert "refused" not in [stack["StackName"] for stack in stacks]
