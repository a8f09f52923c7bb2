"""Run executions in LocalStack's Step Functions engine, with what each task returns given.

    .verify/localstack-core-4.14.0/bin/python tests/verify/second_engine.py < request.json

stdin: {"definition": ASL, "cases": {NAME: {"input": {...}, "tasks": {STATE: [RESULT, ...]}}}};
a RESULT is {"Return": document} or {"Throw": {"Error": name, "Cause": text}}, one an attempt, as
in AWS's "mocked service integrations".
stdout: {NAME: {"status", "error", "cause", "events"}}; events as GetExecutionHistory gives them.

It needs the Python and the packages of its own folder in .verify/, and nothing of this project.
"""

import json
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MACHINE, ACCOUNT, REGION = "workflow", "123456789012", "us-east-1"
DEADLINE_S = 60
NOWHERE = "http://127.0.0.1:9"  # the discard port: nothing is told to anybody
TASK_LIMIT = 1_000  # events of a history


def mock_configuration(cases: dict[str, Any]) -> dict[str, Any]:
    """Return the engine's file of mocks. Source: AWS, "Testing with mocked integrations"."""
    return {
        "StateMachines": {
            MACHINE: {
                "TestCases": {
                    name: {state: f"{name}/{state}" for state in case["tasks"]}
                    for name, case in cases.items()
                }
            }
        },
        "MockedResponses": {
            f"{name}/{state}": {str(attempt): result for attempt, result in enumerate(results)}
            for name, case in cases.items()
            for state, results in case["tasks"].items()
        },
    }


def run(definition: str, cases: dict[str, Any]) -> dict[str, Any]:
    """Start every case, side by side, and return what became of each."""
    # What these modules do on import depends on the environment, which is complete by now.
    from localstack.aws.api import RequestContext
    from localstack.services.stepfunctions.asl.component.state.state_execution.state_task.service.state_task_service_dynamodb import (  # noqa: E501 - its own name
        StateTaskServiceDynamoDB,
    )
    from localstack.services.stepfunctions.backend.execution import Execution
    from localstack.services.stepfunctions.provider import StepFunctionsProvider
    from rolo import Request

    # There is no EventBridge beside it: each notice would wait for five refused connections.
    Execution.publish_execution_status_change_event = lambda _: None
    # It takes an error that is given for one that it does not know; the class above it does not.
    del StateTaskServiceDynamoDB._from_error
    context = RequestContext(Request())
    context.account_id, context.region, context.partition = ACCOUNT, REGION, "aws"
    engine = StepFunctionsProvider()
    request = {
        "name": MACHINE,
        "definition": definition,
        "roleArn": f"arn:aws:iam::{ACCOUNT}:role/workflow",
    }
    arn = engine.create_state_machine(context, request)["stateMachineArn"]
    started = {
        name: engine.start_execution(
            context, f"{arn}#{name}", name=name, input=json.dumps(case["input"])
        )["executionArn"]
        for name, case in cases.items()
    }
    deadline = time.monotonic() + DEADLINE_S
    return {name: ended(engine, context, one, deadline) for name, one in started.items()}


def ended(engine: Any, context: Any, arn: str, deadline: float) -> dict[str, Any]:
    """Wait for the end of an execution and return what is known of it."""
    while (told := engine.describe_execution(context, arn))["status"] == "RUNNING":
        if time.monotonic() > deadline:
            break
        time.sleep(0.05)
    history = engine.get_execution_history(context, arn, max_results=TASK_LIMIT)
    return {
        **{key: told.get(key) for key in ("status", "error", "cause")},
        "events": history["events"],
    }


def main() -> None:
    """Read the request, run it and print what became of it."""
    request = json.load(sys.stdin)
    answer, sys.stdout = sys.stdout, sys.stderr
    with tempfile.TemporaryDirectory() as folder:
        mocks = Path(folder) / "mocks.json"
        mocks.write_text(json.dumps(mock_configuration(request["cases"])))
        os.environ |= {
            "SFN_MOCK_CONFIG": str(mocks),
            "DISABLE_EVENTS": "1",
            "API_ENDPOINT": NOWHERE,
            "ANALYTICS_API": NOWHERE,
        }
        seen = run(request["definition"], request["cases"])
    json.dump(seen, answer, default=str)
    answer.flush()
    os._exit(0)  # the engine's threads are no daemons


if __name__ == "__main__":
    main()
