"""Every resource of template.yaml is deployed."""

import subprocess
import sys

from tests.support.cloud import Stack
from tests.support.project import ROOT, template


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


# The context ends while a stack is half made; the slow resource sees that, or has waited.
INTERRUPTED = """
import json, threading, boto3, moto
from local.moto_patches import stack_resources

begun, ended = threading.Event(), threading.Event()

class Slow(stack_resources.Declared):
    __module__, TYPE = "moto.test.models", "AWS::Test::Slow"  # moto takes a service's name of it

    def put(self):
        begun.set()
        ended.wait(1)

stack_resources.MODELS.append(Slow)
policy = {"Type": "AWS::S3::BucketPolicy", "DependsOn": "Slow", "Properties": {"Bucket": "b"}}
resources = {"Slow": {"Type": Slow.TYPE, "Properties": {}}, "Policy": policy}
with moto.mock_aws():
    client = boto3.client("cloudformation", region_name="us-east-1")
    asked = {"StackName": "half", "TemplateBody": json.dumps({"Resources": resources})}
    with stack_resources.installed():
        thread = threading.Thread(target=client.create_stack, kwargs=asked)
        thread.start()
        begun.wait()
    ended.set()
    thread.join()
    print(len(client.list_stack_resources(StackName="half")["StackResourceSummaries"]))
"""


def test_a_stack_that_is_half_made_at_the_end_is_made_in_silence() -> None:
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == ("2\n", "")
