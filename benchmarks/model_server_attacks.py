"""The model server under attack: what it answers, how long it takes, and what memory.

    python -m benchmarks.model_server_attacks

Each attack meets a server of its own; the table is Markdown, for docs/security.md. Linux: memory is
read from /proc.
"""

import contextlib
import http.client
import io
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from PIL import Image

from local.paths import PRETRAINED
from model.serving.server import MAX_BODY_BYTES, MAX_PIXELS, MAX_SCANS

ROOT = Path(__file__).parents[1]
SIDE = int(MAX_PIXELS**0.5)  # pixels; a square picture of this side is as large as it may be
SHARED_ENTRIES = 9_500  # of EXIF, which fill 120 KB together with their value
CROWD = 40  # clients at once
HALVES = 200  # connections that send half a request; the server takes 256


class Server:
    """A model server in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "model.serving.server", "--model", str(PRETRAINED)]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.port = int(self.process.stdout.readline().rsplit(":", 1)[1])

    def ask(self, method: str, path: str, body: bytes = b"") -> str:
        """Return the status and the beginning of an answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=120)
        with contextlib.closing(connection):
            connection.request(method, path, body, {"Content-Type": "application/x-image"})
            answer = connection.getresponse()
            return f"{answer.status} {answer.reason}"

    def post(self, body: bytes) -> str:
        """Return the answer to a picture."""
        return self.ask("POST", "/invocations", body)

    def ping_s(self) -> float:
        """Return the seconds that /ping takes."""
        began = time.monotonic()
        self.ask("GET", "/ping")
        return time.monotonic() - began

    def peak_mib(self) -> int:
        """Return the most memory that the server has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@contextlib.contextmanager
def server() -> Iterator[Server]:
    """Run a server, which has answered once, until the context ends."""
    running = Server()
    try:
        running.post(encoded(Image.new("RGB", (64, 48)), "PNG"))
        yield running
    finally:
        running.process.kill()
        running.process.communicate()


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    """Return a picture's file."""
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def png(width: int, height: int, colours: int, depth: int, rows: bytes = b"") -> bytes:
    """Return a PNG of this header, whatever its rows."""
    header = struct.pack(">IIBBBBB", width, height, depth, colours, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def shared_exif() -> bytes:
    """Return EXIF whose entries share one value of 120 KB: 1.1 GB if each is read."""
    size = 8 + 2 + 12 * SHARED_ENTRIES + 4 + 5_000
    entries = b"".join(
        struct.pack("<HHLL", 40_000 + number, 7, size - 8, 8) for number in range(SHARED_ENTRIES)
    )
    tiff = b"II*\0" + struct.pack("<LH", 8, SHARED_ENTRIES) + entries
    return b"Exif\0\0" + tiff.ljust(size, b"\0")


def jpeg_with_exif() -> bytes:
    """Return a JPEG with this EXIF in segments of 64 KiB at most, as Pillow joins them."""
    exif = shared_exif().removeprefix(b"Exif\0\0")
    parts = [b"Exif\0\0" + exif[at : at + 65_000] for at in range(0, len(exif), 65_000)]
    segments = b"".join(b"\xff\xe1" + struct.pack(">H", len(part) + 2) + part for part in parts)
    plain = encoded(Image.new("RGB", (64, 48)), "JPEG")
    return plain[:2] + segments + plain[2:]


def pictures() -> Iterator[tuple[str, bytes]]:
    """Yield the hostile bodies by name."""
    large = Image.new("RGB", (SIDE, SIDE), (200, 30, 40))
    yield "JPEG, EXIF entries that share one value", jpeg_with_exif()
    exif = shared_exif()
    yield (
        "PNG, EXIF entries that share one value",
        encoded(Image.new("RGB", (64, 48)), "PNG", exif=exif),
    )
    rows = bytes(1 + 8 * SIDE) * SIDE
    yield f"PNG, {SIDE:,} x {SIDE:,}, RGBA of 16 bits", png(SIDE, SIDE, 6, 16, rows)
    yield "PNG that claims 60,000 x 60,000", png(60_000, 60_000, 2, 8)
    progressive = encoded(large, "JPEG", progressive=True)
    yield f"JPEG, {SIDE:,} x {SIDE:,}, progressive", progressive
    scans = progressive + b"\xff\xda" * 5_000
    yield f"JPEG of 5,000 scans (limit {MAX_SCANS})", scans
    yield "body above the limit", bytes(MAX_BODY_BYTES + 1)


def crowd(running: Server) -> str:
    """Let many clients send large pictures at once; return what they and /ping are answered."""
    body = encoded(Image.new("RGB", (SIDE, SIDE)), "PNG")
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(running.post(body))) for _ in range(CROWD)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    pings = [0.0]
    while any(thread.is_alive() for thread in threads):
        pings.append(running.ping_s())
        time.sleep(0.1)
    took = time.monotonic() - began
    counts = ", ".join(f"{count} x {answer}" for answer, count in Counter(answers).items())
    return f"{counts} within {took:.1f} s; slowest of {len(pings) - 1} /ping {max(pings):.2f} s"


def half_requests(running: Server) -> str:
    """Send half a request on many connections; return what another client is answered."""
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    with contextlib.ExitStack() as connections:
        for _ in range(HALVES):
            connection = socket.create_connection(("127.0.0.1", running.port))
            connections.enter_context(connection).sendall(head)
        answer = running.post(encoded(Image.new("RGB", (64, 48)), "PNG"))
        return f"another client: {answer}; /ping {running.ping_s():.2f} s"


def stop_with_a_half_request(running: Server) -> str:
    """Stop a server that waits for the rest of a body; return when it has ended."""
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf"
    with socket.create_connection(("127.0.0.1", running.port)) as connection:
        connection.sendall(head)
        running.ping_s()
        began = time.monotonic()
        os.kill(running.process.pid, signal.SIGTERM)
        code = running.process.wait(60)
        return f"exit code {code} after {time.monotonic() - began:.1f} s"


def main() -> int:
    """Run every attack, and print a row for each."""
    if sys.platform != "linux":
        sys.exit("error: memory is read from /proc, which only Linux has")
    print(
        "| attack | bytes | answer | s | peak MiB |\n| --- | ---: | --- | ---: | ---: |", flush=True
    )
    for name, body in pictures():
        with server() as running:
            before, began = running.peak_mib(), time.monotonic()
            answer = refused_early(running) if len(body) > MAX_BODY_BYTES else running.post(body)
            took = time.monotonic() - began
            print(
                f"| {name} | {len(body):,} | {answer} | {took:.2f} |"
                f" {before} -> {running.peak_mib()} |",
                flush=True,
            )
    situations: dict[str, Callable[[Server], str]] = {
        f"{CROWD} clients with {SIDE:,} x {SIDE:,} pixels at once": crowd,
        f"{HALVES} half requests": half_requests,
        "SIGTERM, and a body that never comes": stop_with_a_half_request,
    }
    print("\n| situation | what happens | peak MiB |\n| --- | --- | ---: |")
    for name, attack in situations.items():
        with server() as running:
            happened = attack(running)
            peak = str(running.peak_mib()) if running.process.poll() is None else ""
            print(f"| {name} | {happened} | {peak} |", flush=True)
    return 0


def refused_early(running: Server) -> str:
    """Announce a body above the limit, and send none; return the status."""
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(head.encode())
        return connection.recv(100).split(b"\r\n")[0].decode().removeprefix("HTTP/1.1 ")


if __name__ == "__main__":
    sys.exit(main())
