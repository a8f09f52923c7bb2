"""Delete the stack: take away first what would hold it, and tell what it leaves.

    python -m ops teardown            shows what goes and what stays, then asks
    python -m ops teardown --data     the pictures and the ledger too
    python -m ops teardown --dry-run  shows it, changes nothing

CloudFormation deletes no policy that is attached to anybody, and no event bus with rules that are
not of the stack: `sam delete` alone ends as DELETE_FAILED. The policies are detached here. Rules
belong to somebody else, so they are only named. It is for whoever deploys, after DELETE_FAILED and
ROLLBACK_COMPLETE too; the stack's OperatorPolicy does not allow it. The packages that `sam deploy`
has uploaded stay, and so does the endpoint, which is billed until `model.delete_endpoint`.
"""

import argparse
import json
import re
import sys
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from typing import Any

from cli.arguments import add_deletion, add_json
from cli.errors import CommandError, code_of
from cli.terminal import Progress, confirmed, own_command
from ops.stack.outputs import Stack

LEDGER = "DecisionsTable"  # in the template
POLL_S = 5
PATIENCE_S = 1800  # a deletion takes minutes
# By ListEntitiesForPolicy: the field that names one of them, and the call that detaches it.
ATTACHED = {
    "PolicyUsers": ("UserName", "detach_user_policy"),
    "PolicyGroups": ("GroupName", "detach_group_policy"),
    "PolicyRoles": ("RoleName", "detach_role_policy"),
}


@dataclass(frozen=True)
class Attachment:
    """A policy of the stack that a user, a group or a role has. field: its name in IAM's calls."""

    policy: str
    field: str
    name: str
    detach: str

    def __str__(self) -> str:
        policy = self.policy.rsplit("/", 1)[-1]
        return f"{policy} from the {self.field.removesuffix('Name').lower()} {self.name}"


