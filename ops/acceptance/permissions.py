"""The operator policy, tried: each call that `python -m ops` makes, with that policy's identity.

A role that has this policy alone is made, assumed and removed.
"""

import json
import secrets
from collections.abc import Callable
from typing import Any

from cli.errors import DENIED, aws_errors, code_of, explained
from ops.acceptance.rows import DIFFERS, GOOD, NotChecked, Row
from ops.acceptance.run import Run
from ops.acceptance.trials import trials

ASSUMED_S, ALLOWED_S = 90, 90  # IAM is eventually consistent
SESSION_S = 900  # the shortest that STS gives


def operator_policy(run: Run) -> Row:
    """Call everything that the operator policy has to allow."""
    policy = run.stack.outputs["OperatorPolicyArn"]
    left = dict(trials(run, run.stack.as_role(_credentials(run, policy))))
    count, reasons = len(left), dict[str, str]()

    def all_allowed() -> bool:
        for action, call in list(left.items()):
            if reason := refusal(call):
                reasons[action] = reason
            else:
                del left[action]
        return not left

    run.until(all_allowed, "the operator's permissions", ALLOWED_S)
    return Row(
        "operator policy",
        f"denied: {', '.join(left)}" if left else f"{count} calls work",
        f"{count} calls work",
        DIFFERS if left else GOOD,
        where=f"{policy}; {next(iter(reasons.values()), '')}" if left else policy,
        change="OperatorPolicy in template.yaml" if left else "",
    )


def _credentials(run: Run, policy: str) -> dict[str, str]:
    """Make a role with the operator policy, which goes with the run; return its credentials.

    policy: its ARN. Raises NotChecked where no role can be made or assumed.
    """
    iam, sts = run.stack.client("iam"), run.stack.client("sts")
    partition = run.stack.state_machine_arn.split(":")[1]
    secret = secrets.token_hex(16)  # nobody else of the account assumes it
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{run.stack.account}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": secret}},
    }
    document = json.dumps({"Version": "2012-10-17", "Statement": [statement]})
    try:
        role = iam.create_role(
            RoleName=run.name,
            AssumeRolePolicyDocument=document,
            Description=f"Tries the operator policy of {run.stack.name}; delete it if it is old.",
        )["Role"]
        run.remove_later(f"role {run.name}", lambda: iam.delete_role(RoleName=run.name))
        iam.attach_role_policy(RoleName=run.name, PolicyArn=policy)
        run.remove_later(
            f"policy of role {run.name}",
            lambda: iam.detach_role_policy(RoleName=run.name, PolicyArn=policy),
        )
    except aws_errors() as error:
        raise NotChecked(f"no role could be made to try it with: {explained(error)}") from error
    refused: list[Exception] = []

    def assumed() -> dict[str, str] | None:
        try:
            answer = sts.assume_role(
                RoleArn=role["Arn"],
                RoleSessionName=run.name,
                ExternalId=secret,
                DurationSeconds=SESSION_S,
            )
        except aws_errors() as error:
            refused.append(error)
            return None
        found: dict[str, str] = answer["Credentials"]
        return found

    found = run.until(assumed, "the role", ASSUMED_S)
    if found is None:
        raise NotChecked(f"the role could not be assumed: {explained(refused[-1])}")
    return found


def refusal(call: Callable[[], Any]) -> str:
    """Return why a call is not allowed; empty if it is, whatever else is said against it."""
    from botocore.exceptions import ClientError

    try:
        call()
    except ClientError as error:
        if code_of(error) in DENIED:
            return explained(error)
    return ""
