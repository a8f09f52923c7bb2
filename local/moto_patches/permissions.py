"""Patch: moto lets every caller do everything; here a role's policies decide, as on AWS.

Judged are the calls of functions, state machines and who has assumed a role, each with its role's
identity, and what rules and pipes do within moto, whose patches call demand(). Calls with other
keys, which are those of the users of the embedded AWS, may do everything.

An object that is absent is "not found" only for a role that may list the bucket, else it is denied:
https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
"""

import contextlib
import io
import json
import re
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.access_control import IAMPolicy, PermissionResult
from moto.iam.models import ManagedPolicy, iam_backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import s3_backends

Environ = dict[str, Any]
CREDENTIAL = re.compile(r"Credential=([^/]+)/\d+/([^/]+)/([^/]+)/")
FUNCTION = re.compile(r"/2015-03-31/functions/([^/]+)/invocations")
ENDPOINT = re.compile(r"/endpoints/([^/]+)/invocations")
PIPE = re.compile(r"/v1/pipes/([^/]+)(?:/(start|stop))?")
ARN = re.compile(r"arn:[^|\s]+")
SERVICES = {"monitoring": "cloudwatch"}  # where requests are signed for another name than IAM's
NAMED = ("stateMachineArn", "executionArn", "mapRunArn", "StreamArn", "ShardIterator")
OF_BUCKETS = {"versioning": "s3:GetBucketVersioning", "versions": "s3:ListBucketVersions"}


@dataclass(frozen=True)
class Call:
    """One call of a role: the IAM action and the ARN of what it is done to."""

    role: str
    action: str
    resource: str


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Refuse what the policies of the caller's role do not allow, until the context ends."""
    answer = DomainDispatcherApplication.__call__

    def judged(app: DomainDispatcherApplication, environ: Environ, start_response: Any) -> Any:
        for call in calls_of(environ):
            if not permitted(call):
                return _refuse(call, environ, start_response)
        return answer(app, environ, start_response)

    with patch.object(DomainDispatcherApplication, "__call__", judged):
        yield


def calls_of(environ: Environ) -> list[Call]:
    """Return what a request asks for, as its role's calls; none where no role asks: not judged."""
    credential = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
    if credential is None:
        return []
    key, region, service = credential.groups()
    if key not in {role.name for role in iam_backends[DEFAULT_ACCOUNT_ID]["aws"].roles.values()}:
        return []
    return [Call(key, action, arn) for action, arn in _wanted(environ, region, service)]


def demand(role_arn: str, action: str, resource: str) -> None:
    """Raise PermissionError unless a role's policies allow what a service does in its name."""
    call = Call(role_arn.rsplit("/", 1)[-1], action, resource)
    if not permitted(call):
        raise PermissionError(_denied(call))


def permitted(call: Call) -> bool:
    """Return whether a role's policies allow a call."""
    return any(
        policy.is_action_permitted(call.action, call.resource) is PermissionResult.PERMITTED
        for policy in map(IAMPolicy, documents_of(call.role))
    )


def lets_events(policy: Any, action: str, resource: str, source: str) -> bool:
    """Return whether a resource's own policy lets EventBridge do something.

    source: the ARN of the rule that it does so for; empty where the call does not name it.
    """
    document = policy if isinstance(policy, dict) else json.loads(policy or "{}")
    for statement in document.get("Statement", []):
        if "events.amazonaws.com" not in str(statement.get("Principal")):
            continue
        conditions = statement.get("Condition", {})
        tests = [*conditions.get("ArnEquals", {}).items(), *conditions.get("ArnLike", {}).items()]
        named = [arns for key, arns in tests if key.lower() == "aws:sourcearn"]
        if any(source not in ([arns] if isinstance(arns, str) else arns) for arns in named):
            continue
        bare = {name: statement[name] for name in ("Effect", "Action", "Resource")}
        judge = IAMPolicy(json.dumps({"Version": "2012-10-17", "Statement": [bare]}))
        if judge.is_action_permitted(action, resource) is PermissionResult.PERMITTED:
            return True
    return False


def documents_of(role: str) -> list[str]:
    """Return a role's policies, its own and the attached ones, as JSON."""
    iam = iam_backends[DEFAULT_ACCOUNT_ID]["aws"]
    found = iam.get_role(role)
    attached = [_current(policy) for policy in found.managed_policies.values()]
    return [*map(_text, found.policies.values()), *attached]


def policy_document(arn: str) -> str:
    """Return what a managed policy says, as JSON."""
    return _current(iam_backends[DEFAULT_ACCOUNT_ID]["aws"].managed_policies[arn])


def _current(policy: ManagedPolicy) -> str:
    [document] = [
        version.document
        for version in policy.versions
        if version.version_id == policy.default_version_id
    ]
    return _text(document)


def _text(document: Any) -> str:
    return document if isinstance(document, str) else json.dumps(document)


