"""What a command says, in one line, when it cannot do its work."""

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    EndpointConnectionError,
    NoCredentialsError,
    NoRegionError,
    PartialCredentialsError,
    ProfileNotFound,
    TokenRetrievalError,
)

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEYS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
DENIED = {"AccessDenied", "AccessDeniedException", "AuthorizationError"}


class OpsError(Exception):
    """A command cannot do its work; the message says in one line why, and what to do."""


def code_of(error: ClientError) -> str:
    """Return the error code of a refused call, for instance ConditionalCheckFailedException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explained(error: BotoCoreError | ClientError) -> str:
    """Return one line that says what to do about an error of boto3."""
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return (
            f"no AWS credentials ({error}): run `aws configure` or `aws sso login`, or export them"
        )
    if isinstance(error, TokenRetrievalError):
        return f"the AWS session has ended ({error}): log in again"
    if isinstance(error, NoRegionError):
        return "no AWS region: give --region or export AWS_DEFAULT_REGION"
    if isinstance(error, ProfileNotFound):
        return f"{error}: see ~/.aws/config, or change AWS_PROFILE"
    if isinstance(error, EndpointConnectionError | ConnectionError):
        return f"AWS cannot be reached: {error}; see the network, AWS_ENDPOINT_URL and --region"
    if isinstance(error, ClientError):
        code, call = code_of(error), error.operation_name
        message = error.response.get("Error", {}).get("Message", "")
        if code in EXPIRED:
            return f"the AWS credentials have expired ({code}): log in again"
        if code in UNKNOWN_KEYS:
            return f"AWS does not know these credentials ({code}): see AWS_PROFILE and the keys"
        if code in DENIED:
            return f"{call} is not allowed: {message}; the stack's OperatorPolicy allows it"
        return f"{call} was refused: {code}: {message}"
    return f"{type(error).__name__}: {error}"
