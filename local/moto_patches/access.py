"""Patch: moto answers whoever asks, and lets pages of every origin read the answers.

Whoever can create a stack here can run code on this machine, and a browser lets any page send
requests to loopback. So a request is answered only if it
  - names this server as its Host: a page whose DNS name points to loopback names its own;
  - comes from no page of another origin, but one that a bucket's own CORS rules let in;
  - carries an access key of this run: in its signature, a presigned URL, or a presigned POST form.
Everything else is refused with 403. The signature itself is not verified.
"""

import contextlib
import io
import json
import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.moto_server import werkzeug_app
from moto.moto_server.werkzeug_app import DomainDispatcherApplication
from moto.s3.models import s3_backends
from moto.s3.utils import cors_matches_origin

Environ = dict[str, Any]
# Names of this machine that no other site can take: *.localhost never leaves it (RFC 6761), and
# Docker Desktop resolves host.docker.internal for its containers alone.
OWN_NAMES = {"localhost", "127.0.0.1", "::1", "host.docker.internal"}
SIGNED = re.compile(r"Credential=([^/,\s]+)/")
FORM_KEY = re.compile(
    rb'name="(?:x-amz-credential|awsaccesskeyid)"\r\n(?:[^\r\n]+\r\n)*\r\n([^/\r\n]+)',
    re.IGNORECASE,
)
FORM_HEAD_BYTES = 64 * 1024  # the fields of a form stand before its file


@dataclass(frozen=True)
class AccessKeys:
    """The access keys of one run: a name, and what no other run has."""

    secret: str = field(default_factory=lambda: secrets.token_hex(16))

    def of(self, name: str) -> str:
        """Return the key of an identity: of whoever uses the embedded AWS, or of a role."""
        return f"{name}.{self.secret}"

    def are(self, key: str) -> bool:
        """Tell whether a key is one of this run."""
        _, dot, secret = key.rpartition(".")
        return bool(dot) and secrets.compare_digest(secret.encode(), self.secret.encode())


@contextlib.contextmanager
def installed(keys: AccessKeys, host: str) -> Iterator[None]:
    """Refuse what does not come from who started this run, until the context ends."""
    answer = DomainDispatcherApplication.__call__
    names = OWN_NAMES | {host.strip("[]").lower()}

    def guarded(app: DomainDispatcherApplication, environ: Environ, start_response: Any) -> Any:
        reason = refusal(environ, keys, names)
        if reason:
            return _refuse(reason, environ, start_response)
        for name in ("HTTP_AUTHORIZATION", "QUERY_STRING"):  # moto knows identities by name
            environ[name] = environ.get(name, "").replace(f".{keys.secret}", "")
        return answer(app, environ, start_response)

    with (
        patch.object(DomainDispatcherApplication, "__call__", guarded),
        patch.object(werkzeug_app, "DISABLE_GLOBAL_CORS", True),
    ):
        yield


def refusal(environ: Environ, keys: AccessKeys, names: set[str]) -> str:
    """Return why a request is not answered; empty if it is."""
    host = urlsplit(f"//{environ.get('HTTP_HOST', '')}").hostname or ""
    if host not in names and not host.endswith(".localhost"):
        return f"the host {host!r} is not this server: use the address that it printed"
    origin = environ.get("HTTP_ORIGIN")
    foreign = origin is not None and origin != f"http://{environ['HTTP_HOST']}"
    if foreign or environ.get("HTTP_SEC_FETCH_SITE", "none") not in ("none", "same-origin"):
        if not _let_in(origin or "", environ):
            return f"a page of {origin or 'another site'} may not use it: no CORS rule lets it"
        if environ["REQUEST_METHOD"] == "OPTIONS":  # a preflight is never signed
            return ""
    if not any(map(keys.are, _keys_in(environ))):
        return "no access key of this run: paste the export lines that it printed"
    return ""


def _let_in(origin: str, environ: Environ) -> bool:
    """Tell whether the CORS rules of the bucket that is asked for name the origin."""
    path = unquote(environ["PATH_INFO"].encode("latin-1").decode(errors="replace"))
    name = path.lstrip("/").partition("/")[0]
    host = urlsplit(f"//{environ['HTTP_HOST']}").hostname or ""
    if host.endswith(".localhost"):  # a virtual-hosted bucket
        name = host.removesuffix(".localhost")
    bucket = s3_backends[DEFAULT_ACCOUNT_ID]["aws"].buckets.get(name)
    method = environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", environ["REQUEST_METHOD"])
    return bucket is not None and any(
        method in _listed(rule.allowed_methods)
        and cors_matches_origin(origin, _listed(rule.allowed_origins))
        for rule in bucket.cors
    )


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or [])


def _keys_in(environ: Environ) -> Iterator[str]:
    yield from SIGNED.findall(environ.get("HTTP_AUTHORIZATION", ""))
    query = parse_qs(environ.get("QUERY_STRING", ""))
    for name in ("X-Amz-Credential", "AWSAccessKeyId"):
        yield from (value.partition("/")[0] for value in query.get(name, []))
    if environ.get("CONTENT_TYPE", "").startswith("multipart/form-data"):
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        yield from (
            key.decode(errors="replace") for key in FORM_KEY.findall(body[:FORM_HEAD_BYTES])
        )


def _refuse(reason: str, environ: Environ, start_response: Any) -> list[bytes]:
    """Answer 403 in the form in which the service that was asked reports errors."""
    error = f"<Error><Code>AccessDenied</Code><Message>{escape(reason)}</Message></Error>"
    if "urlencoded" in environ.get("CONTENT_TYPE", ""):  # services of the query protocol
        kind, body = "text/xml", f"<ErrorResponse>{error}</ErrorResponse>"
    elif "json" in environ.get("CONTENT_TYPE", ""):
        kind, body = "application/json", json.dumps({"__type": "AccessDenied", "message": reason})
    else:
        kind, body = "application/xml", error
    headers = [
        ("Content-Type", kind),
        ("Content-Length", str(len(body.encode()))),
        ("x-amzn-errortype", "AccessDenied"),
    ]
    environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))  # the connection is kept
    start_response("403 Forbidden", headers)
    return [body.encode()]
