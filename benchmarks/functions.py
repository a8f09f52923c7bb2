"""Cold start, warm time and size of what `sam build` made, beside bare SDK calls."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from benchmarks.table import Row, row
from local.lambdas.libraries import link_libraries

BUILT = Path(__file__).parents[1] / ".aws-sam" / "build"
# As on Lambda: the package, the standard library and the runtime's own libraries, nothing else, and
# no bytecode of the package, which has none.
FLAGS = ("-S", "-P", "-B")
PATH = "import sys; sys.path.insert(0, {package!r}); sys.path.append({runtime!r})\n"
FRESH_PROCESSES = 15
WARM_CALLS = 300
LAMBDA_LIMIT_MB = 250  # https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html

# The smallest real picture: 32 x 32 pixels, as the model's training pictures are.
PICTURE_CODE = """
import io
from PIL import Image
buffer = io.BytesIO()
Image.effect_noise((32, 32), 60).convert("RGB").save(buffer, "PNG")
"""
ANSWER = {
    "inferences": [
        {"label": "bicycle", "confidence": 0.98},
        {"label": "motorcycle", "confidence": 0.02},
    ],
    "model": "none",
}
ADDRESS = {"s3_bucket": "bucket", "s3_key": "uploads/a.png", "etag": "0" * 32}


def rows() -> list[Row]:
    """Return a row per function for its cold start, its warm time and its size."""
    if not BUILT.is_dir():
        raise SystemExit("there is no .aws-sam/build: run `sam build`, or `make bench`")
    with services() as environment, tempfile.TemporaryDirectory() as folder:
        python = Python(link_libraries(Path(folder) / "runtime"), environment)
        return [*cold_rows(python), *warm_rows(python), *size_rows()]


class Python:
    """Runs code as Lambda's runtime would run it in a function's package."""

    def __init__(self, runtime: Path, environment: dict[str, str]) -> None:
        self.runtime, self.environment = runtime, environment

    def run(self, code: str, step: str, stdin: object = None) -> str:
        """Return what the code prints."""
        package = BUILT / f"{step.title()}Function"
        path = PATH.format(package=str(package), runtime=str(self.runtime))
        return subprocess.run(
            [sys.executable, *FLAGS, "-c", path + code],
            check=True,
            env=self.environment,
            input=json.dumps(stdin),
            stdout=subprocess.PIPE,
            text=True,
        ).stdout

    def cold_ms(self, code: str, step: str) -> float:
        """Return the median milliseconds of fresh processes that run the code, start to exit."""
        times = []
        for _ in range(FRESH_PROCESSES + 1):
            start = time.perf_counter()
            self.run(code, step)
            times.append((time.perf_counter() - start) * 1000)
        return statistics.median(times[1:])  # the first one fills the disk's cache


@contextmanager
def services() -> Iterator[dict[str, str]]:
    """Serve S3's GetObject and SageMaker's InvokeEndpoint on loopback; yield the environment."""
    picture = subprocess.run(
        [
            sys.executable,
            "-c",
            PICTURE_CODE + "import sys; sys.stdout.buffer.write(buffer.getvalue())",
        ],
        check=True,
        capture_output=True,
    ).stdout
    answers = {"GET": ("image/png", picture), "POST": ("application/json", _json(ANSWER))}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1

        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            content_type, body = answers[self.command]
            self.send_response(200)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("ETag", f'"{ADDRESS["etag"]}"')
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,)).start()
        try:
            yield {
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
                "AWS_ACCESS_KEY_ID": "benchmark",
                "AWS_SECRET_ACCESS_KEY": "benchmark",
                "AWS_REGION": "us-east-1",
                "AWS_DEFAULT_REGION": "us-east-1",
                "ENDPOINT_NAME": "endpoint",
                "CONFIDENCE_THRESHOLD": "0.93",
                "NONE_THRESHOLD": "0.9",
                "AUDIT_SHARE": "2",
            }
        finally:
            server.shutdown()


def cold_rows(python: Python) -> list[Row]:
    """Return the median time to import each handler in a fresh process, beside its floor."""
    interpreter = python.cold_ms("pass", "filter")
    result = [row("cold start, bare interpreter", interpreter, "ms")]
    floors = {
        "serialize": ("a bare boto3 S3 client", "import boto3; boto3.client('s3')"),
        "classify": (
            "a bare boto3 SageMaker client",
            "import boto3; boto3.client('sagemaker-runtime')",
        ),
        "filter": ("the bare interpreter", "pass"),
    }
    for step, (note, code) in floors.items():
        value, floor = python.cold_ms("import app", step), python.cold_ms(code, step)
        result.append(row(f"cold start, {step}", value, "ms", floor, note=note))
    return result


def size_rows() -> list[Row]:
    """Return the size of each package as `sam deploy` uploads it."""
    result = []
    for step in ("serialize", "classify", "filter"):
        package = BUILT / f"{step.title()}Function"
        with tempfile.TemporaryDirectory() as folder:
            archive = shutil.make_archive(str(Path(folder) / step), "zip", package)
            megabytes = Path(archive).stat().st_size / 1e6
        sizes = [path.stat().st_size for path in package.rglob("*") if path.is_file()]
        note = f"of Lambda's limit for both; {sum(sizes) / 1e6:.1f} MB unzipped"
        result.append(row(f"package, {step}, zipped", megabytes, "MB", LAMBDA_LIMIT_MB, note=note))
    return result


WARM_CODE = """
import base64, json, statistics, sys, time
import app
EVENTS = json.loads(sys.stdin.read())
def median_ms(call, count):
    times = []
    for _ in range(count):
        start = time.perf_counter()
        call()
        times.append((time.perf_counter() - start) * 1000)
    return statistics.median(times)
