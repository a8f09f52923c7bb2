"""Known faults to plant in a copy of the application, and the judges that have to catch each."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import ROOT

TEMPLATE, DEFINITION = "template.yaml", "statemachine/classify_image.asl.json"
CLASSIFY = (
    "ENDPOINT_NAME: !Ref EndpointName }\n"
    "      LoggingConfig: { LogGroup: !Ref ClassifyLogGroup }\n"
    "      Policies:\n"
)


@dataclass(frozen=True)
class Fault:
    """A text to replace in a file, and who sees it."""

    id: str
    file: str
    right: str
    wrong: str
    caught_by: tuple[str, ...]

    def planted(self, folder: Path) -> Path:
        """Return a copy of the application, in the folder, with the fault in it."""
        path = copy_of_the_application(folder) / self.file
        text = path.read_text()
        if self.right not in text:
            raise ValueError(f"{self.file} has no {self.right!r} to make the fault {self.id} of")
        path.write_text(text.replace(self.right, self.wrong, 1))
        return folder


FOLDERS = ("functions", "statemachine", ".github", "events", "tests", "local", "ops", "model")


def copy_of_the_application(folder: Path) -> Path:
    """Copy what the judges look at into the folder and return it."""
    for name in (
        "functions",
        "statemachine",
        ".github",
        "events",
        "tests",
        "local",
        "ops",
        "model",
    ):
        ignored = shutil.ignore_patterns("__pycache__", "*.onnx")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("template.yaml", "samconfig.toml", "pyproject.toml"):
        shutil.copy(ROOT / name, folder)
    return folder


FAULTS = (
    Fault(
        "a-reference-to-nothing",
        TEMPLATE,
        "Queues: [!Ref UploadEventsDeadLetterQueue]",
        "Queues: [!Ref UploadEventsDeadLetterQueu]",
        ("cfn-lint + serverless rules",),
    ),
    Fault(
        "a-misspelt-policy-template",
        TEMPLATE,
        CLASSIFY,
        CLASSIFY + "        - S3ReadPolici: { BucketName: !Ref UploadBucket }\n",
        ("SAM translator",),
    ),
    Fault(
        "a-misspelt-event-type",
        TEMPLATE,
        "Type: EventBridgeRule",
        "Type: EventBridgeRul",
        ("SAM translator",),
    ),
    Fault(
        "an-action-that-does-not-exist",
        TEMPLATE,
        "Action: sagemaker:InvokeEndpoint",
        "Action: sagemaker:InvokeEndpoints",
        ("cfn-lint + serverless rules", "parliament"),
    ),
    Fault(
        "a-resource-of-another-service",
        TEMPLATE,
        "Action: dynamodb:UpdateItem\n              Resource: !GetAtt DecisionsTable.Arn",
        "Action: dynamodb:UpdateItem\n              Resource: !GetAtt UploadBucket.Arn",
        ("parliament",),
    ),
    Fault(
        "a-resource-of-every-kind",
        TEMPLATE,
        'Resource: !Sub "${UploadBucket.Arn}/${UploadPrefix}*"',
        'Resource: "*"',
        ("structure tests",),
    ),
    Fault(
        "a-property-that-does-not-exist",
        TEMPLATE,
        "PointInTimeRecoveryEnabled: true",
        "PointInTimeRecoveryEnable: true",
        ("cfn-lint + serverless rules", "sam validate --lint"),
    ),
    Fault(
        "a-public-bucket",
        TEMPLATE,
        "BlockPublicPolicy: true",
        "BlockPublicPolicy: false",
        ("checkov",),
    ),
    Fault(
        "a-dead-letter-queue-without-a-policy",
        TEMPLATE,
        'ArnEquals: { "aws:SourceArn": !GetAtt ImageWorkflowObjectCreated.Arn }',
        'ArnEquals: { "aws:SourceArn": !GetAtt AuditRule.Arn }',
        ("structure tests",),
    ),
    Fault(
        "a-substitution-that-is-not-given",
        TEMPLATE,
        "        DecisionsTableName: !Ref DecisionsTable\n",
        "",
        ("structure tests",),
    ),
    Fault(
        "a-next-state-that-does-not-exist",
        DEFINITION,
        '"Next": "Classify image"',
        '"Next": "Classify picture"',
        ("statelint", "asl-validator"),
    ),
    Fault(
        "a-state-that-nothing-leads-to",
        DEFINITION,
        '"Next": "Image superseded"',
        '"Next": "Image rejected"',
        ("statelint", "asl-validator"),
    ),
    Fault(
        "a-token-that-every-step-can-read",
        ".github/workflows/deploy.yml",
        "persist-credentials: false",
        "fetch-depth: 1",
        ("zizmor",),
    ),
    Fault(
        "an-error-that-no-code-raises",
        DEFINITION,
        '"EndpointUnavailable"',
        '"EndpointNotAvailable"',
        ("structure tests",),
    ),
    Fault(
        "a-path-that-is-no-path",
        DEFINITION,
        '"OutputPath": "$.Payload"',
        '"OutputPath": "Payload"',
        ("asl-validator",),
    ),
)
