"""Patch: moto's stack updates miss changes; on AWS a resource with other properties is updated.

Stock moto looks for changed parameters in Ref, not in Sub; what names a resource that has been
replaced keeps the old name; a type that it cannot update is forgotten, and here stays as it was
made (log groups, tables, managed policies); a role keeps its first policies; a failed change set
leaves the stack between two templates; RetainExceptOnCreate retains nothing.
"""

import contextlib
import json
import re
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.cloudformation import parsing
from moto.cloudformation.models import CloudFormationBackend, Stack
from moto.cloudformation.parsing import ResourceMap
from moto.iam.models import Role

Json = dict[str, Any]

REFERENCE = re.compile(r'"Ref": "(\w+)"|"Fn::GetAtt": \["(\w+)"|\$\{(\w+)')


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Update stacks as CloudFormation does, until the context ends."""
    diff = ResourceMap.build_resource_diff
    create, update = parsing.parse_and_create_resource, parsing.parse_and_update_resource
    delete, execute = Stack.delete, CloudFormationBackend.execute_change_set

    def build_resource_diff(self: ResourceMap, other_template: Json, parameters: Any = None) -> Any:
        actions = diff(self, other_template, parameters)
        if parameters is not None:  # an update; a change set only shows what it may do
            known = self._resource_json_map
            actions["Modify"] = [name for name in _in_order(other_template) if name in known]
        return actions

    def create_resource(
        logical_id: str, resource_json: Json, resources_map: ResourceMap, **where: Any
    ) -> Any:
        made: Any = create(logical_id, resource_json, resources_map, **where)
        if made is not None:
            made.resolved = _resolved(resource_json, resources_map)
        return made

    def update_resource(
        logical_id: str, resource_json: Json, resources_map: ResourceMap, **where: Any
    ) -> Any:
        original: Any = resources_map[logical_id]
        if original is None:  # its condition is false
            return None
        resolved = _resolved(resource_json, resources_map)
        if resolved == original.resolved:
            return original
        updated: Any = update(logical_id, resource_json, resources_map, **where) or original
        updated.resolved = resolved
        return updated

    def execute_change_set(
        self: CloudFormationBackend, change_set_name: str, stack_name: str | None = None
    ) -> None:
        change_set: Any = self.describe_change_set(change_set_name)
        parameters = change_set.stack.resource_map.input_parameters
        try:
            execute(self, change_set_name, stack_name)
        except Exception as error:
            change_set.execution_status = "EXECUTE_FAILED"
            _roll_back(change_set.stack, change_set.change_set_type, parameters, str(error))

    def delete_stack(self: Stack) -> None:
        for resource in self.resource_map._resource_json_map.values():
            if resource.get("DeletionPolicy") == "RetainExceptOnCreate":
                resource["DeletionPolicy"] = "Retain"
        delete(self)

    with (
        patch.object(ResourceMap, "build_resource_diff", build_resource_diff),
        patch.object(parsing, "parse_and_create_resource", create_resource),
        patch.object(parsing, "parse_and_update_resource", update_resource),
        patch.object(CloudFormationBackend, "execute_change_set", execute_change_set),
        patch.object(Stack, "delete", delete_stack),
        patch.object(Role, "update_from_cloudformation_json", staticmethod(_update_role)),
    ):
        yield


def _in_order(template: Json) -> list[str]:
    """Return the names of a template's resources, each after those that it refers to."""
    resources, ordered = template["Resources"], dict[str, None]()

    def visit(name: str, above: tuple[str, ...]) -> None:
        if name in resources and name not in ordered and name not in above:
            for groups in REFERENCE.findall(json.dumps(resources[name])):
                visit("".join(groups), (*above, name))
            ordered[name] = None

    for name in resources:
        visit(name, ())
    return list(ordered)


def _resolved(resource_json: Json, resources_map: ResourceMap) -> Any:
    """Return a resource's properties, resolved as they are now."""
    return parsing.clean_json(resource_json.get("Properties", {}), resources_map)


def _roll_back(stack: Stack, kind: str, parameters: Json, reason: str) -> None:
    """Undo what a change set has done; the stack's own template is still the one before."""
    status = "ROLLBACK" if kind == "CREATE" else "UPDATE_ROLLBACK"
    stack._add_stack_event(f"{status}_IN_PROGRESS", resource_status_reason=reason)
    if kind == "CREATE":
        stack.resource_map.delete()
    else:
        declared = stack.template_dict.get("Parameters", {}).items()
        defaults = {name: entry["Default"] for name, entry in declared if "Default" in entry}
        stack.resource_map.update(stack.template_dict, defaults | parameters)
    stack.status = f"{status}_COMPLETE"
    stack._add_stack_event(stack.status)


def _update_role(original_resource: Role, *, cloudformation_json: Json, **_: Any) -> Role:
    properties = cloudformation_json["Properties"]
    original_resource.assume_role_policy_document = json.dumps(
        properties["AssumeRolePolicyDocument"]
    )
    original_resource.policies = {
        policy["PolicyName"]: json.dumps(policy["PolicyDocument"])
        for policy in properties.get("Policies", [])
    }
    return original_resource
