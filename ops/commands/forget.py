"""Delete one upload everywhere: item, picture, labelled copies, dead letters that name it.

    python -m ops forget 'BUCKET/uploads/photo.jpg#9e107d9d372bb6826bd81d3542a419d6'
    python -m ops forget s3://BUCKET/uploads/photo.jpg --yes

UPLOAD is the name that the ledger gives it, or the address of the picture. In a bucket with
versions every version of that picture goes. Another picture under the same key stays. What holds
no picture expires by itself: announcements in the audit log (the stack's LogRetentionDays), the
table's changes (24 hours; a dead letter of the pipe can announce them until then), its backup (35
days). The small picture that the model saw, without the upload's name, stays in
the endpoint's captures until they expire (30 days); with its name in the workflow's execution
history (90 days; for less, run the stack as EXPRESS).
"""

import argparse

from cli.terminal import confirmed
from ops.stack.announcements import upload_in
from ops.stack.dead_letters import QUEUES, Letters
from ops.stack.executions import address_in
from ops.stack.ledger import Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.uploads import Pictures


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of this command."""
    parser.add_argument("upload", metavar="UPLOAD", help="BUCKET/KEY#ETAG or s3://BUCKET/KEY")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace) -> int:
    """Tell, ask, delete."""
    stack = Stack.of(arguments)
    ledger, pictures = Ledger(stack), Pictures(stack)
    key, etag = pictures.address(arguments.upload)
    upload = name_of(pictures.bucket, key, etag)
    item = ledger.get(upload)
    copies = list(pictures.copies(upload, key))
    present = pictures.has(key, etag)
    letters = _letters(stack, upload)
    if item is None and not copies and not present and not letters:
        print(f"nothing is known of {upload}")
        return 0
    print(upload)
    print(f"  ledger    {item.outcome if item else 'no item'}")
    print(f"  picture   {'s3://' + pictures.bucket + '/' + key if present else 'gone already'}")
    for copy in copies:
        print(f"  labelled  s3://{pictures.bucket}/{copy}")
    if letters:
        print(f"  letters   {letters} in the dead-letter queues")
    if not confirmed("Delete all of it for good?", arguments.yes):
        return 1
    # The item last: what is interrupted can be found again.
    gone = _letters(stack, upload, delete=True) if letters else 0
    objects = pictures.delete(key, etag) + sum(pictures.delete(copy) for copy in copies)
    items = int(ledger.delete(upload))
    print(f"deleted {objects} objects, {items} item, {gone} dead letters")
    return 0


def _letters(stack: Stack, upload: str, *, delete: bool = False) -> int:
    """Count the dead letters that a redrive would start or announce it with; delete if asked."""
    count = 0
    for name in QUEUES.values():
        with Letters(stack, stack.outputs[name]) as queue:
            for letters in queue.batches():
                mine = [each for each in letters if _named(each.body) == upload]
                count += len(mine)
                if delete:
                    queue.delete(mine)
    return count


def _named(body: str) -> str | None:
    address = address_in(body)
    return name_of(*address) if address else upload_in(body)
