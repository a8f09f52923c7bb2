"""Delete one upload everywhere: item, picture, labelled copies, dead letters that name it.

    python -m ops forget photo.jpg#9e107d9d
    python -m ops forget s3://BUCKET/uploads/photo.jpg --yes

UPLOAD is the name that `list` and `review` print, the one that the ledger gives it, or the address
of the picture. In a bucket with versions every version of that picture goes. Another picture under
the same key stays. An execution of the upload that still runs records nothing: the ledger keeps the
name and two times, without the rest, for two days. The same picture uploaded again is a new upload.

What this cannot reach, it says before it asks; docs/operate.md, "Forget a picture", says how to
deal with each.
"""

import argparse
import json
import sys
from functools import partial

from cli.arguments import add_deletion, add_json
from cli.escaping import printable
from cli.terminal import confirmed
from ops.stack import names
from ops.stack.dead_letters import QUEUES, DeadLetters
from ops.stack.ledger import Ledger
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads

# What still holds the picture or its name. docs/operate.md has a row for each.
OUT_OF_REACH = (
    "copies of labelled/ that were downloaded, and models trained with them",
    "the table's point-in-time recovery, 35 days",
    "captures of the endpoint, the small picture without its name, 30 days",
    "logs and announcements, the name and the outcome, LogRetentionDays",
    "executions of a STANDARD workflow, the name and the small picture, 90 days",
    "the table's stream, all that the ledger knew, 24 hours",
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("upload", metavar="UPLOAD", help=names.HELP)
    add_deletion(parser)
    add_json(parser, "what was deleted")


def run(arguments: argparse.Namespace) -> int:
    """Show, ask, delete."""
    stack = Stack.of(arguments)
    ledger, uploads = Ledger(stack), Uploads(stack)
    upload, key, etag, here = names.named(stack, arguments.upload)
    item = ledger.get(upload)
    copies = list(uploads.copies(upload, key))
    present = here and uploads.has(key, etag)
    messages = dead_letters(stack, upload)
    say = partial(print, file=sys.stderr if arguments.json else sys.stdout)
    known = item is not None or bool(copies or present or messages)
    if known:
        picture = f"s3://{uploads.bucket}/{printable(key)}" if present else "gone already"
        if not here:
            picture = "stays: it is in another bucket; delete it there"
        say(printable(upload))
        say(f"  ledger        {item.outcome if item else 'no item'}")
        say(f"  picture       {picture}")
        for copy in copies:
            say(f"  labelled      s3://{uploads.bucket}/{printable(copy)}")
        if messages:
            say(f"  dead letters  {messages}")
        say("not deleted by this, see docs/operate.md:")
        for place in OUT_OF_REACH:
            say(f"  {place}")
    else:
        say(f"nothing is known of {printable(upload)}")
    if arguments.dry_run or not known:
        if arguments.json:
            to_delete = {"item": item is not None, "picture": present, "copies": copies}
            print(json.dumps({"to_delete": to_delete | {"dead_letters": messages}}))
        return 0
    if not confirmed("Delete all of it for good?", arguments.yes):
        return 1
    gone = dead_letters(stack, upload, delete=True) if messages else 0
    # Once picture and copies are gone no reviewer can copy them any more. The item last: what is
    # interrupted can be found again.
    objects = uploads.delete(key, etag) if here else 0
    objects += sum(uploads.delete(copy) for copy in list(uploads.copies(upload, key)))
    items = int(ledger.forget(upload))
    # A reviewer may have moved a copy under another label since they were listed.
    objects += sum(uploads.delete(copy) for copy in list(uploads.copies(upload, key)))
    if arguments.json:
        print(json.dumps({"objects": objects, "items": items, "dead_letters": gone}))
    else:
        print(f"deleted: objects {objects}, items {items}, dead letters {gone}")
    return 0


def dead_letters(stack: Stack, upload: str, *, delete: bool = False) -> int:
    """Count the dead letters that a redrive would start or announce it with; delete if asked."""
    count = 0
    for name in QUEUES.values():
        with DeadLetters(stack, stack.outputs[name]) as queue:
            for batch in queue.batches():
                mine = [message for message in batch if message.upload == upload]
                count += len(mine)
                if delete:
                    queue.delete(mine)
    return count
