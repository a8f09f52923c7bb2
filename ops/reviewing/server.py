"""The page of `ops review`, for one person on this machine.

Safe against other sites that the same browser has open: it binds to 127.0.0.1, answers only to
its own Host (a name that was rebound to 127.0.0.1 is another), and wants a token of this run in a
header, which another site can neither know nor send. The token is in the address's fragment: it
reaches no log.
"""

import json
import secrets
import sys
import traceback
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cli.errors import CommandError, aws_errors, explained
from cli.escaping import printable
from ops.reviewing.image import shown
from ops.reviewing.reviews import LABELLED, Reviews, is_blind, queue_of, shown_to_reviewers
from ops.stack.ledger import Changed, Decision
from ops.stack.outputs import DENIED
from ops.stack.uploads import PictureGone

PAGE = Path(__file__).parent / "page"
FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/review.js": ("review.js", "text/javascript; charset=utf-8"),
    "/review.css": ("review.css", "text/css; charset=utf-8"),
}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob:; connect-src"
        " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
TOKEN_HEADER = "X-Review-Token"
MAX_BODY = 16_384  # bytes; a label with its upload's name and the longest comment is a half
QUEUE = 50  # items that the page takes at once, and as many more as it has skipped
MAX_BEYOND = 2_000
IDLE_S = 30  # until a silent connection is closed


