"""An endpoint on the embedded AWS, made by create_endpoint with a docker that builds nothing."""

import json
import uuid
from collections.abc import Sequence
from typing import Any

from moto.cloudformation.models import cloudformation_backends
from moto.cloudformation.parsing import clean_json

from model import create_endpoint, delete_endpoint
from model.endpoint import image
from tests.support.cloud import Cloud

REGION, ACCOUNT = "us-east-1", "123456789012"
IMAGE = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/scones:1"
MANIFEST = json.dumps({"mediaType": "application/vnd.docker.distribution.manifest.v2+json"})


class Aws:
    """The embedded AWS, and an endpoint's name that no other test has."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.name = f"endpoint-{uuid.uuid4().hex[:8]}"
        self.bucket = f"{self.name}-{ACCOUNT}-{REGION}"
        self.docker: list[list[str]] = []

    def client(self, service: str) -> Any:
        return self.cloud.aws.client(service)

    def create(self, *arguments: str, image: str | None = IMAGE) -> int:
        given = ["--image", image] if image else []
        return create_endpoint.main(["--name", self.name, "--yes", *given, *arguments])

    def delete(self, *arguments: str) -> int:
        return delete_endpoint.main(["--name", self.name, "--yes", *arguments])

    def run_docker(self, arguments: Sequence[str], standard_input: str | None = None) -> None:
        self.docker.append([*arguments, *([standard_input] if standard_input else [])])
        if arguments[0] == "push":
            self.client("ecr").put_image(
                repositoryName=self.name, imageTag=image.tag(), imageManifest=MANIFEST
            )

    def answers(self, *confidences: tuple[str, float]) -> None:
        """Let the endpoint answer this to the next request."""
        inferences = [{"label": label, "confidence": value} for label, value in confidences]
        body = json.dumps({"inferences": inferences, "model": "1"}).encode()
        self.cloud.container.tell((200, "application/json", body))

    def served(self) -> dict[str, Any]:
        """Return the endpoint configuration in service."""
        sagemaker = self.client("sagemaker")
        config = sagemaker.describe_endpoint(EndpointName=self.name)["EndpointConfigName"]
        found = sagemaker.describe_endpoint_config(EndpointConfigName=config)
        assert isinstance(found, dict)
        return found

    def container(self) -> dict[str, str]:
        """Return image and data of the model in service."""
        model = self.served()["ProductionVariants"][0]["ModelName"]
        found = self.client("sagemaker").describe_model(ModelName=model)["PrimaryContainer"]
        assert isinstance(found, dict)
        return found

    def made(self, kind: str) -> list[dict[str, Any]]:
        """Return what there is of the endpoint; kind: model or endpoint_config."""
        answer = getattr(self.client("sagemaker"), f"list_{kind}s")
        words = kind.title().replace("_", "")
        return [found for found in answer()[f"{words}s"] if self.name in found[f"{words}Name"]]

    def targets(self) -> list[dict[str, Any]]:
        """Return the scalable targets of the endpoint."""
        answer = self.client("application-autoscaling").describe_scalable_targets(
            ServiceNamespace="sagemaker",
            ResourceIds=[f"endpoint/{self.name}/variant/AllTraffic"],
            ScalableDimension="sagemaker:variant:DesiredInstanceCount",
        )["ScalableTargets"]
        assert isinstance(answer, list)
        return answer

    def deployed(self, logical_id: str) -> dict[str, Any]:
        """Return the properties of a resource, conditions and references resolved."""
        found = cloudformation_backends[ACCOUNT][REGION].get_stack(f"endpoint-{self.name}")
        declared = found.template_dict["Resources"][logical_id]["Properties"]
        properties = clean_json(declared, found.resource_map)
        assert isinstance(properties, dict)
        return properties

    def events(self) -> list[tuple[str, str]]:
        """Return the resource and status of the stack's events, oldest first."""
        answer = self.client("cloudformation").describe_stack_events(
            StackName=f"endpoint-{self.name}"
        )
        return [
            (event["LogicalResourceId"], event["ResourceStatus"])
            for event in reversed(answer["StackEvents"])
        ]