def _wanted(environ: Environ, region: str, service: str) -> Iterator[tuple[str, str]]:
    """Yield action and ARN; a request that is not known here has none, which no policy allows."""
    path = unquote(environ["PATH_INFO"].encode("latin-1").decode())
    at = f"{region}:{DEFAULT_ACCOUNT_ID}"
    if service == "lambda" and (match := FUNCTION.fullmatch(path)):
        name = match[1].rsplit(":", 1)[-1]
        yield "lambda:InvokeFunction", f"arn:aws:lambda:{at}:function:{name}"
    elif service == "sagemaker" and (match := ENDPOINT.fullmatch(path)):
        yield "sagemaker:InvokeEndpoint", f"arn:aws:sagemaker:{at}:endpoint/{match[1].lower()}"
    elif service == "s3":
        yield from _wanted_of_s3(environ, path)
    elif service == "pipes" and (match := PIPE.fullmatch(path)):
        verb = (match[2] or "describe").title()
        yield f"pipes:{verb}Pipe", f"arn:aws:pipes:{at}:pipe/{match[1]}"
    elif service == "sts" and b"Action=GetCallerIdentity" in _body(environ):
        return  # it needs no permission
    elif service == "cloudformation":
        asked = parse_qs(_body(environ).decode())
        [action], [name] = asked["Action"], asked["StackName"]
        yield f"cloudformation:{action}", f"arn:aws:cloudformation:{at}:stack/{name}/id"
    elif "HTTP_X_AMZ_TARGET" in environ:
        action = environ["HTTP_X_AMZ_TARGET"].rsplit(".", 1)[-1]
        for resource in _resources(service, json.loads(_body(environ)), at):
            yield f"{SERVICES.get(service, service)}:{action.removesuffix('Batch')}", resource
    else:
        yield f"{service}:{environ['REQUEST_METHOD']}", path


def _resources(service: str, asked: Any, at: str) -> Iterator[str]:
    """Yield the ARNs that a call in JSON is about; its path where it names none."""
    tables = [*asked.get("RequestItems", {}), *filter(None, [asked.get("TableName")])]
    if service == "dynamodb" and tables:
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        yield from (f"arn:aws:dynamodb:{at}:table/{table}{index}" for table in tables)
    elif service == "events" and "Entries" in asked:
        buses = {entry["EventBusName"] for entry in asked["Entries"]}
        yield from (f"arn:aws:events:{at}:event-bus/{bus}" for bus in buses)
    elif service == "sqs":
        yield f"arn:aws:sqs:{at}:{asked['QueueUrl'].rsplit('/', 1)[-1]}"
    elif service == "logs" and "logGroupName" in asked:
        yield f"arn:aws:logs:{at}:log-group:{asked['logGroupName']}:log-stream:"
    elif service == "monitoring" and "AlarmNames" in asked:
        yield from (f"arn:aws:cloudwatch:{at}:alarm:{name}" for name in asked["AlarmNames"])
    elif service == "sagemaker" and "EndpointName" in asked:
        yield f"arn:aws:sagemaker:{at}:endpoint/{asked['EndpointName']}"
    else:
        # An iterator of a stream's shard holds the ARN of the stream.
        found = ARN.search(" ".join(str(asked[name]) for name in NAMED if name in asked))
        yield found[0] if found else "unknown"


def _wanted_of_s3(environ: Environ, path: str) -> Iterator[tuple[str, str]]:
    bucket, _, key = path[1:].partition("/")
    arn, method = f"arn:aws:s3:::{bucket}", environ["REQUEST_METHOD"]
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    if not key:
        special = [action for name, action in OF_BUCKETS.items() if name in query]
        yield special[0] if special else "s3:ListBucket", arn
    elif method in ("GET", "HEAD"):
        yield "s3:GetObject", f"{arn}/{key}"
        if s3_backends[DEFAULT_ACCOUNT_ID]["aws"].head_object(bucket, key) is None:
            yield "s3:ListBucket", arn
    elif method == "DELETE":
        version = "Version" if "versionId" in query else ""
        yield f"s3:DeleteObject{version}", f"{arn}/{key}"
    else:
        if source := environ.get("HTTP_X_AMZ_COPY_SOURCE"):
            yield "s3:GetObject", f"arn:aws:s3:::{unquote(source).lstrip('/')}"
        yield "s3:PutObject", f"{arn}/{key}"


def _body(environ: Environ) -> bytes:
    body: bytes = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _denied(call: Call) -> str:
    return f"User: {call.role} is not authorized to perform: {call.action} on {call.resource}"


def _refuse(call: Call, environ: Environ, start_response: Any) -> list[bytes]:
    message = _denied(call)
    if call.action.startswith("s3:"):
        kind, body = "application/xml", "<Error><Code>AccessDenied</Code><Message/></Error>"
    elif call.action.startswith("cloudformation:"):  # of the query protocol
        error = f"<Error><Code>AccessDenied</Code><Message>{escape(message)}</Message></Error>"
        kind, body = "text/xml", f"<ErrorResponse>{error}</ErrorResponse>"
    else:
        code = "AccessDeniedException"  # JSON services read it here, REST ones in the headers
        kind = "application/json"
        body = json.dumps({"__type": code, "Message": message, "message": message})
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body.encode()))),
        ("x-amzn-errortype", "AccessDeniedException"),
        ("x-amzn-requestid", str(uuid.uuid4())),
    ]
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # the connection is kept
    start_response("403 Forbidden", headers)
    return [body.encode()]
