"""AWS's list prices in US dollars, us-east-1, first tier, no free tier.

Noted in November 2026 from the pages named here, or from pages of 2026 that quote them: what they
say today decides. Endpoint prices are approximate.
"""

from model.endpoint.prices import HOURLY
from model.endpoint.prices import HOURS_A_MONTH as HOURS_A_MONTH

NOTED = "November 2026, us-east-1, list prices without free tier"

MILLION = 1e6

STEP_FUNCTIONS = "https://aws.amazon.com/step-functions/pricing/"
STANDARD_TRANSITION = 25 / MILLION
EXPRESS_REQUEST = 1 / MILLION
EXPRESS_GB_S = 0.00001667
EXPRESS_GB = 64 / 1024  # memory is billed in steps of 64 MB: 50 MB and what the states hold
EXPRESS_STEP_S = 0.1  # duration is rounded up to 100 ms

LAMBDA = "https://aws.amazon.com/lambda/pricing/"
LAMBDA_REQUEST = 0.20 / MILLION
LAMBDA_GB_S = {"x86_64": 0.0000166667, "arm64": 0.0000133334}

S3 = "https://aws.amazon.com/s3/pricing/"
S3_PUT = 5 / MILLION
S3_GET = 0.40 / MILLION  # HEAD too
S3_LIST = 5 / MILLION  # a page of 1,000 objects
S3_GB_MONTH = 0.023

DYNAMODB = "https://aws.amazon.com/dynamodb/pricing/on-demand/"
DYNAMODB_WRITE = 0.625 / MILLION  # a unit is 1 KB
DYNAMODB_READ = 0.125 / MILLION  # a consistent read of at most 4 KB
# Reads by Lambda are free; of reads by pipes the page says nothing: here they are billed, one a
# photo. If AWS bills them, the four looks a second that a shard gets while idle add $2 a month.
DYNAMODB_STREAM_READ = 0.20 / MILLION

EVENTBRIDGE = "https://aws.amazon.com/eventbridge/pricing/"  # S3's own events cost nothing
PIPE_REQUEST = 0.40 / MILLION
CUSTOM_EVENT = 1 / MILLION

CLOUDWATCH = "https://aws.amazon.com/cloudwatch/pricing/"
LOG_GB = 0.50
ALARM_METRIC_MONTH = 0.10  # for each metric that an alarm lists
CUSTOM_METRIC_MONTH = 0.30
DASHBOARD_MONTH = 3.00

XRAY = "https://aws.amazon.com/xray/pricing/"
TRACE = 5 / MILLION
# The default rule records the first request of each second, and one in twenty of the others. Step
# Functions applies it (https://docs.aws.amazon.com/step-functions/latest/dg/concepts-xray-tracing.html),
# and Lambda follows what it has decided: sampling is by the parent, see
# https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
TRACED_A_SECOND = 1
TRACED_OF_OTHERS = 0.05

SAGEMAKER = "https://aws.amazon.com/sagemaker/ai/pricing/"
ENDPOINT_HOUR = HOURLY["ml.c5.large"]  # one instance
SECONDS_A_MONTH = HOURS_A_MONTH * 3600
SERVERLESS_GB_S = 0.00002
SERVERLESS_GB = 2  # the memory that create_endpoint asks for
SERVERLESS_DATA_GB = 0.016  # in and out
