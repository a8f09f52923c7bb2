"""The model server as a client of the SageMaker hosting contract meets it, over real sockets."""

import http.client
import io
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from PIL import Image, ImageOps

from model.serving.server import (
    BODY_SECONDS,
    CONNECTION_LIMIT,
    DRAIN_SECONDS,
    MAX_BODY_BYTES,
    MAX_PIXELS,
    MAX_SCANS,
    Classifier,
)
from tests.support.project import ROOT

MODEL = ROOT / "model" / "pretrained"
CLASSIFIER = Classifier(MODEL)
LIMIT = f"{MAX_PIXELS:,}"


class Server:
    """A server in a process of its own."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", "model.serving.server", "--model", str(MODEL)]
        self.process = subprocess.Popen(
            [*command, "--host", "127.0.0.1", "--port", "0"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        self.greeting = self.process.stdout.readline()
        self.port = int(self.greeting.rsplit(":", 1)[1])

    def request(
        self,
        method: str = "POST",
        path: str = "/invocations",
        body: bytes = b"",
        content_type: str | None = "image/png",
        **headers: str,
    ) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        given = {"Content-Type": content_type} if content_type is not None else {}
        connection.request(method, path, body, given | headers)
        answer = connection.getresponse()
        assert answer.getheader("Content-Type") == "application/json"
        document = json.loads(answer.read())
        connection.close()
        return answer.status, document

    def stop(self) -> int:
        self.process.terminate()
        code = self.process.wait(30)
        assert self.process.stdout
        self.process.stdout.close()
        return code


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    running = Server()
    yield running
    assert running.stop() == 0


@pytest.fixture
def own_server() -> Iterator[Server]:
    """A server for one test, which may stop it."""
    running = Server()
    yield running
    running.process.kill()
    running.stop()


def picture(kind: str = "PNG", size: tuple[int, int] = (64, 48)) -> bytes:
    buffer = io.BytesIO()
    Image.linear_gradient("L").resize(size).convert("RGB").save(buffer, kind)
    return buffer.getvalue()


def claiming(width: int, height: int) -> bytes:
    """Return a PNG of a few bytes that says it is this large."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(b"")), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


def test_ping_tells_the_model(server: Server) -> None:
    card = json.loads((MODEL / "card.json").read_text())
    assert server.request("GET", "/ping") == (200, {"model": card["version"]})


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("PNG", "image/png"),
        ("JPEG", "image/jpeg"),
        ("PNG", "application/x-image"),
        ("JPEG", "Application/X-Image; charset=binary"),
    ],
)
def test_a_picture_gets_the_graph_s_probabilities_highest_first(
    server: Server, kind: str, content_type: str
) -> None:
    status, document = server.request(body=picture(kind), content_type=content_type)
    assert status == 200
    confidences = [inference["confidence"] for inference in document["inferences"]]
    assert confidences == sorted(confidences, reverse=True)
    assert sum(confidences) == pytest.approx(1, abs=1e-5)


