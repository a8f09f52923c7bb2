"""Patch: moto deletes a stack whatever holds on to it, and leaves its managed policies behind.

On AWS a policy that is attached to anybody is not deleted, nor is an event bus with a rule that is
not of the stack: the stack is DELETE_FAILED. There all else is gone by then; here it stays.
"""

import contextlib
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.cloudformation.models import CloudFormationBackend, Event, Stack
from moto.events.models import EventBus, Rule
from moto.iam.models import ManagedPolicy, iam_backends


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse to delete what AWS does not delete, until the context ends."""
    delete = CloudFormationBackend.delete_stack

    def delete_stack(self: CloudFormationBackend, name_or_stack_id: str) -> None:
        stack = self.stacks.get(name_or_stack_id)
        if stack is None:  # by its name: moto looks for the id and comes again
            delete(self, name_or_stack_id)
            return
        held = dict(_held(stack))
        if held:
            _fail(stack, held)
            return
        resources: list[Any] = list(stack.stack_resources)
        policies = [found.arn for found in resources if isinstance(found, ManagedPolicy)]
        delete(self, name_or_stack_id)
        for arn in policies:
            del iam_backends[self.account_id]["aws"].managed_policies[arn]

    with patch.object(CloudFormationBackend, "delete_stack", delete_stack):
        yield


def _held(stack: Stack) -> Iterator[tuple[str, str]]:
    """Yield the logical names of what cannot be deleted, and AWS's words."""
    resources: dict[str, Any] = dict(stack.resource_map.items())
    own = {resource.name for resource in resources.values() if isinstance(resource, Rule)}
    for name, resource in resources.items():
        if isinstance(resource, ManagedPolicy) and resource.attachment_count:
            yield name, "Cannot delete a policy attached to entities."
        if isinstance(resource, EventBus) and set(resource.rules) - own:
            yield name, "EventBus can't be deleted since it has rules."


def _fail(stack: Stack, held: dict[str, str]) -> None:
    stack._add_stack_event("DELETE_IN_PROGRESS", resource_status_reason="User Initiated")
    for name, reason in held.items():
        resource: Any = stack.resource_map[name]
        stack.events.append(
            Event(
                stack.stack_id,
                stack.name,
                name,
                resource.physical_resource_id,
                resource.cloudformation_type(),
                "DELETE_FAILED",
                reason,
                None,
            )
        )
    stack.status = "DELETE_FAILED"
    stack._add_stack_event(
        "DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(held)}]."
    )