class Refused(Exception):
    """A request that is not answered. status: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class ReviewServer(ThreadingHTTPServer):
    """Serves the page until it is shut down. url: to open, with the token of this run."""

    daemon_threads = True
    request_queue_size = 128  # connections that wait; a browser with the page in tabs opens dozens

    def __init__(self, reviews: Reviews, order: str, port: int) -> None:
        try:
            super().__init__(("127.0.0.1", port), Handler)
        except OSError as error:
            raise CommandError(
                f"cannot listen at 127.0.0.1:{port} ({error.strerror}): give another --port,"
                " or none"
            ) from error
        self.reviews = reviews
        self.order = order
        self.token = secrets.token_urlsafe(32)
        self.labelled: set[str] = set()  # uploads
        port = self.server_address[1]
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.url = f"http://127.0.0.1:{port}/#{self.token}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a browser that hung up, and all of anything else."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            super().handle_error(request, client_address)


class Handler(BaseHTTPRequestHandler):
    """One connection of the browser."""

    server: ReviewServer
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S

    def do_GET(self) -> None:
        """Answer a file of the page, the queue or a picture."""
        self._answer(self._get)

    def do_POST(self) -> None:
        """Record a label, or take one back."""
        self._answer(self._post)

    def _answer(self, work: Callable[[], tuple[str, bytes]]) -> None:
        try:
            self._check_host()
            status, (kind, body) = 200, work()
        except Refused as refused:
            status, (kind, body) = refused.status, _json({"error": str(refused)})
        except CommandError as error:
            status, (kind, body) = 400, _json({"error": str(error)})
        except aws_errors() as error:
            status, (kind, body) = 502, _json({"error": explained(error, DENIED)})
        except (ConnectionError, TimeoutError):  # the browser hung up before it had asked
            raise
        except Exception as error:
            traceback.print_exc()
            message = f"{type(error).__name__}: {error}; the terminal shows more"
            status, (kind, body) = 500, _json({"error": message})
        self._send(status, kind, body)

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        if status >= 400:
            self.send_header("Connection", "close")  # what is left of its body is not read
        for name, value in {**HEADERS, "Content-Type": kind}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """Refuse what is no request of the page in the form of every other answer."""
        del explain
        self.request_version = self.protocol_version  # of an unknown one it would send no headers
        self._send(code, *_json({"error": message or self.responses[code][0]}))

    def _check_host(self) -> None:
        if self.headers.get("Host") not in self.server.hosts:
            raise Refused(403, "this address is not the page's: open the one that was printed")
        origin = self.headers.get("Origin")
        if origin is not None and urlsplit(origin).netloc not in self.server.hosts:
            raise Refused(403, "another site may not ask")

    def _check_token(self) -> None:
        given = self.headers.get(TOKEN_HEADER, "")
        if not secrets.compare_digest(given.encode(), self.server.token.encode()):
            raise Refused(403, "the token of another run: open the address that was printed")

    def _get(self) -> tuple[str, bytes]:
        url = urlsplit(self.path)
        if url.path in FILES:
            name, kind = FILES[url.path]
            return kind, (PAGE / name).read_bytes()
        self._check_token()
        reviews = self.server.reviews
        if url.path == "/api/queue":
            query = parse_qs(url.query)
            beyond, name = query.get("beyond", ["0"])[0], query.get("name", ["doubtful"])[0]
            if not beyond.isdecimal() or len(beyond) > 5 or int(beyond) > MAX_BEYOND:
                raise Refused(400, f"beyond: a whole number from 0 to {MAX_BEYOND:,}")
            items = reviews.queue(name, QUEUE + int(beyond), self.server.order)
            counts = reviews.counts()
            return _json(
                {
                    "classes": reviews.classes(),
                    "reviewer": reviews.reviewer,
                    "counts": counts,
                    "waiting": counts.get(name, len(items)),
                    "items": [shown_to_reviewers(item) for item in items],
                }
            )
        if url.path == "/api/picture":
            item = self._item(parse_qs(url.query).get("upload", [""])[0])
            if not queue_of(item):  # of any size, and maybe no picture
                raise Refused(404, f"it does not wait for review: its outcome is {item.outcome}")
            try:
                return shown(reviews.uploads.read(item.s3_key, item.etag))
            except PictureGone:
                forget = reviews.stack.command("forget", printable(item.upload))
                raise Refused(
                    404,
                    "the picture was deleted or overwritten: skip it, or take it out of the list"
                    f" with {forget}",
                ) from None
        raise Refused(404, "there is no such page")

    def _post(self) -> tuple[str, bytes]:
        self._check_token()
        asked, reviews = self._body(), self.server.reviews
        read = self._item(asked.get("upload"))
        path, revision = urlsplit(self.path).path, asked.get("revision")
        ways = {
            "/api/label": reviews.label,
            "/api/audit": reviews.audit,
            "/api/relabel": reviews.relabel,
        }
        give = ways.get(path)
        if not give and path != "/api/undo":
            raise Refused(404, "there is no such page")
        label, comment = str(asked.get("label")), str(asked.get("comment", ""))
        again = reviews.is_done(read, revision, label if give else None)
        if not again and read.revision != revision:
            raise _conflict(read)
        try:
            if again:
                done = reviews.settle(read)
            else:
                done = give(read, label, comment) if give else reviews.undo(read, comment)
        except Changed as changed:
            raise _conflict(changed.now) from None
        if give:
            self.server.labelled.add(read.upload)
        else:
            self.server.labelled.discard(read.upload)
        item = shown_to_reviewers(done.decision)
        return _json({"item": item, "copy": done.copy, "note": done.note})

    def _item(self, upload: object) -> Decision:
        item = (
            self.server.reviews.ledger.get(upload) if upload and isinstance(upload, str) else None
        )
        if item is None:
            raise Refused(404, "the ledger has no such upload: skip it")
        return item

    def _body(self) -> dict[str, Any]:
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > MAX_BODY:
            raise Refused(413, f"a request has a length of at most {MAX_BODY:,} bytes")
        try:
            found = json.loads(self.rfile.read(int(length)))
        except (ValueError, RecursionError):  # no JSON, or lists within lists without end
            found = None
        if not isinstance(found, dict):
            raise Refused(400, "the request is no JSON object")
        return found

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the terminal quiet."""


def _conflict(now: Decision | None) -> Refused:
    if now is None:
        return Refused(409, "it has been deleted")
    if now.outcome in LABELLED:
        return Refused(409, f"already {now.outcome} by {now.reviewer}: {now.label}")
    if is_blind(now):
        return Refused(409, f"it has changed meanwhile: its audit is due, revision {now.revision}")
    return Refused(409, f"it has changed meanwhile: {now.outcome}, revision {now.revision}")


def _json(answer: dict[str, Any]) -> tuple[str, bytes]:
    return "application/json", json.dumps(answer, ensure_ascii=False).encode()
