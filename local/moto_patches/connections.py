"""Patch: moto's server closes the connection behind every answer.

Stock moto runs on Werkzeug's server, which cannot tell where a request ends whose body nobody has
read. So each call has a connection and a thread of its own, which lives for 10 ms more to see what
is left. Here the body is read before the request is answered, and the connection is kept, unless
the body has no length, or is long.
"""

import contextlib
import io
import selectors
import socket
import weakref
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

from moto.moto_server.werkzeug_app import MotoRequestHandler
from werkzeug import serving

LONGEST_BODY = 32 * 1024 * 1024  # bytes that are read at once; behind a longer one it is closed


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Keep connections until the client closes them or the context ends."""
    handler = MotoRequestHandler
    make_environ, send_header, finish = handler.make_environ, handler.send_header, handler.finish
    opened: weakref.WeakSet[socket.socket] = weakref.WeakSet()
    kept: weakref.WeakSet[socket.socket] = weakref.WeakSet()

    class Leftover:
        """The selector by which Werkzeug looks for unread bytes of a request.

        On a kept connection there are none: what comes is the next request.
        """

        def __init__(self) -> None:
            self._stock: selectors.BaseSelector | None = None

        def register(self, connection: socket.socket, events: int) -> None:
            if connection not in kept:
                self._stock = selectors.DefaultSelector()
                self._stock.register(connection, events)

        def select(self, timeout: float) -> list[Any]:
            return self._stock.select(timeout) if self._stock else []

        def close(self) -> None:
            if self._stock:
                self._stock.close()

    def environ_with_body(self: MotoRequestHandler) -> dict[str, Any]:
        opened.add(self.connection)
        kept.discard(self.connection)
        environ = make_environ(self)
        length = environ.get("CONTENT_LENGTH") or "0"
        whole = length.isdecimal() and int(length) <= LONGEST_BODY
        if whole and "HTTP_TRANSFER_ENCODING" not in environ:
            self.wfile.flush()  # 100 Continue, for which a client may wait before it sends the body
            environ["wsgi.input"] = io.BytesIO(self.rfile.read(int(length)))
            # Not if the client closes it. Nor after HEAD: a refusal may send a body, which clients
            # would take for the next answer.
            if not self.close_connection and self.command != "HEAD":
                kept.add(self.connection)
        return environ

    def send_header_unless_kept(self: MotoRequestHandler, name: str, value: str) -> None:
        if (name, value) != ("Connection", "close") or self.connection not in kept:
            send_header(self, name, value)

    def finish_without_client(self: MotoRequestHandler) -> None:
        with contextlib.suppress(ConnectionError):  # a client that was killed reads no answer
            finish(self)

    with (
        patch.object(handler, "protocol_version", "HTTP/1.1"),
        patch.object(handler, "disable_nagle_algorithm", True),
        patch.object(handler, "wbufsize", -1),  # head and body leave in one packet
        patch.object(handler, "make_environ", environ_with_body),
        patch.object(handler, "send_header", send_header_unless_kept),
        patch.object(handler, "finish", finish_without_client),
        patch.object(
            serving,
            "selectors",
            SimpleNamespace(DefaultSelector=Leftover, EVENT_READ=selectors.EVENT_READ),
        ),
    ):
        try:
            yield
        finally:
            for connection in list(opened):
                with contextlib.suppress(OSError):  # closed already
                    connection.shutdown(socket.SHUT_RDWR)
