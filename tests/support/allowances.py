"""What a policy may hold although no call proves it: by statement, each with AWS's reason.

A statement is named by its Sid, a resource as docs/permissions.md names it.
"""

DELIVERY = "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"
LAMBDA_LOGS = "https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs.html"
TRACES = "https://docs.aws.amazon.com/lambda/latest/dg/services-xray.html"
SAMPLING = "https://docs.aws.amazon.com/step-functions/latest/dg/xray-iam.html"
RESULTS = "https://docs.aws.amazon.com/step-functions/latest/dg/input-output-resultwriter.html"
CHILDREN = "https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html"
PIPES = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-pipes-permissions.html"

# Actions of services in a role's name, which no recorder sees.
UNSEEN: dict[str, tuple[set[str], str]] = {
    "DeliverLogs": (
        {
            "logs:CreateLogDelivery",
            "logs:DeleteLogDelivery",
            "logs:DescribeLogGroups",
            "logs:DescribeResourcePolicies",
            "logs:GetLogDelivery",
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:UpdateLogDelivery",
        },
        f"[Step Functions sets up its log delivery]({DELIVERY}); no resources",
    ),
    "WriteLog": (
        {"logs:CreateLogStream", "logs:PutLogEvents"},
        f"[Lambda writes the function's log]({LAMBDA_LOGS})",
    ),
    "SendTraces": (
        {"xray:PutTelemetryRecords", "xray:PutTraceSegments"},
        f"[Step Functions and Lambda send traces]({TRACES}); no resources",
    ),
    "SampleTraces": (
        {"xray:GetSamplingRules", "xray:GetSamplingTargets"},
        f"[Step Functions asks which executions to trace]({SAMPLING}); no resources",
    ),
    "WriteResults": (
        {"s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"},
        f"[Step Functions writes large results in parts]({RESULTS})",
    ),
    "FollowChildren": (
        {"states:DescribeExecution"},
        f"[a Distributed Map follows its children]({CHILDREN})",
    ),
    "ReadStream": (
        {"dynamodb:DescribeStream", "dynamodb:GetShardIterator", "dynamodb:ListStreams"},
        f"[the pipe finds its place in the stream]({PIPES})",
    ),
    "KeepDeadLetters": (
        {"sqs:SendMessage"},
        f"[the pipe keeps what the bus refuses]({PIPES})",
    ),
}

# AWS's own policies, which SAM attaches.
MANAGED: dict[tuple[str, str], str] = {}

# Every resource with a wildcard; what is not here is wider than it has to be.
WILDCARDS: dict[str, set[str]] = {
    "DeliverLogs": {"*"},
    "SendTraces": {"*"},
    "SampleTraces": {"*"},
    "WriteLog": {
        "log-group:SerializeLogGroup:*",
        "log-group:ClassifyLogGroup:*",
        "log-group:FilterLogGroup:*",
    },
    "ReadUploads": {"UploadBucket/uploads/*"},
    "LookAtUploads": {"UploadBucket/uploads/*"},
    "WriteResults": {"UploadBucket/backfills/*"},
    "EndRun": {"execution:BackfillWorkflow:*"},
    "FollowChildren": {"execution:BackfillWorkflow:*"},
    "ReadBackfillBucket": {"photos/*"},  # tests/support/cloud.py names the buckets
    "ReadInventories": {"inventories/*"},
    # of OperatorPolicy and ViewerPolicy
    "FindStack": {"stack/STACK/*"},  # AWS ends it with an id
    "SeeExecutions": {"execution:ImageWorkflow:*"},
    "ReadAuditLog": {"log-group:AuditLogGroup:*"},  # its streams
    "SeeAlarms": {"alarm:STACK-*"},  # CloudFormation names them so, and adds letters
    "WatchAndStopBackfills": {"execution:BackfillWorkflow:*"},
    "WatchBackfills": {"execution:BackfillWorkflow:*"},
    "CountChildrenOfBackfills": {"mapRun:BackfillWorkflow/*:*"},  # AWS ends it with ids
    "ReadCaptures": {"scones-image-classifier-123456789012-us-east-1/captures/*"},
    "ReadModelCards": {"scones-image-classifier-123456789012-us-east-1/models/cards/*"},
    "SeeAndDeletePictures": {"UploadBucket/uploads/*", "UploadBucket/labelled/*"},
    "SeePictures": {"UploadBucket/uploads/*", "UploadBucket/labelled/*"},
    "KeepLabelledPictures": {"UploadBucket/labelled/*"},
}
