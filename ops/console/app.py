"""The web application: who may ask what, and the form of every answer.

Safe against other sites that the same browser has open: it answers only to its own Host (a name
that was rebound to 127.0.0.1 is another), and wants a token of this run in a header, which another
site can neither know nor send. The token is in the address's fragment: it reaches no log. Pages
without it are empty shells; what they show is asked for with the token.
"""

import secrets
import sys
import traceback
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, current_app, jsonify, render_template, request
from markupsafe import Markup
from werkzeug.exceptions import HTTPException, NotFound

from cli.errors import CommandError, aws_errors, explained
from ops.reviewing.reviews import Reviews
from ops.stack.executions import Newest
from ops.stack.ledger import Ledger
from ops.stack.outputs import DENIED, Stack
from ops.stack.uploads import Uploads

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src blob: data:; connect-src"
        " 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
TOKEN_HEADER = "X-Console-Token"
MAX_BODY = 16_384  # bytes; a label with its upload's name and the longest comment is a half
MAX_UPLOAD = 26_214_400  # bytes of a photo to try: what functions/serialize takes
STATIC = Path(__file__).parent / "static"
FILES = {
    "console.css": "text/css; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "review.js": "text/javascript; charset=utf-8",
    "try.js": "text/javascript; charset=utf-8",
}
PAGES = {  # by path: title
    "today": "Today",
    "uploads": "Uploads",
    "review": "Review",
    "try": "Try",
    "quality": "Quality",
    "monitor": "Monitor",
    "upload": "Upload",
}
MENU = {name: PAGES[name] for name in list(PAGES)[:-1]}
SCRIPTS = {"review": "review.js", "try": "try.js"}


class Refused(Exception):
    """A request that is not answered. status: of HTTP."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass
class Console:
    """What the pages are about. order: of what waits. hosts: names that the server answers to."""

    reviews: Reviews
    order: str
    token: str
    hosts: set[str] = field(default_factory=set)
    labelled: set[str] = field(default_factory=set)  # uploads

    @cached_property
    def executions(self) -> Newest:
        """The stack's newest executions."""
        return Newest(self.stack)

    @property
    def stack(self) -> Stack:
        """The stack that is shown."""
        return self.reviews.stack

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return self.reviews.ledger

    @property
    def uploads(self) -> Uploads:
        """Its upload bucket."""
        return self.reviews.uploads


def the_console() -> Console:
    """Return the console that answers the request."""
    console: Console = current_app.extensions["console"]
    return console


def application(console: Console) -> Flask:
    """Return the application that shows a console's pages."""
    from ops.console import pages, review, trying  # they answer through what is defined here

    app = Flask("ops.console", static_folder=None, root_path=str(Path(__file__).parent))
    app.extensions["console"] = console
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.url_map.merge_slashes = False
    app.jinja_env.filters["moment"] = _moment
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.before_request(_check)
    app.after_request(_finish)
    app.register_error_handler(Exception, _refused)
    app.add_url_rule("/", "home", shell, defaults={"name": "today"})
    app.add_url_rule("/<any({}):name>".format(", ".join(PAGES)), "shell", shell)
    app.add_url_rule("/static/<any({}):name>".format(", ".join(map(repr, FILES))), "file", file)
    for part in (pages, review, trying):
        app.register_blueprint(part.blueprint)
    return app


def shell(name: str) -> str:
    """Return a page without what it shows."""
    return render_template(
        "review.html" if name == "review" else "page.html",
        name=name,
        title=PAGES[name],
        menu=MENU,
        script=SCRIPTS.get(name),
        most=MAX_UPLOAD,
    )


def _moment(text: str) -> Markup:
    """Return a time in ISO 8601 that a narrow place breaks before its T, and nowhere else."""
    day, _, rest = text.partition("T")
    return Markup("<span class=moment>{}</span><wbr><span class=moment>T{}</span>").format(
        day, rest
    )


def file(name: str) -> Response:
    """Return a script or the style sheet."""
    return Response((STATIC / name).read_bytes(), content_type=FILES[name])


def _check() -> None:
    if request.method not in ("GET", "POST"):
        raise Refused(405, f"{request.method} is not taken: GET reads, POST changes")
    hosts = the_console().hosts
    if request.headers.get("Host") not in hosts:
        raise Refused(403, "this address is not the page's: open the one that was printed")
    origin = request.headers.get("Origin")
    if origin is not None and urlsplit(origin).netloc not in hosts:
        raise Refused(403, "another site may not ask")
    if request.endpoint in ("home", "shell", "file"):
        return
    if isinstance(request.routing_exception, NotFound):  # nothing is told of the stack
        return
    given = request.headers.get(TOKEN_HEADER, "")
    if not secrets.compare_digest(given.encode(), the_console().token.encode()):
        raise Refused(403, "the token of another run: open the address that was printed")


def _finish(response: Response) -> Response:
    """Give an answer the headers of all."""
    response.headers.update(HEADERS)
    return response


def _refused(error: Exception) -> tuple[Response, int]:
    """Return the answer to a request that cannot be answered: a page if a browser opens one."""
    if isinstance(error, NotFound) and "text/html" in request.headers.get("Accept", ""):
        shown = render_template("missing.html", name="missing", title="No such page", menu=MENU)
        return Response(shown), 404
    if isinstance(error, Refused):
        status, message = error.status, str(error)
    elif isinstance(error, HTTPException):
        status, message = error.code or 500, _message(error)
    elif isinstance(error, CommandError):
        status, message = 400, str(error)
    elif isinstance(error, aws_errors()):
        status, message = 502, explained(error, DENIED)
    else:
        traceback.print_exception(error, file=sys.stderr)
        status, message = 500, f"{type(error).__name__}: {error}; the terminal shows more"
    return jsonify({"error": message}), status


def _message(error: HTTPException) -> str:
    if error.code == 404:
        return "there is no such page"
    if error.code == 413:
        return f"a request has a length of at most {request.max_content_length:,} bytes"
    return str(error.description)


def as_json(answer: dict[str, Any]) -> Response:
    """Return an answer to a script."""
    return jsonify(answer)
