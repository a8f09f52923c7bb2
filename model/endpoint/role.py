"""The roles that SageMaker takes to serve and to train, each with what it needs and no more."""

import json
from typing import Any

from botocore.exceptions import ClientError

from model.endpoint.place import Place, code_of

Document = dict[str, Any]


def statement(sid: str, actions: list[str], resource: str | list[str], **more: Any) -> Document:
    return {"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource} | more


def trust(place: Place) -> Document:
    """SageMaker may take the role, on behalf of this account and region alone."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"Service": "sagemaker.amazonaws.com"},
                "Action": "sts:AssumeRole",
                "Condition": {
                    "StringEquals": {"aws:SourceAccount": place.account},
                    "ArnLike": {"aws:SourceArn": place.arn("sagemaker", "*")},
                },
            }
        ],
    }


def common(place: Place, logs: str, repository: str) -> list[Document]:
    """Logs, metrics and the image; repository is an ARN."""
    group = place.arn("logs", f"log-group:{logs}")
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    write = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams"]
    # A namespace of SageMaker's own; PutMetricData and GetAuthorizationToken know no resource.
    spaces = {"StringLike": {"cloudwatch:namespace": ["AWS/SageMaker*", "/aws/sagemaker/*"]}}
    return [
        statement("WriteLogs", [*write, "logs:PutLogEvents"], [group, f"{group}:*"]),
        statement("WriteMetrics", ["cloudwatch:PutMetricData"], "*", Condition=spaces),
        statement("PullTheImage", pull, repository),
        statement("LogInToTheRegistry", ["ecr:GetAuthorizationToken"], "*"),
    ]


def serving(place: Place, image: str) -> Document:
    """What serves pictures reads its model and writes captures."""
    bucket = f"arn:{place.partition}:s3:::{place.bucket}"
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement("ReadTheModel", ["s3:GetObject"], f"{bucket}/models/*"),
            statement("WriteCaptures", ["s3:PutObject"], f"{bucket}/captures/*"),
            statement("FindTheBucket", ["s3:GetBucketLocation", "s3:ListBucket"], bucket),
            *common(place, f"/aws/sagemaker/Endpoints/{place.name}", repository_arn(place, image)),
        ],
    }


def training(place: Place, image: str, sources: list[str]) -> Document:
    """What trains reads the pictures under `sources` (s3:// addresses) and writes the model."""
    own = f"arn:{place.partition}:s3:::{place.bucket}"
    paths = [source.removeprefix("s3://").rstrip("/") for source in sources]
    read = [f"arn:{place.partition}:s3:::{path}/*" for path in paths]
    buckets = [f"arn:{place.partition}:s3:::{path.partition('/')[0]}" for path in paths]
    return {
        "Version": "2012-10-17",
        "Statement": [
            statement("ReadPictures", ["s3:GetObject"], sorted(set(read))),
            statement(
                "FindPictures",
                ["s3:GetBucketLocation", "s3:ListBucket"],
                sorted({own, *buckets}),
            ),
            statement(
                "SourcesAndCheckpoints",
                ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"],
                f"{own}/training/*",
            ),
            statement("WriteTheModel", ["s3:PutObject"], f"{own}/models/*"),
            *common(place, "/aws/sagemaker/TrainingJobs", repository_arn(place, image)),
        ],
    }


def repository_arn(place: Place, image: str) -> str:
    """Return the ARN of the repository of an image ACCOUNT.dkr.ecr.REGION.../NAME[:TAG|@DIGEST]."""
    registry, _, path = image.partition("/")
    account, region = registry.split(".")[0], registry.split(".")[3]
    name = path.split("@")[0].split(":")[0]
    return f"arn:{place.partition}:ecr:{region}:{account}:repository/{name}"


def ensure_role(place: Place, kind: str, document: Document) -> str:
    """Make the role, or find it, with this policy alone; return its ARN."""
    iam, name = place.client("iam"), place.role(kind)
    try:
        arn = iam.get_role(RoleName=name)["Role"]["Arn"]
        iam.update_assume_role_policy(RoleName=name, PolicyDocument=json.dumps(trust(place)))
    except ClientError as error:
        if code_of(error) != "NoSuchEntity":
            raise
        arn = iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps(trust(place)),
            Description=f"SageMaker, {kind} of the endpoint {place.name}",
            Tags=place.tag_list(),
        )["Role"]["Arn"]
        print(f"role {name}: created")
    iam.put_role_policy(RoleName=name, PolicyName=kind, PolicyDocument=json.dumps(document))
    return str(arn)


def delete_role(place: Place, kind: str) -> None:
    iam, name = place.client("iam"), place.role(kind)
    try:
        policies = iam.list_role_policies(RoleName=name)["PolicyNames"]
    except ClientError as error:
        if code_of(error) == "NoSuchEntity":
            return
        raise
    for policy in policies:
        iam.delete_role_policy(RoleName=name, PolicyName=policy)
    iam.delete_role(RoleName=name)
    print(f"role {name}: deleted")
