"""Least privilege, proved: what every role may do beside what it did on every route.

python -m tests.support.permissions      write docs/permissions.md anew
"""

import contextlib
import fnmatch
import json
import re
import sys
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from local.cloud import embedded_aws
from local.follow import Follower
from local.seams import permissions
from local.seams.permissions import Call, documents_of
from tests.conftest import Stack
from tests.support.faults import FaultyContainer
from tests.support.project import ROOT
from tests.verify.application import Application

PAGE = ROOT / "docs" / "permissions.md"
IMAGES = ROOT / "events" / "images"
STACK = "permissions"

DELIVERY = "Step Functions sets up its log delivery; these actions have no resources"
PIPE = "the pipe itself moves the table's stream; the embedded AWS does so within one process"
RULE = "EventBridge itself starts executions; the embedded AWS does so within one process"

# AWS's own policies, which SAM attaches: the services themselves log and trace for a role.
MANAGED = {
    "AWSLambdaBasicExecutionRole": "Lambda writes a function's log",
    "AWSXRayDaemonWriteAccess": "traces are sent; X-Ray has no resources",
    "AWSXrayWriteOnlyAccess": "traces are sent; X-Ray has no resources",
}

# What no recorder of calls can see, by role and action; fnmatch patterns, the first one counts.
UNSEEN = {
    ("ImageWorkflowRole", "logs:*"): DELIVERY,
    ("AnnouncementPipeRole", "*"): PIPE,
    ("ImageWorkflowObjectCreatedRole", "states:StartExecution"): RULE,
}


INTRODUCTION = """# What each role may do, and did

Written by `python -m tests.support.permissions`: pictures go along every route of the workflow on
the embedded AWS, which refuses what a role's policies do not allow, and every call is recorded.
`used`: such a call was recorded. Else why no recorder can see one.

| role | action, or AWS's own policy | resource | |
| --- | --- | --- | --- |"""


@dataclass(frozen=True)
class Grant:
    """One action that a role is allowed on one resource; seen: on which, or why on none."""

    role: str
    action: str
    resource: str
    seen: str


@dataclass(frozen=True)
class Proof:
    """The judgement of one stack. broken: a sentence for each grant unused or call not granted."""

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
    names = ("bicycle.png", "cat.jpg", "no-image.jpg")
    uploads = [stack.follower.upload((IMAGES / name).read_bytes(), name) for name in names]
    items = [stack.follower.outcome(each.upload, patience_s=60) for each in uploads]
    assert all(items)
    event = json.loads(items[0]["event"]["S"])  # type: ignore[index]
    for key, etag in (("gone.png", "0" * 32), ("bicycle.png", "1" * 32)):  # older: superseded
        event["detail"]["object"] |= {"key": f"{stack.outputs['UploadPrefix']}{key}", "etag": etag}
        stack.aws.client("stepfunctions").start_execution(
            stateMachineArn=stack.outputs["StateMachineArn"],
            name=str(uuid.uuid4()),
            input=json.dumps(event),
        )
        bucket = stack.outputs["UploadBucket"]
        name = f"{bucket}/{stack.outputs['UploadPrefix']}{key}#{etag}"
        assert stack.follower.outcome(name, patience_s=60)
    stack.container.tell((400, "text/plain", b"no such model"))
    failed = stack.follower.upload((IMAGES / "car.png").read_bytes(), f"{uuid.uuid4()}.png")
    assert stack.follower.outcome(failed.upload, patience_s=60)


def judged(stack: Stack, name: str, calls: set[Call]) -> Proof:
    """Hold the calls that were made against the policies of a stack's roles."""
    listed = stack.aws.client("cloudformation").get_paginator("list_stack_resources")
    resources = [
        each for page in listed.paginate(StackName=name) for each in page["StackResourceSummaries"]
    ]
    known = {each["PhysicalResourceId"]: each["LogicalResourceId"] for each in resources}
    roles = [
        each["PhysicalResourceId"] for each in resources if each["ResourceType"].endswith("Role")
    ]
    grants, unused = [], []
    allowed: dict[str, list[tuple[str, str]]] = {
        role: [pair for document in documents_of(role) for pair in _pairs(json.loads(document))]
        for role in roles
    }
    for role in sorted(roles, key=lambda each: known[each]):
        for action, resource in sorted(set(allowed[role])):
            seen = _seen(known[role], role, action, resource, calls)
            told = Grant(known[role], action, readable(resource, known), seen)
            grants.append(told)
            if not seen:
                unused.append(f"{told.role} may {action} on {told.resource}, and never did")
    broken = [
        f"{known[call.role]} did {call.action} on {readable(call.resource, known)}: not allowed"
        for call in calls
        if call.role in roles and not any(_covers(call, *pair) for pair in allowed[call.role])
    ]
    attached = list(managed())
    broken += [f"{each.role} has {each.action}: unknown" for each in attached if not each.seen]
    return Proof([*grants, *attached], sorted({*unused, *broken}))


def managed() -> Iterator[Grant]:
    """Yield AWS's own policies that SAM attaches, which moto does not know."""
    for name, role in Application(ROOT).translated["Resources"].items():
        for arn in role.get("Properties", {}).get("ManagedPolicyArns", []):
            policy = arn.rsplit("/", 1)[-1]
            yield Grant(name, policy, "*", MANAGED.get(policy, ""))


def _pairs(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    statements = document["Statement"]
    for statement in statements if isinstance(statements, list) else [statements]:
        assert statement["Effect"] == "Allow", "a Deny proves nothing here"
        for action in _listed(statement["Action"]):
            for resource in _listed(statement["Resource"]):
                yield action, resource


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _covers(call: Call, action: str, resource: str) -> bool:
    # ARNs may hold brackets, which fnmatch would take for a set.
    return fnmatch.fnmatchcase(call.action, action) and fnmatch.fnmatchcase(
        call.resource, resource.replace("[", "[[]")
    )


def _seen(logical: str, role: str, action: str, resource: str, calls: set[Call]) -> str:
    if any(call.role == role and _covers(call, action, resource) for call in calls):
        return "used"
    for (of, doing), reason in UNSEEN.items():
        if fnmatch.fnmatchcase(logical, of) and fnmatch.fnmatchcase(action, doing):
            return reason
    return ""


def readable(arn: str, known: dict[str, str]) -> str:
    """Return an ARN by the template's names: what follows the account, or the bucket's own."""
    for physical in sorted(known, key=len, reverse=True):
        arn = arn.replace(re.split("[/:]", physical)[-1], known[physical])
    arn = re.sub("/stream/.*", "/stream/*", arn)  # AWS labels a stream by its time
    return arn.split(":", 5)[-1]


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
        outputs = aws.deploy(STACK)
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
