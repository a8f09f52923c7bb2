"""The model server's image, built here and pushed to the endpoint's own ECR repository."""

import base64
import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence

from botocore.exceptions import ClientError

from model.endpoint.place import ROOT, EndpointError, Place, code_of

CONTEXT = ROOT / "model" / "serving"
# What the image is made of; .dockerignore lets nothing else in.
INGREDIENTS = ("Dockerfile", "requirements.txt", "server.py")
ECR_IMAGE = re.compile(
    r"\d{12}\.dkr\.ecr\.[a-z0-9-]+\.[a-z0-9.-]+/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64})"
)

Docker = Callable[[Sequence[str], str | None], None]


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


def checked(image: str) -> str:
    """Return the address of an image if SageMaker can pull it; raise EndpointError."""
    if not ECR_IMAGE.fullmatch(image):
        raise EndpointError(
            f"--image {image}: SageMaker pulls from a private ECR repository alone, for instance"
            " 123456789012.dkr.ecr.eu-central-1.amazonaws.com/scones:1"
        )
    return image


def ensure_image(place: Place, docker: Docker = docker) -> str:
    """Build and push the image unless it is there; return its address, by digest."""
    repository = ensure_repository(place)
    wanted = tag()
    digest = pushed(place, wanted)
    if digest:
        print(f"image {repository}:{wanted}: is there")
        return f"{repository}@{digest}"
    address = f"{repository}:{wanted}"
    # SageMaker runs amd64 and refuses OCI manifests, which attestations and BuildKit would write.
    docker(
        [
            *("build", "--platform", "linux/amd64", "--provenance=false"),
            *("--output", "type=docker,oci-mediatypes=false", "--tag", address, str(CONTEXT)),
        ],
        None,
    )
    answer = place.client("ecr").get_authorization_token()["authorizationData"][0]
    user, _, password = base64.b64decode(answer["authorizationToken"]).decode().partition(":")
    registry = repository.partition("/")[0]
    docker(["login", "--username", user, "--password-stdin", registry], password)
    try:
        docker(["push", address], None)
    finally:
        docker(["logout", registry], None)
    digest = pushed(place, wanted)
    if not digest:
        raise EndpointError(f"{address} was pushed, but ECR does not know it")
    return f"{repository}@{digest}"


def ensure_repository(place: Place) -> str:
    """Make the repository, or find it; return its address."""
    ecr = place.client("ecr")
    try:
        found = ecr.describe_repositories(repositoryNames=[place.name])["repositories"]
        return str(found[0]["repositoryUri"])
    except ClientError as error:
        if code_of(error) != "RepositoryNotFoundException":
            raise
    made = ecr.create_repository(
        repositoryName=place.name,
        imageTagMutability="IMMUTABLE",
        imageScanningConfiguration={"scanOnPush": True},
        tags=place.tag_list(),
    )
    print(f"repository {place.name}: created")
    return str(made["repository"]["repositoryUri"])


def pushed(place: Place, tag: str) -> str | None:
    """Return the digest of the image with this tag, None if there is none."""
    try:
        found = place.client("ecr").describe_images(
            repositoryName=place.name, imageIds=[{"imageTag": tag}]
        )
    except ClientError as error:
        if code_of(error) == "ImageNotFoundException":
            return None
        raise
    return str(found["imageDetails"][0]["imageDigest"])


def delete_repository(place: Place) -> None:
    """Delete the repository with its images, if these commands made it."""
    ecr = place.client("ecr")
    arn = place.arn("ecr", f"repository/{place.name}")
    try:
        tags = ecr.list_tags_for_resource(resourceArn=arn)["tags"]
        if not all(tag in tags for tag in place.tag_list()):
            print(f"repository {place.name}: kept, it was not made by create_endpoint")
            return
        ecr.delete_repository(repositoryName=place.name, force=True)
    except ClientError as error:
        if code_of(error) != "RepositoryNotFoundException":
            raise
        return
    print(f"repository {place.name}: deleted with its images")
