"""Let browsers upload straight to the bucket, by forms that this server signs.

    python examples/browser/server.py --stack scones-unlimited --port 8000

The stack's parameter UploadOrigin has to be http://localhost:8000 then.
"""

import argparse
import json
import sys
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from botocore.exceptions import BotoCoreError, ClientError

PAGE = Path(__file__).with_name("index.html")
MOST_BYTES = 25 * 1024 * 1024  # what the workflow takes
VALID_S = 300
TYPES = {
    *("image/avif", "image/bmp", "image/gif", "image/heic", "image/heif"),
    *("image/jpeg", "image/png", "image/tiff", "image/webp"),
}
FINAL = ("upload", "outcome", "label", "confidence", "reason")


def signed_form(s3: Any, bucket: str, prefix: str, content_type: str) -> dict[str, Any]:
    """Return url and fields of a form that takes one picture, under a key that the server chooses.

    The signature holds key, type and 1 to MOST_BYTES bytes, for VALID_S seconds. Raises ValueError
    if content_type is none of TYPES.
    """
    if content_type not in TYPES:
        raise ValueError(f"{content_type[:40]!r} is no type of picture: {', '.join(sorted(TYPES))}")
    fields = {"Content-Type": content_type}
    form: dict[str, Any] = s3.generate_presigned_post(
        bucket,
        f"{prefix}{uuid.uuid4()}",
        Fields=dict(fields),
        Conditions=[fields, ["content-length-range", 1, MOST_BYTES]],
        ExpiresIn=VALID_S,
    )
    return form


def handler(outputs: dict[str, str]) -> type[BaseHTTPRequestHandler]:
    """Return what answers GET / (the page), /form?type= and /decision?key=&etag=."""
    s3, bucket = boto3.client("s3"), outputs["UploadBucket"]
    table = boto3.resource("dynamodb").Table(outputs["DecisionsTable"])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            given = {name: values[0] for name, values in parse_qs(asked.query).items()}
            if asked.path == "/":
                self.answer(200, PAGE.read_bytes(), "text/html; charset=utf-8")
            elif asked.path == "/form":
                try:
                    form = signed_form(s3, bucket, outputs["UploadPrefix"], given.get("type", ""))
                except ValueError as error:
                    self.answer_json({"error": str(error)}, 400)
                else:
                    self.answer_json(form)
            elif asked.path == "/decision":
                # The key is a name that nobody can guess, and only who has the form knows it.
                upload = f"{bucket}/{given.get('key', '')}#{given.get('etag', '')}"
                item = table.get_item(Key={"upload": upload}).get("Item", {})
                self.answer_json({name: item[name] for name in FINAL if "outcome" in item})
            else:
                self.answer_json({"error": f"there is no {asked.path[:80]}"}, 404)

        def answer_json(self, document: Any, status: int = 200) -> None:
            self.answer(status, json.dumps(document, default=float).encode(), "application/json")

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            for name, value in (
                ("Content-Type", kind),
                ("Content-Length", str(len(body))),
                ("Cache-Control", "no-store"),
            ):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


def main() -> None:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description="A page that uploads pictures to the bucket.")
    parser.add_argument("--stack", default="scones-unlimited")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=arguments.stack)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    server = ThreadingHTTPServer(("127.0.0.1", arguments.port), handler(outputs))
    print(f"http://localhost:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    try:
        main()
    except (OSError, BotoCoreError, ClientError) as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        sys.exit(130)
