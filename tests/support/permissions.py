"""Least privilege, proved: what every role may do beside what it did on every route.

python -m tests.support.permissions      write docs/permissions.md anew
"""

import contextlib
import fnmatch
import json
import re
import sys
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from unittest.mock import patch

from local.cloud import embedded_aws
from local.follow import Follower
from local.moto_patches import permissions
from local.moto_patches.permissions import Call, documents_of, policy_document
from tests.support.allowances import MANAGED, UNSEEN, WILDCARDS
from tests.support.backfill import BUCKET, INVENTORIES, ended, inventory, put, start
from tests.support.cloud import GRANTING, Stack
from tests.support.faults import FaultyContainer
from tests.support.project import ROOT
from tests.verify.application import Application

PAGE = ROOT / "docs" / "permissions.md"
IMAGES = ROOT / "events" / "images"
STACK = "permissions"

OPERATORS = "called by `python -m ops`: tests/ops/test_operator_policy.py"

INTRODUCTION = """# What each role may do, and did

Written by `python -m tests.support.permissions`: pictures go along every route of the workflow on
the embedded AWS, which refuses what a role's policies do not allow, and every call is recorded.
`used`: such a call was recorded. Else why no recorder can see one. No action is a wildcard; the
resources with one are listed in tests/support/allowances.py.

| role or policy | action, or AWS's own policy | resource | |
| --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Grant:
    """One action that a statement allows on one resource; seen: used, or why that is not seen."""

    role: str
    sid: str
    action: str
    resource: str
    seen: str


@dataclass(frozen=True)
class Proof:
    """The judgement of one stack.

    broken: a sentence for each grant that nothing uses or that is too wide, and each call that
    nothing grants.
    """

    grants: list[Grant]
    broken: list[str]


@contextlib.contextmanager
def recorded() -> Iterator[set[Call]]:
    """Record the calls of functions and state machines, as they are judged."""
    calls: set[Call] = set()
    permitted = permissions.permitted

    def recording(call: Call) -> bool:
        calls.add(call)
        return permitted(call)

    with patch.object(permissions, "permitted", recording):
        yield calls


def every_route(stack: Stack) -> None:
    """Send a picture along each route: accepted, review, rejected, gone, superseded, failed."""
    stack.aws.client("s3").create_bucket(Bucket=BUCKET)
    names = ("bicycle.png", "cat.jpg", "no-image.jpg")
    uploads = [stack.follower.upload((IMAGES / name).read_bytes(), name) for name in names]
    items = [stack.follower.outcome(upload.upload, patience_s=60) for upload in uploads]
    assert all(items)
    event = json.loads(items[0]["event"]["S"])  # type: ignore[index]
    absent = f"{uuid.uuid4()}.png"
    uploads_bucket = stack.outputs["UploadBucket"]
    for bucket, key, etag in (
        (uploads_bucket, absent, "0" * 32),
        (uploads_bucket, "bicycle.png", "1" * 32),  # older: superseded
        (BUCKET, absent, "0" * 32),
    ):
        event["detail"]["bucket"]["name"] = bucket
        event["detail"]["object"] |= {"key": f"{stack.outputs['UploadPrefix']}{key}", "etag": etag}
        stack.aws.client("stepfunctions").start_execution(
            stateMachineArn=stack.outputs["StateMachineArn"],
            name=str(uuid.uuid4()),
            input=json.dumps(event),
        )
        name = f"{bucket}/{stack.outputs['UploadPrefix']}{key}#{etag}"
        assert stack.follower.outcome(name, patience_s=60)
    stack.container.tell((400, "text/plain", b"no such model"))
    failed = stack.follower.upload((IMAGES / "car.png").read_bytes(), f"{uuid.uuid4()}.png")
    assert stack.follower.outcome(failed.upload, patience_s=60)
    every_backfill(stack, items[0]["upload"]["S"])  # type: ignore[index]


def every_backfill(stack: Stack, upload: str) -> None:
    """Backfill from each place that may be read, the last until its allowance is used up."""
    uploads = {"bucket": stack.outputs["UploadBucket"]}
    stack.aws.client("dynamodb").delete_item(
        TableName=stack.outputs["DecisionsTable"], Key={"upload": {"S": upload}}
    )
    prefix = put(stack, {"bicycle.png": (IMAGES / "bicycle.png").read_bytes()})
    listed = {"bucket": INVENTORIES, "key": inventory(stack, prefix)}
    runs = [
        start(stack, stack.outputs["UploadPrefix"], **uploads),
        start(stack, prefix, inventory=listed),
    ]
    for run in runs:
        assert ended(stack, run)["status"] == "SUCCEEDED"
    other = put(stack, {"bicycle.png": (IMAGES / "bicycle.png").read_bytes()})
    assert ended(stack, start(stack, other, allowance=0))["error"] == "AllowanceUsedUp"


def judged(stack: Stack, name: str, calls: set[Call]) -> Proof:
    """Hold the calls that were made against the policies of a stack's roles."""
    listed = stack.aws.client("cloudformation").get_paginator("list_stack_resources")
    resources = [
        resource
        for page in listed.paginate(StackName=name)
        for resource in page["StackResourceSummaries"]
    ]
    known = {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"] for resource in resources
    }
    known[name] = "STACK"
    roles = {
        resource["PhysicalResourceId"]: resource["LogicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::IAM::Role"
    }
    operators = [
        resource["PhysicalResourceId"]
        for resource in resources
        if resource["ResourceType"] == "AWS::IAM::ManagedPolicy"
    ]
    allowed = {role: list(_allowed(documents_of(role))) for role in roles}
    grants = [
        Grant(roles[role], sid, action, readable(arn, known), _seen(role, sid, action, arn, calls))
        for role, statements in allowed.items()
        for sid, action, arn in statements
    ]
    grants += [
        Grant(known[policy], sid, action, readable(arn, known), OPERATORS)
        for policy in operators
        for sid, action, arn in _allowed([policy_document(policy)])
    ]
    grants += managed()
    broken = [
        f"{known[call.role]} did {call.action} on {readable(call.resource, known)}: not allowed"
        for call in calls
        if call.role in roles
        and not any(_covers(call, action, arn) for _, action, arn in allowed[call.role])
    ]
    broken += [
        f"{grant.role} may {grant.action} on {grant.resource}, and never did"
        for grant in grants
        if not grant.seen
    ]
    broken += [
        f"{grant.role} may {grant.action} on {grant.resource}: wider than it has to be"
        for grant in grants
        if grant.sid
        and "*" in grant.resource
        and grant.resource not in WILDCARDS.get(grant.sid, ())
    ]
    return Proof(sorted(grants, key=_order), sorted(set(broken)))


def managed() -> list[Grant]:
    """Return AWS's own policies that SAM attaches, which moto does not know."""
    found = []
    for name, role in Application(ROOT).translated["Resources"].items():
        for arn in role.get("Properties", {}).get("ManagedPolicyArns", []):
            policy = arn.rsplit("/", 1)[-1]
            found.append(Grant(name, "", policy, "*", MANAGED.get((name, policy), "")))
    return found


def _order(grant: Grant) -> tuple[bool, str, str, str]:
    return (grant.seen == OPERATORS, grant.role, grant.action, grant.resource)


def _allowed(documents: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Yield the Sid, the action and the resource of everything that policies allow."""
    for document in documents:
        statements = json.loads(document)["Statement"]
        for statement in statements if isinstance(statements, list) else [statements]:
            assert statement["Effect"] == "Allow", "a Deny proves nothing here"
            for action in _listed(statement["Action"]):
                for resource in _listed(statement["Resource"]):
                    yield statement.get("Sid", "unnamed"), action, resource


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _covers(call: Call, action: str, resource: str) -> bool:
    # ARNs may hold brackets, which fnmatch would take for a set.
    return fnmatch.fnmatchcase(call.action, action) and fnmatch.fnmatchcase(
        call.resource, resource.replace("[", "[[]")
    )


def _seen(role: str, sid: str, action: str, resource: str, calls: set[Call]) -> str:
    if any(call.role == role and _covers(call, action, resource) for call in calls):
        return "used"
    actions, reason = UNSEEN.get(sid, ((), ""))
    return reason if action in actions else ""


def readable(arn: str, known: dict[str, str]) -> str:
    """Return an ARN by the template's names: what follows the account, or the bucket's own."""
    names = {_name(physical): logical for physical, logical in known.items()}
    every = "|".join(map(re.escape, sorted(names, key=len, reverse=True)))
    ends = r"(?![\w.]|-(?!\*))"  # what follows a name: nothing of a name, but "-*" of a pattern
    arn = re.sub(rf"(?<![\w.-])(?:{every}){ends}", lambda name: names[name[0]], arn)
    arn = re.sub("/stream/.*", "/stream/LABEL", arn)  # AWS labels a stream by its time
    return arn.split(":", 5)[-1]


def _name(physical: str) -> str:
    """Return the name in a physical id, which may be an ARN or a queue's URL."""
    if physical.startswith("arn:"):
        return re.split("[/:]", physical)[-1]
    return physical.rsplit("/", 1)[-1] if "://" in physical else physical


def page(proof: Proof) -> str:
    """Return docs/permissions.md."""
    rows = [f"| {g.role} | {g.action} | `{g.resource}` | {g.seen} |" for g in proof.grants]
    return "\n".join([INTRODUCTION, *rows, ""])


def main() -> int:
    """Record, judge and write the page; 1 if a promise is broken."""
    containers: list[FaultyContainer] = []

    def faulty(container: object) -> FaultyContainer:
        containers.append(FaultyContainer(container))
        return containers[0]

    with embedded_aws(container=faulty) as aws:
        outputs = aws.deploy(STACK, GRANTING)
        stack = Stack(aws, containers[0], outputs, Follower(aws, outputs))
        with recorded() as calls:
            every_route(stack)
        proof = judged(stack, STACK, calls)
    PAGE.write_text(page(proof))
    for sentence in proof.broken:
        print(sentence, file=sys.stderr)
    return 1 if proof.broken else 0


if __name__ == "__main__":
    sys.exit(main())
