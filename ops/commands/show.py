"""Everything that is known of one upload: its item in the ledger, its picture, labelled copies.

    python -m ops show 'BUCKET/uploads/photo.jpg#9e107d9d372bb6826bd81d3542a419d6'
    python -m ops show s3://BUCKET/uploads/photo.jpg --json

Exit code 1 if the ledger has no such upload.
"""

import argparse
import json
from typing import Any

from cli.terminal import printable, sentence
from ops.stack.ledger import Decision, Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.uploads import Pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("upload", metavar="UPLOAD", help="BUCKET/KEY#ETAG or s3://BUCKET/KEY")
    parser.add_argument("--json", action="store_true", help="one JSON object, with the event")


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    stack = Stack.of(arguments)
    pictures = Pictures(stack)
    key, etag = pictures.address(arguments.upload)
    upload = name_of(pictures.bucket, key, etag)
    item = Ledger(stack).get(upload)
    here = {"picture": pictures.has(key, etag), "copies": list(pictures.copies(upload, key))}
    if arguments.json:
        known: dict[str, Any] = {"upload": upload}
        if item is not None:
            known = item.told() | {"event": json.loads(item.event)}
        print(json.dumps(known | here, ensure_ascii=False, indent=2))
    else:
        print(printable(upload))
        for name, value in [*attributes(item, stack), *places(here)]:
            print(f"  {name:<15}{printable(value)}")
    return 0 if item else 1


def attributes(item: Decision | None, stack: Stack) -> list[tuple[str, str]]:
    """Return what the ledger tells, without what is empty and the event."""
    if item is None:
        hint = stack.command("reconcile")
        return [("outcome", f"none: the ledger does not know it; {hint}")]
    found = vars(item) | {
        "detail": sentence(item.detail),
        "inferences": ", ".join(f"{e['label']} {e['confidence']:.3f}" for e in item.guesses()),
    }
    if not item.label:
        found |= {"confidence": "", "threshold": ""}
    hidden = {"upload", "s3_bucket", "s3_key", "etag", "event"}
    return [(name, str(value)) for name, value in found.items() if value and name not in hidden]


def places(here: dict[str, Any]) -> list[tuple[str, str]]:
    """Return where its picture is."""
    present = "in the bucket" if here["picture"] else "gone: deleted or overwritten"
    return [("picture", present), *(("labelled copy", copy) for copy in here["copies"])]
