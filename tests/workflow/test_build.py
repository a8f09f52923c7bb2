"""What the other tests of the workflow run is what AWS would: the output of `sam build`."""

import base64
import hashlib
from pathlib import Path

from local.packages import zipped
from tests.support.build import TEMPLATE
from tests.support.cloud import Stack
from tests.support.project import STEPS


def test_the_functions_of_these_tests_are_those_that_sam_build_made(
    stack: Stack, application: Path
) -> None:
    functions = stack.aws.client("lambda").list_functions()["Functions"]
    for step in STEPS:
        name = f"{step.title()}Function"
        package = hashlib.sha256(zipped(application / TEMPLATE.parent / name)).digest()
        kind = stack.outputs["WorkflowType"].lower()
        [deployed] = [
            function
            for function in functions
            if function["FunctionName"].startswith(f"test-{kind}-{name}-")
        ]
        assert deployed["CodeSha256"] == base64.b64encode(package).decode()
