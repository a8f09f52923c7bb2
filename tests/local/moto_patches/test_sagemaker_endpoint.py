"""Stock moto still lacks what the patch of the endpoint's stack adds."""

import json
import subprocess
import sys

import pytest

from tests.support.project import ENDPOINT_TEMPLATE, ROOT

# In a process of its own: moto's services are global, and the embedded AWS patches them.
STOCK = """
import json, sys, warnings
warnings.simplefilter("ignore")
import boto3
from moto import mock_aws
from samtranslator.yaml_helper import yaml_parse

text = json.dumps(yaml_parse(open(sys.argv[1]).read()))
lacks = {}
with mock_aws():
    make = lambda service: boto3.client(service, "us-east-1")
    stack, s3, ecr = make("cloudformation"), make("s3"), make("ecr")
    given = {"EndpointName": "stock", "BucketName": "stock", "Image": "i", "ModelData": "m"}

    def parameters(**more):
        values = {**given, **more}
        return [{"ParameterKey": name, "ParameterValue": values[name]} for name in values]

    stack.create_stack(StackName="s", TemplateBody=text, Parameters=parameters())
    resources = stack.list_stack_resources(StackName="s")["StackResourceSummaries"]
    made = {resource["ResourceType"] for resource in resources}
    [endpoint] = make("sagemaker").list_endpoints()["Endpoints"]
    lacks["name"] = endpoint["EndpointName"] != "stock"
    lacks["scaling"] = not any("AutoScaling" in kind for kind in made)
    try:
        lacks["lifecycle"] = not s3.get_bucket_lifecycle_configuration(Bucket="stock")
    except Exception as error:
        lacks["lifecycle"] = "NoSuchLifecycleConfiguration" in str(error)
    try:
        lacks["block"] = not s3.get_public_access_block(Bucket="stock")
    except Exception as error:
        lacks["block"] = "NoSuchPublicAccessBlockConfiguration" in str(error)
    stack.update_stack(StackName="s", TemplateBody=text, Parameters=parameters(Image=""))
    lacks["condition"] = bool(make("sagemaker").list_endpoints()["Endpoints"])
    ecr.put_image(repositoryName="stock", imageTag="1",
        imageManifest='{"mediaType": "application/vnd.docker.distribution.manifest.v2+json"}')
    try:
        stack.delete_stack(StackName="s")
        lacks["images"] = False
    except Exception as error:
        lacks["images"] = "RepositoryNotEmpty" in str(error)
with mock_aws():
    s3, stack = make("s3"), make("cloudformation")
    s3.create_bucket(Bucket="stock")
    try:
        change = {"StackName": "s", "ChangeSetName": "c"}
        stack.create_change_set(**change, ChangeSetType="CREATE", TemplateBody=text,
            Parameters=parameters(), ImportExistingResources=True)
        stack.execute_change_set(**change)
        lacks["import"] = False
    except Exception as error:
        lacks["import"] = "BucketAlready" in str(error)
print(json.dumps(lacks))
"""
LACKS = ("name", "scaling", "lifecycle", "block", "condition", "images", "import")


@pytest.fixture(scope="module")
def stock() -> dict[str, bool]:
    done = subprocess.run(
        [sys.executable, "-c", STOCK, str(ROOT / ENDPOINT_TEMPLATE)],
        env={
            "PATH": "",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.mark.parametrize("what", LACKS)
def test_stock_moto_still_lacks_it(stock: dict[str, bool], what: str) -> None:
    assert stock[what]
