"""The model server's image, built here and pushed to the endpoint's own ECR repository."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Sequence

from cli.errors import code_of
from model.endpoint.place import ROOT, EndpointError, Place

CONTEXT = ROOT / "model" / "serving"
# What the image is made of; .dockerignore lets nothing else in.
INGREDIENTS = ("Dockerfile", "requirements.txt", "server.py")
ECR_IMAGE = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z0-9.-]+/(?P<name>[a-z0-9._/-]+)"
    r"(:[\w.-]+|@sha256:[0-9a-f]{64})"
)


def docker(arguments: Sequence[str], standard_input: str | None = None) -> None:
    """Run `docker ARGUMENTS`, its output on this terminal; raise EndpointError if it fails."""
    if not shutil.which("docker"):
        raise EndpointError(
            "docker is not here: install it (https://docs.docker.com/engine/install/), or give"
            " --image with the address of an image in ECR that was pushed elsewhere"
        )
    done = subprocess.run(
        ["docker", *arguments],
        input=standard_input,
        text=True,
        check=False,
        env=os.environ | {"DOCKER_BUILDKIT": "1"},
    )
    if done.returncode:
        raise EndpointError(f"`docker {arguments[0]}` failed with exit code {done.returncode}")


def tag() -> str:
    """Return a tag that changes when what the image is made of does."""
    digest = hashlib.sha256()
    for name in INGREDIENTS:
        content = (CONTEXT / name).read_bytes()
        digest.update(f"{name} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:16]


def repository_arn(place: Place, image: str, option: str = "--image") -> str:
    """Return the ARN of the repository of an image that SageMaker can pull.

    Raises EndpointError for an image outside of ECR; option: what gave the image.
    """
    if not (found := ECR_IMAGE.fullmatch(image)):
        raise EndpointError(
            f"{option} {image}: SageMaker pulls from a private ECR repository alone, for instance"
            " 123456789012.dkr.ecr.eu-central-1.amazonaws.com/scones:1"
        )
    partition = place.session.get_partition_for_region(found["region"])
    return f"arn:{partition}:ecr:{found['region']}:{found['account']}:repository/{found['name']}"


def ensure_image(place: Place, repository: str) -> str:
    """Build the image and push it to a repository unless it is there; return its address.

    repository: its URI. The address names the image by digest.
    """
    wanted = tag()
    address = f"{repository}:{wanted}"
    digest = pushed(place, wanted)
    if digest:
        print(f"image {address}: is there")
        return f"{repository}@{digest}"
    # SageMaker runs amd64 and refuses OCI manifests, which attestations and BuildKit would write.
    docker(
        [
            *("build", "--platform", "linux/amd64", "--provenance=false"),
            *("--output", "type=docker,oci-mediatypes=false", "--tag", address, str(CONTEXT)),
        ]
    )
    answer = place.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    registry = repository.partition("/")[0]
    docker(["login", "--username", user, "--password-stdin", registry], password)
    try:
        docker(["push", address])
    finally:
        docker(["logout", registry])
    digest = pushed(place, wanted)
    if not digest:
        raise EndpointError(f"{address} was pushed, but ECR does not know it")
    return f"{repository}@{digest}"


def pushed(place: Place, tag: str) -> str | None:
    """Return the digest of the image with this tag, None if there is none."""
    from botocore.exceptions import ClientError

    try:
        found = place.client("ecr").describe_images(
            repositoryName=place.name, imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return None
        raise
    return str(found["imageDetails"][0]["imageDigest"])
