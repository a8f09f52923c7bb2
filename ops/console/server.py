"""Serves the console on this machine: waitress, bound to 127.0.0.1.

waitress reads a whole request before a thread takes it, so slow clients hold none. What is no
request is refused by the server itself, under the headers of every other answer.
"""

import json
import logging
import os
import secrets
import socket
import threading
from typing import Any, Self

import waitress.channel
import waitress.parser
import waitress.server
import waitress.task

from cli.errors import CommandError
from ops.console.app import HEADERS, MAX_UPLOAD, Console, application
from ops.reviewing.reviews import Reviews

IDLE_S = 30  # until a silent connection is closed
THREADS = 8  # each waits for AWS most of its time
MAX_HEADER = 65_536  # bytes; the longest name of an upload, escaped in an address, is 4 KB
MOST_CONNECTIONS = 256  # a browser with the console in many tabs opens dozens
POLL_S = 1.0


class Parser(waitress.parser.HTTPRequestParser):  # type: ignore[misc]
    """Takes HTTP/1.0 and HTTP/1.1; waitress would read others as these."""

    def parse_header(self, header_plus: bytes) -> None:
        """Read the request line and the headers. Raises ParsingError."""
        super().parse_header(header_plus)
        if self.version not in ("1.0", "1.1"):
            raise waitress.parser.ParsingError(f"HTTP {self.version!a}: write 1.1")


class Refusal(waitress.task.ErrorTask):  # type: ignore[misc]
    """The answer to what is no request, in the form of every other answer."""

    def execute(self) -> None:
        """Write it and close the connection: what is left of the request is not read."""
        error = self.request.error
        body = json.dumps({"error": f"{error.reason}: {error.body}"}).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers += [*HEADERS.items(), ("Content-Type", "application/json")]
        self.set_close_on_finish()
        self.content_length = len(body)
        self.write(body)


class Channel(waitress.channel.HTTPChannel):  # type: ignore[misc]
    """One connection of the browser."""

    parser_class = Parser
    error_task_class = Refusal


class ConsoleServer:
    """Serves the console until it is shut down. url: to open, with the token of this run."""

    def __init__(self, reviews: Reviews, order: str, port: int, page: str = "") -> None:
        self.console = Console(reviews, order, secrets.token_urlsafe(32))
        self._map: dict[int, Any] = {}
        try:
            listening = socket.create_server(("127.0.0.1", port))
        except OSError as error:
            raise CommandError(
                f"cannot listen at 127.0.0.1:{port} ({os.strerror(error.errno or 0)}): give"
                " another --port, or none"
            ) from error
        self._server = waitress.server.create_server(
            application(self.console),
            map=self._map,
            sockets=[listening],
            threads=THREADS,
            connection_limit=MOST_CONNECTIONS,
            channel_timeout=IDLE_S,
            cleanup_interval=5,
            max_request_header_size=MAX_HEADER,
            max_request_body_size=MAX_UPLOAD + 1,  # refused from there
            clear_untrusted_proxy_headers=True,
            ident=None,
        )
        self._server.channel_class = Channel
        # waitress warns of every request that waits for a thread, which is normal here.
        logging.getLogger("waitress.queue").setLevel(logging.ERROR)
        self._ended = threading.Event()
        port = self.server_address[1]
        self.console.hosts |= {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.url = f"http://127.0.0.1:{port}/{page}#{self.token}"

    @property
    def server_address(self) -> tuple[str, int]:
        """Where it listens."""
        host, port = self._server.socket.getsockname()[:2]
        return host, port

    @property
    def token(self) -> str:
        """What every question has to bring."""
        return self.console.token

    @property
    def labelled(self) -> set[str]:
        """The uploads that were labelled here, and not taken back."""
        return self.console.labelled

    def serve_forever(self, poll_s: float = POLL_S) -> None:
        """Answer until shutdown() is called, or Ctrl-C. poll_s: seconds between looks for it."""
        while not self._ended.is_set():
            self._server.asyncore.loop(timeout=poll_s, map=self._map, count=1)

    def shutdown(self) -> None:
        """Let serve_forever() return; another thread calls it."""
        self._ended.set()
        self._server.pull_trigger()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.task_dispatcher.shutdown(timeout=1)
        self._server.asyncore.close_all(self._map)