"""
FLOORS = {
    "serialize": (
        "one bare GetObject",
        """
import boto3
s3 = boto3.client("s3")
floor = lambda: s3.get_object(Bucket="bucket", Key="uploads/a.png")["Body"].read()
""",
    ),
    "classify": (
        "one bare InvokeEndpoint",
        """
import boto3
runtime = boto3.client("sagemaker-runtime")
picture = base64.b64decode(EVENTS["event"]["image_data"])
floor = lambda: runtime.invoke_endpoint(
    EndpointName="endpoint", ContentType="image/png", Accept="application/json", Body=picture
)["Body"].read()
""",
    ),
    "filter": ("an empty call", "\nfloor = lambda: None\n"),
}


def warm_rows(python: Python) -> list[Row]:
    """Return the median time of a warm call of each handler, beside one bare SDK call."""
    documents: dict[str, object] = {"serialize": ADDRESS}
    documents["classify"] = _run_step(python, "serialize", ADDRESS)
    documents["filter"] = _run_step(python, "classify", documents["classify"])
    result = []
    for step, (note, floor) in FLOORS.items():
        code = WARM_CODE + floor + "event = EVENTS['event']\n"
        code += "handler = lambda: app.lambda_handler(event, None)\n"
        code += f"median_ms(handler, 20), median_ms(floor, 20)\ncount = {WARM_CALLS}\n"
        code += "print(median_ms(handler, count), median_ms(floor, count))"
        output = python.run(code, step, {"event": documents[step]})
        value, bare = map(float, output.split())
        name = f"warm call, {step}, 32x32 PNG"
        if bare < 0.01:  # milliseconds
            result.append(row(name, value * 1000, "µs", bare * 1000, note=note))
        else:
            result.append(row(name, value, "ms", bare, note=note))
    return result


def _run_step(python: Python, step: str, event: object) -> object:
    code = "import app, json, sys\nprint(json.dumps(app.lambda_handler(json.load(sys.stdin), 0)))"
    return json.loads(python.run(code, step, event))


def _json(value: object) -> bytes:
    return json.dumps(value).encode()