def test_the_answer_is_that_of_the_bare_graph(server: Server) -> None:
    session = onnxruntime.InferenceSession(MODEL / "model.onnx", providers=["CPUExecutionProvider"])
    [graph_input] = session.get_inputs()
    height, width = graph_input.shape[2:]
    generator = np.random.default_rng(1)
    pixels = generator.integers(0, 256, (height, width, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")  # of the graph's size: nothing is resized
    [expected] = session.run(
        ["probabilities"], {"image": pixels.transpose(2, 0, 1)[None].astype(np.float32) / 255}
    )[0]
    labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
    _, document = server.request(body=buffer.getvalue())
    answered = {guess["label"]: guess["confidence"] for guess in document["inferences"]}
    assert answered == pytest.approx(dict(zip(labels, map(float, expected), strict=True)), abs=2e-3)


@pytest.mark.parametrize(
    ("change", "status", "words"),
    [
        ({"content_type": "text/plain"}, 415, "'text/plain'; send one of image/png"),
        ({"content_type": None}, 415, "send one of image/png"),
        ({"body": b"no picture"}, 400, "neither PNG nor JPEG"),
        ({"body": b""}, 400, "neither PNG nor JPEG"),
        ({"body": picture()[:60]}, 400, "cannot be decoded"),
        ({"body": picture("GIF")}, 400, "neither PNG nor JPEG"),
        ({"body": claiming(8_000, 8_000)}, 400, f"8,000 x 8,000 pixels; the limit is {LIMIT}"),
        ({"body": claiming(60_000, 60_000)}, 400, f"60,000 x 60,000 pixels; the limit is {LIMIT}"),
        ({"body": picture("JPEG") + b"\xff\xda" * MAX_SCANS}, 400, "201 scans; the limit is 200"),
        ({"method": "GET"}, 405, "/invocations takes POST, not GET"),
        ({"method": "POST", "path": "/ping"}, 405, "/ping takes GET, not POST"),
        ({"path": "/models"}, 404, "there are /ping and /invocations"),
        ({"body": picture(), "Accept": "text/csv"}, 406, "only application/json"),
    ],
)
def test_what_is_wrong_is_refused_with_its_status_and_named(
    server: Server, change: dict[str, Any], status: int, words: str
) -> None:
    answered, document = server.request(**change)
    assert answered == status
    assert words in document["error"]


def raw(server: Server, words: bytes, patience_s: float = 20) -> bytes:
    """Send bytes, and return all that comes back until the server closes or pauses."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=patience_s) as connection:
        connection.sendall(words)
        return connection.recv(65536)


def test_a_body_over_the_limit_is_refused_before_it_is_read(server: Server) -> None:
    head = f"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: {MAX_BODY_BYTES + 1}\r\n\r\n"
    assert raw(server, head.encode()).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize(
    "words",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: -5\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nContent-Length: five\r\n\r\n",
        b"POST /invocations HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n",
    ],
    ids=["tls", "negative-length", "wordy-length", "broken-chunk"],
)
def test_what_is_no_http_is_answered_as_a_bad_request(server: Server, words: bytes) -> None:
    assert raw(server, words).startswith((b"HTTP/1.0 400 ", b"HTTP/1.1 400 "))
    assert server.request("GET", "/ping")[0] == 200


def test_clients_that_send_nothing_stop_no_one_else(server: Server) -> None:
    beginning = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow"
    slow = [
        socket.create_connection(("127.0.0.1", server.port)) for _ in range(CONNECTION_LIMIT // 2)
    ]
    try:
        for connection in slow:
            connection.sendall(beginning)
        assert server.request(body=picture())[0] == 200
    finally:
        for connection in slow:
            connection.close()


def test_requests_at_once_get_each_its_own_answer(server: Server) -> None:
    pictures = [picture(size=(40 + 8 * n, 64)) for n in range(16)]
    alone = [server.request(body=content) for content in pictures]
    together: dict[int, Any] = {}

    def ask(number: int) -> None:
        together[number] = server.request(body=pictures[number])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [together[n] for n in range(len(pictures))] == alone


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_answers_what_is_in_flight_and_takes_nothing_new(number: signal.Signals) -> None:
    server = Server()
    body = picture()
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Type: image/png\r\n"
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as connection:
        connection.sendall(head + f"Content-Length: {len(body)}\r\n\r\n".encode() + body[:50])
        time.sleep(0.5)  # the server has read the beginning
        os.kill(server.process.pid, number)
        deadline = time.monotonic() + 10
        while not refuses(server.port):
            assert time.monotonic() < deadline, "it still listens"
            time.sleep(0.05)
        connection.sendall(body[50:])
        assert connection.recv(65536).startswith(b"HTTP/1.1 200 ")
    assert server.process.wait(20) == 0
    server.stop()


def test_a_stop_does_not_wait_for_a_body_that_never_comes(own_server: Server) -> None:
    head = b"POST /invocations HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n"
    with socket.create_connection(("127.0.0.1", own_server.port)) as connection:
        connection.sendall(head + b"half")
        assert own_server.request("GET", "/ping")[0] == 200  # the server has read the half
        own_server.process.terminate()
        assert own_server.process.wait(DRAIN_SECONDS + 5) == 0  # SageMaker's SIGKILL comes then


def test_the_deadlines_of_a_stop_are_within_what_sagemaker_waits() -> None:
    assert BODY_SECONDS < DRAIN_SECONDS < 30


def test_ping_waits_for_no_inference(server: Server) -> None:
    large, answered = picture(size=(5_000, 5_000)), []
    asked = 6 * (os.cpu_count() or 1)

    def ask() -> None:
        answered.append(server.request(body=large)[0])

    threads = [threading.Thread(target=ask) for _ in range(asked)]
    for thread in threads:
        thread.start()
    while not answered:  # all others are queued behind it
        time.sleep(0.01)
    assert server.request("GET", "/ping")[0] == 200
    waiting = asked - len(answered)
    for thread in threads:
        thread.join()
    assert answered == [200] * asked
    assert waiting > (os.cpu_count() or 1)  # of them, as many may be in work


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_exif_whose_entries_share_one_large_value_costs_no_memory(
    own_server: Server, kind: str
) -> None:
    entries, value = 2_500, 30_000  # 75 MB if each is read; a JPEG has 64 KiB for both
    directory = struct.pack("<H", entries) + b"".join(
        struct.pack("<HHLL", 40_000 + number, 7, value, 30_100) for number in range(entries)
    )
    exif = b"Exif\0\0II*\0\x08\0\0\0" + directory.ljust(value + 30_092, b"\0")
    buffer = io.BytesIO()
    Image.new("RGB", (64, 48)).save(buffer, kind, exif=exif)
    own_server.request(body=picture(kind))  # what the first inference takes
    before = peak_mib(own_server)
    assert own_server.request(body=buffer.getvalue())[0] == 200
    assert peak_mib(own_server) - before < 40


def peak_mib(server: Server) -> int:
    """Return the most memory that the server has had."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_the_orientation_of_a_photo_is_applied(kind: str, turn: int) -> None:
    exif = Image.Exif()
    exif[274] = turn
    buffer = io.BytesIO()
    coloured = Image.merge("RGB", [Image.linear_gradient("L").rotate(90 * n) for n in range(3)])
    coloured.resize((96, 64)).save(buffer, kind, exif=exif, quality=95)
    with Image.open(io.BytesIO(buffer.getvalue())) as opened:
        upright = ImageOps.exif_transpose(opened)
        size = CLASSIFIER.width, CLASSIFIER.height
        expected = upright.convert("RGB").resize(size, Image.Resampling.BICUBIC)
    pixels = CLASSIFIER.pixels(buffer.getvalue()).transpose(1, 2, 0) * 255
    apart = np.abs(pixels - np.asarray(expected, np.float32))  # by the order of two roundings
    assert (apart.max() <= 2, apart.mean() < 0.05) == (True, True)


def refuses(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_folder_without_a_model_is_named(tmp_path: Any) -> None:
    command = [sys.executable, "-m", "model.serving.server", "--model", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert f"--model {tmp_path}: it holds no model.onnx" in done.stderr
