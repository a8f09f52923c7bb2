"""What a command says, in one line, when it cannot do its work, and its exit code.

    CommandError              the message says why, and what to do
    +-- EndpointError         model.endpoint
    +-- EmbeddedAwsError, ModelServerError, UnreadablePictureError      local
    +-- DatasetError, TrainingError, ExportError      model.training
    aws_errors()              botocore's; `explained` says what to do about them
    ModuleNotFoundError       an extra of pyproject.toml that is not installed

Exit codes: 0 all is well, 1 something was found that needs attention, 2 the command could not do
its work, 130 interrupted.
"""

import errno
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.escaping import escaped_output

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired"}
UNKNOWN_KEYS = {"InvalidClientTokenId", "UnrecognizedClientException", "InvalidAccessKeyId"}
# 403: of a HEAD request, whose answer has no words.
DENIED = {"403", "AccessDenied", "AccessDeniedException", "AuthorizationError"}
NOT_AWS = (
    "what answers is not AWS: see AWS_ENDPOINT_URL, the proxy, the region, and whether the network"
    " wants a login in the browser"
)
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # the disk, the quota, the limit of a file


class CommandError(Exception):
    """A command cannot do its work; the message says in one line why, and what to do."""


def aws_errors() -> tuple[type[Exception], ...]:
    """Return the base classes of boto3's errors, for an `except` clause.

    Empty while nothing has imported botocore: then nothing has raised one, and a command that calls
    no AWS does not spend a quarter of a second to import it.
    """
    if "botocore.exceptions" not in sys.modules:
        return ()
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.parsers import ResponseParserError

    return BotoCoreError, ClientError, ResponseParserError


def code_of(error: "ClientError") -> str:
    """Return the error code of a refused call, for instance ConditionalCheckFailedException."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: "ClientError") -> str:
    """Return what a refused call says for itself."""
    return str(error.response.get("Error", {}).get("Message", ""))


def explained(error: Exception, denied: str = "") -> str:
    """Return one line that says what to do about an error of boto3.

    denied: what to do where a call is not allowed.
    """
    from botocore import exceptions
    from botocore.parsers import ResponseParserError

    if isinstance(error, exceptions.NoCredentialsError | exceptions.PartialCredentialsError):
        return (
            f"no AWS credentials ({error}): run `aws configure` or `aws sso login`, or export them"
        )
    if isinstance(error, exceptions.TokenRetrievalError):
        return f"the AWS session has ended ({error}): log in again"
    if isinstance(error, exceptions.NoRegionError):
        return "no AWS region: give --region or export AWS_DEFAULT_REGION"
    if isinstance(error, exceptions.ProfileNotFound):
        return f"{error}: see ~/.aws/config, or change AWS_PROFILE"
    if isinstance(error, exceptions.ProxyConnectionError):
        return (
            f"AWS cannot be reached: {error}; see HTTP_PROXY and HTTPS_PROXY, and name in NO_PROXY"
            " what no proxy reaches"
        )
    if isinstance(error, exceptions.ConnectionError):
        return f"AWS cannot be reached: {error}; see the network, AWS_ENDPOINT_URL and --region"
    if isinstance(error, ResponseParserError):
        return f"{NOT_AWS}: {unread(str(error))}"
    if isinstance(error, exceptions.ClientError):
        code, call = code_of(error), error.operation_name
        if code in EXPIRED:
            return f"the AWS credentials have expired ({code}): log in again"
        if code in UNKNOWN_KEYS:
            return f"AWS does not know these credentials ({code}): see AWS_PROFILE and the keys"
        if code in DENIED:
            return f"{call} is not allowed: {message_of(error)}{denied and f'; {denied}'}"
        if code == "InvalidObjectState":
            return f"{call} was refused: the object is archived ({code}): restore it first"
        return f"{call} was refused: {code}: {message_of(error)}"
    return f"{type(error).__name__}: {error}"


def unread(problem: str) -> str:
    """Return what botocore says of an answer that it could not read, without the answer.

    Of a web page its title is told: a login, or the error of a server.
    """
    title = re.search(r"<title>([^<]*)", problem, re.IGNORECASE)
    page = f"; it sent the page {title[1].strip()!r}" if title else ""
    return problem.partition(", invalid XML received")[0] + page


@escaped_output()
def guarded(work: Callable[[], Any], extra: str, interrupted: str = "", denied: str = "") -> int:
    """Return the exit code of some work; say in one line why it could not be done.

    extra: of pyproject.toml; what the work imports. interrupted: what Ctrl-C leaves behind.
    denied: what to do where AWS does not allow a call.
    """
    try:
        code = int(work())
        sys.stdout.flush()  # a reader that has gone is noticed here, not when Python ends
    except KeyboardInterrupt:
        print(f"interrupted{interrupted and f'; {interrupted}'}", file=sys.stderr)
        return 130
    except ModuleNotFoundError as error:
        library = (error.name or str(error)).partition(".")[0]
        return refused(f"{library} is not installed: run make .venv/.extra-{extra}")
    except CommandError as error:
        return refused(str(error))
    except BrokenPipeError:  # `| head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except aws_errors() as error:  # some are OSErrors too
        return refused(explained(error, denied))
    except OSError as error:
        return refused(failed_io(error))
    except Exception:
        traceback.print_exc()  # 1, Python's own code for it, would look like a finding
        return 2
    return code


def failed_io(error: OSError) -> str:
    """Return one line about a file that cannot be read or written, or a full disk."""
    reason = error.strerror or str(error)
    if error.errno not in FULL:
        return f"{error.filename or ''}: {reason}".lstrip(": ")
    path = error.filename2 or error.filename or written_file(error)
    if not path:
        return f"{reason}: free some space where standard output or temporary files are written to"
    folder = Path(path).resolve().parent
    return f"{path}: {reason}; free some space in {folder}, or choose another folder"


def written_file(error: OSError) -> str:
    """Return the name of the file that an error is about; empty if it cannot be told.

    Only open() puts a name into its error, write() and close() do not. The file is a variable of a
    function that the error has passed, most likely of the innermost one that has any.
    """
    frames = [frame for frame, _line in traceback.walk_tb(error.__traceback__)]
    for frame in reversed(frames):
        for value in frame.f_locals.values():
            name, mode = getattr(value, "name", None), getattr(value, "mode", "w")
            can_write = hasattr(value, "write") and mode not in ("r", "rb")
            if can_write and isinstance(name, str) and value is not sys.stdout:
                return name
    return ""


@escaped_output()  # the command line is read before guarded() runs
def refused(reason: str) -> int:
    """Print why a command cannot do its work; return its exit code, 2."""
    print(f"error: {' '.join(reason.split())}", file=sys.stderr)
    return 2
