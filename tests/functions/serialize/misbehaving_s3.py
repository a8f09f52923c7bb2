"""A server that answers GetObject and the like as told: errors, slow bodies, broken connections."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple


class Answer(NamedTuple):
    """What is sent back; a body shorter than its length ends in a closed connection."""

    status: int = 200
    body: bytes = b""
    length: int | None = None  # bytes announced; those of the body if None
    silence: float = 0.0  # seconds before anything is sent
    pause: float = 0.0  # seconds after each tenth of the body


def error(status: int, code: str) -> Answer:
    """Return S3's answer for an error."""
    return Answer(status, f"<Error><Code>{code}</Code><Message>so it is</Message></Error>".encode())


class MisbehavingS3(ThreadingHTTPServer):
    """Give the answers in turn, the last again and again, and keep what was asked."""

    daemon_threads = True

    def __init__(self, answers: tuple[Answer, ...]) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers = answers
        self.requests: list[dict[str, str]] = []

    def next_answer(self, headers: dict[str, str]) -> Answer:
        self.requests.append(headers)
        return self.answers[min(len(self.requests), len(self.answers)) - 1]


class Handler(BaseHTTPRequestHandler):
    server: MisbehavingS3

    def do_GET(self) -> None:
        answer = self.server.next_answer(dict(self.headers))
        time.sleep(answer.silence)
        self.close_connection = True
        try:
            self.send_response(answer.status)
            length = len(answer.body) if answer.length is None else answer.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            tenth = len(answer.body) // 10 + 1
            for at in range(0, len(answer.body), tenth):
                self.wfile.write(answer.body[at : at + tenth])
                time.sleep(answer.pause)
        except OSError:  # the reader went away, as it should
            pass

    do_HEAD = do_GET  # the answer then has a length and no body

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def misbehaving_s3(*answers: Answer) -> Iterator[MisbehavingS3]:
    """Serve the answers on a free port of the loopback interface."""
    with MisbehavingS3(answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
