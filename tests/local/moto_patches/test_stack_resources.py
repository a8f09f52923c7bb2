"""Every resource of template.yaml is deployed."""

from tests.support.cloud import Stack
from tests.support.project import template


def test_every_resource_of_the_template_is_deployed(standard: Stack) -> None:
    client = standard.aws.client("cloudformation")
    pages = client.get_paginator("list_stack_resources").paginate(StackName="test-standard")
    deployed = {
        resource["LogicalResourceId"]
        for page in pages
        for resource in page["StackResourceSummaries"]
    }
    wanted = {
        name for name, resource in template()["Resources"].items() if "Condition" not in resource
    }  # moto leaves out, in silence, what it does not know
    assert wanted - deployed == set()


def test_the_policy_of_a_queue_is_deployed(standard: Stack) -> None:
    attributes = standard.aws.client("sqs").get_queue_attributes(
        QueueUrl=standard.outputs["UploadEventsDeadLetterQueue"], AttributeNames=["Policy"]
    )
    assert "events.amazonaws.com" in attributes["Attributes"]["Policy"]
