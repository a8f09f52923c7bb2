"""Known faults to plant in a copy of the application, and the checks that have to catch each."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.support.project import ROOT

TEMPLATE, DEFINITION = "template.yaml", "statemachine/classify_image.asl.json"
ENDPOINT = "model/endpoint/template.yaml"
DEPLOY_ROLE = ".github/deploy-role.yaml"
FOLDERS = (
    *("functions", "statemachine", ".github", "events", "tests"),
    *("cli", "local", "ops", "model", "locks", "examples"),
)
FILES = ("template.yaml", "samconfig.toml", "pyproject.toml")


@dataclass(frozen=True)
class Fault:
    """A text to replace in a file. caught_by: a text in the finding, by the check that finds it."""

    id: str
    file: str
    right: str
    wrong: str
    caught_by: dict[str, str]

    def planted(self, folder: Path) -> Path:
        """Return a copy of the application, in the folder, with the fault in it."""
        path = copy_of_the_application(folder) / self.file
        text = path.read_text()
        if self.right not in text:
            raise ValueError(f"{self.file} has no {self.right!r} to make the fault {self.id} of")
        path.write_text(text.replace(self.right, self.wrong, 1))
        return folder


def copy_of_the_application(folder: Path) -> Path:
    """Copy what the checks look at into the folder and return it."""
    for name in FOLDERS:
        ignored = shutil.ignore_patterns("__pycache__", "*.onnx")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    return folder


def declaration(name: str) -> str:
    """Return the lines that declare a resource of template.yaml."""
    text = (ROOT / TEMPLATE).read_text()
    found = re.search(rf"^  {name}:\n(?:    .*\n|\n)+", text, re.MULTILINE)
    assert found is not None, name
    return found[0]


STRUCTURE, LINT = "structure tests", "cfn-lint + serverless rules"
FAULTS = (
    Fault(
        "an-example-s-reference-to-nothing",
        "examples/consumer-on-sqs.yaml",
        "Queues: [!Ref Queue]",
        "Queues: [!Ref Queu]",
        {LINT: "'Queu' is not one of"},
    ),
    Fault(
        "a-reference-to-nothing",
        TEMPLATE,
        "Queues: [!Ref UploadEventsDeadLetterQueue]",
        "Queues: [!Ref UploadEventsDeadLetterQueu]",
        {LINT: "'UploadEventsDeadLetterQueu' is not one of"},
    ),
    Fault(
        "a-misspelt-policy-template",
        TEMPLATE,
        '      Policies:\n        - Version: "2012-10-17"\n',
        "      Policies:\n        - S3ReadPolici: { BucketName: !Ref UploadBucket }\n"
        '        - Version: "2012-10-17"\n',
        {"SAM translator": "Policy at index 0 in the 'Policies' property is not valid"},
    ),
    Fault(
        "a-misspelt-event-type",
        TEMPLATE,
        "Type: EventBridgeRule",
        "Type: EventBridgeRul",
        {"SAM translator": "Event Type is: EventBridgeRul."},
    ),
    Fault(
        "an-action-that-does-not-exist",
        TEMPLATE,
        "Action: sagemaker:InvokeEndpoint",
        "Action: sagemaker:InvokeEndpoints",
        {
            LINT: "'invokeendpoints' is not one of",
            "parliament": "Unknown action sagemaker:InvokeEndpoints",
        },
    ),
    Fault(
        "an-action-of-a-log-group-s-policy-that-does-not-exist",
        TEMPLATE,
        '"Action": "logs:PutLogEvents"',
        '"Action": "logs:PutLogEventz"',
        {
            STRUCTURE: "test_the_audit_rule_may_make_streams",
            "parliament": "AuditLogPolicy: Unknown action Unknown action logs:PutLogEventz",
        },
    ),
    Fault(
        "an-action-of-the-endpoint-s-role-that-does-not-exist",
        ENDPOINT,
        "ecr:BatchGetImage,",
        "ecr:BatchGetImages,",
        {
            LINT: "'batchgetimages' is not one of",
            "parliament": "ServingRole/serving: Unknown action Unknown action ecr:BatchGetImages",
        },
    ),
    Fault(
        "an-endpoint-configuration-with-a-property-that-does-not-exist",
        ENDPOINT,
        "InitialSamplingPercentage",
        "SamplingPercentage",
        {LINT: "'SamplingPercentage' was unexpected"},
    ),
    Fault(
        "a-public-bucket-of-captures",
        ENDPOINT,
        "BlockPublicPolicy: true",
        "BlockPublicPolicy: false",
        {"checkov": "CKV_AWS_54 AWS::S3::Bucket.Bucket"},
    ),
    Fault(
        "a-resource-of-another-service",
        TEMPLATE,
        "Action: dynamodb:UpdateItem\n              Resource: !GetAtt DecisionsTable.Arn",
        "Action: dynamodb:UpdateItem\n              Resource: !GetAtt UploadBucket.Arn",
        {"parliament": "RESOURCE_MISMATCH ImageWorkflowRole/"},
    ),
    Fault(
        "a-resource-of-another-service-for-the-deploy-role",
        DEPLOY_ROLE,
        "Action: [s3:GetObject, s3:PutObject]",
        "Action: [s3:GetObject, s3:PutObject, sqs:SendMessage]",
        {"parliament": "RESOURCE_MISMATCH DeployRole/Deploy"},
    ),
    Fault(
        "an-action-without-resources-on-the-stack-s-own-alone",
        DEPLOY_ROLE,
        "                  - cloudwatch:*\n",
        "                  - cloudwatch:*\n                  - logs:DescribeQueries\n",
        {"parliament": "RESOURCE_MISMATCH CloudFormationRole/MakeStack"},
    ),
    Fault(
        "a-resource-of-every-kind",
        TEMPLATE,
        'Resource: !Sub "${UploadBucket.Arn}/${UploadPrefix}*"',
        'Resource: "*"',
        {STRUCTURE: "test_every_resource_with_a_wildcard"},
    ),
    Fault(
        "every-bucket",
        TEMPLATE,
        'Resource: !Sub "${UploadBucket.Arn}/${UploadPrefix}*"',
        "Resource: arn:aws:s3:::*",
        {STRUCTURE: "test_every_resource_with_a_wildcard"},
    ),
    Fault(
        "every-function",
        TEMPLATE,
        "              Resource:\n                - !GetAtt SerializeFunction.Arn\n",
        "              Resource:\n"
        "                - !Sub arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:*\n",
        {STRUCTURE: "test_every_resource_with_a_wildcard"},
    ),
    Fault(
        "a-property-that-does-not-exist",
        TEMPLATE,
        "PointInTimeRecoveryEnabled: true",
        "PointInTimeRecoveryEnable: true",
        {
            LINT: "'PointInTimeRecoveryEnable' was unexpected",
            "sam validate --lint": "'PointInTimeRecoveryEnable' was unexpected",
        },
    ),
    Fault(
        "a-public-bucket",
        TEMPLATE,
        "BlockPublicPolicy: true",
        "BlockPublicPolicy: false",
        {"checkov": "CKV_AWS_54 AWS::S3::Bucket.UploadBucket"},
    ),
    Fault(
        "a-bucket-that-sends-no-events",
        TEMPLATE,
        "EventBridgeEnabled: true",
        "EventBridgeEnabled: false",
        {STRUCTURE: "test_the_bucket_of_uploads_tells_eventbridge"},
    ),
    Fault(
        "a-dead-letter-queue-with-another-s-policy",
        TEMPLATE,
        'ArnEquals: { "aws:SourceArn": !GetAtt ImageWorkflowUpload.Arn }',
        'ArnEquals: { "aws:SourceArn": !GetAtt AuditRule.Arn }',
        {STRUCTURE: "test_every_rule_may_send_to_its_dead_letter_queue[ImageWorkflow"},
    ),
    Fault(
        "a-dead-letter-queue-without-a-policy",
        TEMPLATE,
        declaration("UploadEventsDeadLetterQueuePolicy"),
        "",
        {STRUCTURE: "test_every_rule_may_send_to_its_dead_letter_queue[ImageWorkflow"},
    ),
    Fault(
        "an-audit-log-without-a-policy",
        TEMPLATE,
        declaration("AuditLogPolicy"),
        "",
        {STRUCTURE: "test_the_audit_rule_may_make_streams"},
    ),
    Fault(
        "a-pipe-that-cannot-keep-dead-letters",
        TEMPLATE,
        "              - Sid: KeepDeadLetters\n"
        "                Effect: Allow\n"
        "                Action: sqs:SendMessage\n"
        "                Resource: !GetAtt AnnouncementsDeadLetterQueue.Arn\n",
        "",
        {STRUCTURE: "test_the_pipe_may_do_what_aws_asks_for"},
    ),
    Fault(
        "a-filter-that-is-no-json",
        TEMPLATE,
        """Pattern: '{"eventName": ["INSERT", "MODIFY"],""",
        """Pattern: '{"eventName": ["INSERT", "MODIFY",""",
        {STRUCTURE: "test_the_pipe_s_filters_are_event_patterns"},
    ),
    Fault(
        "a-substitution-that-is-not-given",
        TEMPLATE,
        "        DecisionsTableName: !Ref DecisionsTable\n",
        "",
        {STRUCTURE: "test_every_substitution_of_the_state_machine_is_given"},
    ),
    Fault(
        "a-next-state-that-does-not-exist",
        DEFINITION,
        '"Next": "Classify image"',
        '"Next": "Classify picture"',
        {
            "statelint": 'No state found named "Classify picture"',
            "asl-validator": "target: Classify picture",
        },
    ),
    Fault(
        "a-state-that-nothing-leads-to",
        DEFINITION,
        '"Next": "Image superseded"',
        '"Next": "Image rejected"',
        {
            "statelint": "No transition found to state State Machine.Image superseded",
            "asl-validator": "State Image superseded is not reachable",
        },
    ),
    Fault(
        "a-token-that-every-step-can-read",
        ".github/workflows/deploy.yml",
        "persist-credentials: false",
        "fetch-depth: 1",
        {"zizmor": "artipacked"},
    ),
    Fault(
        "an-error-that-no-code-raises",
        DEFINITION,
        '"EndpointUnavailable"',
        '"EndpointNotAvailable"',
        {STRUCTURE: "test_every_error_the_state_machine_names_exists"},
    ),
    Fault(
        "a-path-that-is-no-path",
        DEFINITION,
        '"OutputPath": "$.Payload"',
        '"OutputPath": "Payload"',
        {"asl-validator": "/States/Serialize image/OutputPath is invalid"},
    ),
)
