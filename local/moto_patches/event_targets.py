"""Patch: moto takes rules with targets that it cannot reach, and asks no target's policy.

Stock moto: PutTargets takes every ARN; functions and state machines are never called, and a queue
takes events that its policy does not let in.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.awslambda.models import lambda_backends
from moto.events.exceptions import ValidationException
from moto.events.models import EventsBackend, Rule, events_backends
from moto.logs.models import logs_backends
from moto.sqs.models import sqs_backends
from moto.stepfunctions.parser.models import stepfunctions_parser_backends

from local.lambdas.logs import LogSink
from local.moto_patches import lambda_events, permissions

Json = Any  # an event, a target: moto types them narrower than AWS does

AUDIT_STREAM = "announcements"
# Services, and how the resource of a target's ARN begins.
TARGETS = {
    "events": "event-bus/",
    "lambda": "function:",
    "logs": "log-group:",
    "sqs": "",
    "states": "stateMachine:",
}
# What changes an event on its way: the example consumers and the stack need none of them.
UNSUPPORTED = ("Input", "InputPath", "InputTransformer")


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse targets that events would not reach, until the context ends."""
    put = EventsBackend.put_targets

    def put_targets(
        self: EventsBackend, name: str, event_bus_arn: str | None, targets: list[Json]
    ) -> None:
        for target in targets:
            if reason := refusal(target):
                raise ValidationException(reason)
        put(self, name, event_bus_arn, targets)

    with patch.object(EventsBackend, "put_targets", put_targets):
        yield


def refusal(target: Json) -> str:
    """Return why a rule cannot have a target; empty if it can."""
    service, resource = [*target["Arn"].split(":", 5), "", "", ""][2:6:3]
    if service not in TARGETS or not resource.startswith(TARGETS[service]):
        return (
            f"The embedded EventBridge cannot deliver to {target['Arn']}: it delivers to Lambda"
            " functions, SQS queues, event buses, Step Functions state machines and log groups."
        )
    if changes := [name for name in UNSUPPORTED if name in target]:
        return (
            f"The embedded EventBridge delivers events unchanged: leave {changes[0]} of target"
            f" {target['Id']} out."
        )
    if service == "states" and not target.get("RoleArn"):
        return f"RoleArn is required for target {target['Arn']}."
    return ""


def send(rule: Rule, target: Json, event: Json, log: LogSink) -> None:
    """Deliver an event to a target of a kind that refusal() lets through.

    Raises PermissionError if the target's role, or the policy of the target itself, does not let
    the rule; moto's errors if the target does not exist.
    """
    arn = target["Arn"]
    service, resource = arn.split(":", 5)[2::3]
    document = json.dumps(event, ensure_ascii=False)
    place = rule.account_id, rule.region_name
    if service == "states":
        permissions.demand(target["RoleArn"], "states:StartExecution", arn)
        machines = stepfunctions_parser_backends[place[0]][place[1]]
        machines.start_execution(arn, str(uuid.uuid4()), document)
    elif service == "lambda":
        function = lambda_backends[place[0]][place[1]].get_function(arn)
        policy = {"Statement": function.policy.statements}
        _demand(rule, policy, "lambda:InvokeFunction", arn)
        lambda_events.accept(function, document.encode())
    elif service == "logs":
        _demand_log(rule, arn)
        group = resource.removeprefix("log-group:").removesuffix(":*")
        log(group, AUDIT_STREAM, [(int(time.time() * 1000), document)])
    elif service == "sqs":
        queues = sqs_backends[place[0]][place[1]]
        _demand(rule, queues.get_queue(resource).policy, "sqs:SendMessage", arn)
        group = target.get("SqsParameters", {}).get("MessageGroupId")
        queues.send_message(queue_name=resource, message_body=document, group_id=group)
    else:
        detail = json.dumps(event["detail"])
        entry = {"Source": event["source"], "DetailType": event["detail-type"], "Detail": detail}
        buses = events_backends[place[0]][place[1]]
        buses.put_events([entry | {"EventBusName": resource.removeprefix("event-bus/")}])


def _demand(rule: Rule, policy: Json, action: str, arn: str) -> None:
    if not permissions.lets_events(policy, action, arn, rule.arn):
        raise PermissionError(f"the policy of {arn} does not let {rule.arn} {action}")


def _demand_log(rule: Rule, arn: str) -> None:
    """Only the call that writes names its rule, not the one that makes the stream.

    https://github.com/aws-samples/serverless-patterns/pull/618
    """
    policies = logs_backends[rule.account_id][rule.region_name].describe_resource_policies()
    for action, source in (("logs:CreateLogStream", ""), ("logs:PutLogEvents", rule.arn)):
        stream = f"{arn.removesuffix(':*')}:log-stream:{AUDIT_STREAM}"
        if not any(
            permissions.lets_events(policy.policy_document, action, stream, source)
            for policy in policies
        ):
            raise PermissionError(f"no policy lets {rule.name} {action} on {arn}")
