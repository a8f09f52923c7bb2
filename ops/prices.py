"""AWS's list prices in US dollars, us-east-1, first tier, no free tier.

Noted in November 2026 and not read from AWS: the pages decide. Endpoint prices are approximate.
"""

NOTED = "November 2026, us-east-1, list prices without free tier"

MILLION = 1e6

# https://aws.amazon.com/step-functions/pricing/
STANDARD_TRANSITION = 25 / MILLION
EXPRESS_REQUEST = 1 / MILLION
EXPRESS_GB_S = 0.00001667
EXPRESS_GB = 64 / 1024  # memory is billed in steps of 64 MB; a state holds less

# https://aws.amazon.com/lambda/pricing/
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_GB_S = {"x86_64": 0.0000166667, "arm64": 0.0000133334}

# https://aws.amazon.com/s3/pricing/
S3_PUT = 5 / MILLION
S3_GET = 0.40 / MILLION

# https://aws.amazon.com/dynamodb/pricing/on-demand/
DYNAMODB_WRITE = 0.625 / MILLION  # a unit is 1 KB
DYNAMODB_STREAM_READ = 0.20 / MILLION

# https://aws.amazon.com/eventbridge/pricing/ S3's own events cost nothing.
PIPE_REQUEST = 0.40 / MILLION
CUSTOM_EVENT = 1 / MILLION

# https://aws.amazon.com/cloudwatch/pricing/
LOG_GB = 0.50

# https://aws.amazon.com/xray/pricing/ A trace in twenty is recorded, beside the first each second.
TRACE = 5 / MILLION
TRACED = 0.05

# https://aws.amazon.com/sagemaker/ai/pricing/
ENDPOINT_HOUR = 0.102  # ml.c5.large or ml.c6i.large, one instance
HOURS_A_MONTH = 730
SERVERLESS_GB_S = 0.00002
SERVERLESS_GB = 2  # the memory that create_endpoint asks for
SERVERLESS_DATA_GB = 0.016  # in and out