@dataclass(frozen=True)
class Remains:
    """What a stack's deletion meets. rules: of others, on its event buses."""

    attached: list[Attachment]
    rules: list[str]
    buckets: list[str]
    tables: list[str]

    def commands(self, region: str) -> list[str]:
        """Return what deletes the data by hand."""
        where = f" --region {region}"
        return [
            *(f"aws s3 rb s3://{name} --force{where}" for name in self.buckets),
            *(f"aws dynamodb delete-table --table-name {name}{where}" for name in self.tables),
        ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument(
        "--data", action="store_true", help="delete the upload bucket and the ledger too"
    )
    add_deletion(parser)
    add_json(parser, "what was done")


def run(arguments: argparse.Namespace) -> int:
    """Show, ask, detach, delete."""
    stack = Stack.of(arguments)
    found = described(stack)
    endpoint = endpoint_of(found)
    remains = remains_of(stack)
    say = partial(print, file=sys.stderr if arguments.json else sys.stdout)
    say(f"{stack.name} in {stack.region}, {found['StackStatus']}\n  deletes   the stack")
    for attachment in remains.attached:
        say(f"  detaches  {attachment}")
    kept = "deletes " if arguments.data else "keeps   "
    for name in remains.buckets:
        say(f"  {kept}  s3://{name}")
    for name in remains.tables:
        say(f"  {kept}  the table {name}")
    delete = own_command("model.delete_endpoint", "--name", endpoint)
    say(f"  keeps     the endpoint {endpoint}, which is billed until {delete}")
    if remains.rules:
        raise CommandError(
            f"{', '.join(remains.rules)}: others have put rules on the stack's event bus, and"
            " CloudFormation does not delete it with them: delete them, or the stacks that made"
            " them, first"
        )
    if arguments.dry_run:
        if arguments.json:
            print(json.dumps(as_dict(remains, arguments.data)))
        return 0
    what = "the stack, the pictures and the ledger" if arguments.data else "the stack"
    if not confirmed(f"Delete {what} for good?", arguments.yes):
        return 1
    iam = stack.client("iam")
    for attachment in remains.attached:
        whom = {attachment.field: attachment.name}
        getattr(iam, attachment.detach)(PolicyArn=attachment.policy, **whom)
    delete_stack(stack, found["StackId"])
    if arguments.data:
        delete_data(stack, remains)
    if arguments.json:
        print(json.dumps(as_dict(remains, arguments.data)))
    elif arguments.data or not (remains.buckets or remains.tables):
        print("deleted")
    else:
        print("deleted; the data stays until:", *remains.commands(stack.region), sep="\n  ")
    return 0


def described(stack: Stack) -> dict[str, Any]:
    """Return DescribeStacks of a stack, which need not be complete.

    Raises CommandError if there is none.
    """
    client = stack.client("cloudformation")
    try:
        [found] = client.describe_stacks(StackName=stack.name)["Stacks"]
    except client.exceptions.ClientError as error:
        if code_of(error) != "ValidationError":
            raise
        raise CommandError(
            f"there is no stack {stack.name} in {stack.region}: name one with --stack, or look in"
            " another --region"
        ) from error
    return dict(found)


def endpoint_of(found: dict[str, Any]) -> str:
    """Return the endpoint that a stack asks, by its parameters, which every state of it has.

    Raises CommandError if it is a stack of another template, which is not for us to delete.
    """
    parameters = {
        item["ParameterKey"]: str(item["ParameterValue"]) for item in found.get("Parameters", [])
    }
    if not {"EndpointName", "UploadPrefix", "WorkflowType"} <= set(parameters):
        raise CommandError(
            f"the stack {found['StackName']} has no parameters EndpointName, UploadPrefix and"
            " WorkflowType: it is not of template.yaml"
        )
    return parameters["EndpointName"]


def remains_of(stack: Stack) -> Remains:
    """Return what a deletion meets, by the stack's resources: it may have no Outputs any more."""
    by_type = stack.resources
    # A name, BUS|NAME or an ARN, as the rule's bus and the age of the stack have it.
    own = {re.split(r"[|/]", name)[-1] for name in by_type.get("AWS::Events::Rule", [])}
    return Remains(
        [
            attachment
            for policy in by_type.get("AWS::IAM::ManagedPolicy", [])
            for attachment in attachments(stack, policy)
        ],
        [
            f"{bus}/{rule}"
            for bus in by_type.get("AWS::Events::EventBus", [])
            for rule in rules(stack, bus)
            if rule not in own
        ],
        by_type.get("AWS::S3::Bucket", []),
        # Other tables go with the stack.
        [name for logical, (_, name) in stack.named.items() if logical == LEDGER],
    )


def attachments(stack: Stack, policy: str) -> list[Attachment]:
    """Return who has a policy. policy: its ARN."""
    pages = stack.client("iam").get_paginator("list_entities_for_policy")
    return [
        Attachment(policy, field, entity[field], detach)
        for page in pages.paginate(PolicyArn=policy)
        for kind, (field, detach) in ATTACHED.items()
        for entity in page.get(kind, [])
    ]


def rules(stack: Stack, bus: str) -> list[str]:
    """Return the names of the rules on an event bus."""
    pages = stack.client("events").get_paginator("list_rules").paginate(EventBusName=bus)
    return [str(rule["Name"]) for page in pages for rule in page["Rules"]]


def delete_stack(stack: Stack, stack_id: str) -> None:
    """Delete a stack and wait until it is gone.

    Raises CommandError with CloudFormation's reasons if something of it stays.
    """
    from botocore.exceptions import WaiterError

    client = stack.client("cloudformation")
    client.delete_stack(StackName=stack_id)
    waiting = {"Delay": POLL_S, "MaxAttempts": PATIENCE_S // POLL_S}
    with Progress() as progress:
        progress.tell(f"CloudFormation deletes {stack.name}")
        try:
            client.get_waiter("stack_delete_complete").wait(
                StackName=stack_id, WaiterConfig=waiting
            )
        except WaiterError as error:
            events = client.describe_stack_events(StackName=stack_id)["StackEvents"]
            now = takewhile(
                lambda event: (
                    (event["ResourceType"], event["ResourceStatus"])
                    != ("AWS::CloudFormation::Stack", "DELETE_IN_PROGRESS")
                ),
                events,
            )
            reasons = [
                f"{event['LogicalResourceId']}: {event.get('ResourceStatusReason', '')}"
                for event in now
                if event["ResourceStatus"] == "DELETE_FAILED"
                and event["ResourceType"] != "AWS::CloudFormation::Stack"
            ]
            raise CommandError(
                f"the stack {stack.name} is not gone: {'; '.join(reasons) or error}; remove the"
                f" cause, then {stack.command('teardown')}"
            ) from error


def delete_data(stack: Stack, remains: Remains) -> None:
    """Delete buckets with all versions of their objects, and tables.

    Raises CommandError with the commands for what is left: the stack no longer names it.
    """
    s3, dynamodb = stack.client("s3"), stack.client("dynamodb")
    try:
        with Progress() as progress:
            for bucket in remains.buckets:
                empty(s3, bucket, progress)
                s3.delete_bucket(Bucket=bucket)
        for table in remains.tables:
            dynamodb.delete_table(TableName=table)
    except (s3.exceptions.ClientError, CommandError) as error:
        left = "; ".join(remains.commands(stack.region))
        raise CommandError(f"the stack is deleted, the data is not: {error}; {left}") from error


def empty(s3: Any, bucket: str, progress: Progress) -> None:
    """Delete every object of a bucket, with its versions."""
    deleted = 0
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
        versions = [
            {"Key": version["Key"], "VersionId": version["VersionId"]}
            for version in page.get("Versions", []) + page.get("DeleteMarkers", [])
        ]
        if versions:
            answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": versions, "Quiet": True})
            for error in answer.get("Errors", []):
                raise CommandError(f"s3://{bucket}/{error['Key']}: {error['Message']}")
            deleted += len(versions)
            progress.tell(f"{deleted:,} objects of s3://{bucket} deleted")


def as_dict(remains: Remains, data: bool) -> dict[str, Any]:
    """Return what was done, or would be, for --json."""
    names = {"buckets": remains.buckets, "tables": remains.tables}
    nothing: dict[str, list[str]] = {"buckets": [], "tables": []}
    return {
        "detached": [
            {"policy": item.policy, "type": item.field.removesuffix("Name"), "name": item.name}
            for item in remains.attached
        ],
        "deleted": names if data else nothing,
        "kept": nothing if data else names,
    }
