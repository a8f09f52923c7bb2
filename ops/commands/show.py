"""Everything that is known of one upload: its item in the ledger, its picture, labelled copies.

What people have changed of it is one line a change: when, who, how, what before, what after.

    python -m ops show photo.jpg#9e107d9d
    python -m ops show s3://BUCKET/uploads/photo.jpg --json
    python -m ops show photo.jpg#9e107d9d --announcements

UPLOAD is the name that `list` and `review` print; without its etag it is looked up in the whole
ledger. Exit code 1 if the ledger does not know an upload that is named whole or is in the bucket,
2 if there is none of that name.
"""

import argparse
import json
from typing import Any

from cli.arguments import add_json
from cli.escaping import escaped, printable
from ops.stack import audit_log, names
from ops.stack.describing import attributes, changes, places
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("upload", metavar="UPLOAD", help=names.HELP)
    add_json(parser, "one object, with the event,")
    parser.add_argument(
        "--announcements",
        action="store_true",
        help=f"also what the audit log has of it; reads the log for {audit_log.LOOK_S} s at most",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print it."""
    stack = Stack.of(arguments)
    uploads = Uploads(stack)
    upload, key, etag, in_bucket = names.named(stack, arguments.upload)
    item = Ledger(stack).get(upload)
    heard = audit_log.heard(stack, item) if item and arguments.announcements else None
    here = {
        "picture": uploads.has(key, etag) if in_bucket else None,
        "copies": list(uploads.copies(upload, key)),
    }
    if arguments.json:
        known: dict[str, Any] = {"upload": upload}
        if item is not None:
            known = item.as_dict() | {"event": json.loads(item.event)}
        if heard is not None:
            known["announcements"] = [vars(announcement) for announcement in heard.announcements]
            known["announcements_whole"] = heard.whole
        print(json.dumps(known | here, ensure_ascii=False, indent=2))
    else:
        print(printable(upload))
        announced = heard.rows() if heard else []
        for name, value in [*attributes(item, stack), *changes(item), *announced, *places(here)]:
            print(f"  {name:<16}{escaped(value)}")
    return 0 if item else 1
