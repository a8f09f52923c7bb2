"""The names of uploads: whole, as the ledger has them, and short, as tables print them."""

import re

from cli.errors import CommandError
from cli.terminal import ELLIPSIS, REPLACEMENT, printable
from ops.stack.ledger import Decision, Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads

ETAG_SHOWN = 8  # characters; enough to tell the uploads of one key apart
ETAG = re.compile(r"(.*)#([0-9a-f]{1,32}(?:-[0-9]{1,5})?)", re.DOTALL)  # -N: a multipart upload
# What a table prints for the middle of a long key, and for a character that could steer a terminal.
UNSURE_PARTS = {ELLIPSIS: ".*", REPLACEMENT: "."}
UNSURE = re.compile(f"([{''.join(UNSURE_PARTS)}])")
CHOICES = 10  # listed when a name is ambiguous

HELP = "as list and review print it, BUCKET/KEY#ETAG, or s3://BUCKET/KEY for what is there now"


def short_name(stack: Stack, item: Decision) -> str:
    """Return the name of an upload for a table: its key under the prefix, its etag's beginning."""
    return f"{item.s3_key.removeprefix(stack.outputs['UploadPrefix'])}#{item.etag[:ETAG_SHOWN]}"


def find(stack: Stack, text: str) -> tuple[str, str]:
    """Return key and etag of the upload that somebody names; HELP says how.

    A whole name is taken as it is, known or not. A short one is looked up in the bucket and, if it
    is not there or names no etag, in the ledger's index. Raises CommandError where there is none,
    or more than one.
    """
    uploads = Uploads(stack)
    if text.startswith("s3://"):
        return _current(uploads, text)
    if text.startswith(f"{uploads.bucket}/"):
        key, mark, etag = text.removeprefix(f"{uploads.bucket}/").rpartition("#")
        if not (key and mark and etag):
            raise CommandError(f"{text!r} has no #ETAG: write the name that the ledger gives it")
        return key, etag
    found = _short(stack, uploads, text)
    if len(found) == 1:
        return found.pop()
    if not found:
        raise CommandError(
            f"{text!r} is no upload of this stack: write its name as list prints it,"
            f" {uploads.bucket}/KEY#ETAG or s3://{uploads.bucket}/KEY"
        )
    names = [name_of(uploads.bucket, *address) for address in sorted(found)]
    more = f", and {len(names) - CHOICES:,} more" if len(names) > CHOICES else ""
    listed = ", ".join(map(printable, names[:CHOICES]))
    raise CommandError(f"{text!r} is one of {len(names):,} uploads, name it whole: {listed}{more}")


def _current(uploads: Uploads, address: str) -> tuple[str, str]:
    bucket, _, key = address.removeprefix("s3://").partition("/")
    if bucket != uploads.bucket or not key:
        raise CommandError(
            f"{address!r} is no upload of this stack: its bucket is {uploads.bucket}"
        )
    etag = uploads.etag(key)
    if etag is None:
        raise CommandError(f"there is nothing at {address}: name the upload as the ledger does")
    return key, etag


def _short(stack: Stack, uploads: Uploads, text: str) -> set[tuple[str, str]]:
    """Return the uploads that a short name fits; a key may itself hold a # and what follows."""
    match, prefix = ETAG.fullmatch(text), stack.outputs["UploadPrefix"]
    readings = [(text, ""), *([(match[1], match[2])] if match else [])]
    readings = [(prefix + name.removeprefix(prefix), etag) for name, etag in readings]
    here = {
        (key, found)
        for key, etag in readings
        for found in uploads.etags(key)
        if found.startswith(etag)
    }
    if match and here:
        return here
    beginning = min((UNSURE.split(name)[0] for name, _ in readings), key=len)
    patterns = [(_pattern(name), etag) for name, etag in readings]
    return here | {
        (item.s3_key, item.etag)
        for item in Ledger(stack).under(beginning)
        for pattern, etag in patterns
        if pattern.fullmatch(item.s3_key) and item.etag.startswith(etag)
    }


def _pattern(printed: str) -> re.Pattern[str]:
    """Return what finds the keys that a table may have printed so."""
    parts = (UNSURE_PARTS.get(part, re.escape(part)) for part in UNSURE.split(printed))
    return re.compile("".join(parts), re.DOTALL)
