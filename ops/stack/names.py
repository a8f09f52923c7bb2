"""The names of uploads: whole, as the ledger has them, and short, as tables print them."""

import re
from typing import NamedTuple

from cli.errors import CommandError
from cli.escaping import printable, read_back
from cli.terminal import ELLIPSIS
from ops.stack.ledger import Decision, Ledger, name_of
from ops.stack.outputs import Stack
from ops.stack.uploads import Uploads

ETAG_SHOWN = 8  # characters; enough to tell the uploads of one key apart
ETAG = re.compile(r"(.*)#([0-9a-f]{1,32}(?:-[0-9]{1,5})?)", re.DOTALL)  # -N: a multipart upload
LONGEST_KEY = 1024  # bytes of UTF-8: S3 has no longer one, and refuses to look for it
CHOICES = 10  # listed when a name is ambiguous

HELP = "as list and review print it, BUCKET/KEY#ETAG, or s3://BUCKET/KEY for what is there now"


class Named(NamedTuple):
    """An upload that somebody has named. here: whether it is in the upload bucket."""

    upload: str
    key: str
    etag: str
    here: bool


def named(stack: Stack, text: str) -> Named:
    """Return the upload that somebody names, of any bucket; HELP says how.

    What is in another bucket, as a backfill may decide it, is named whole, and the ledger has to
    know it. Raises CommandError as find() does.
    """
    bucket, ledger = stack.outputs["UploadBucket"], Ledger(stack)
    for name in _readings(text):
        key, mark, etag = name.partition("/")[2].rpartition("#")
        elsewhere = not name.startswith(("s3://", f"{bucket}/"))
        if not (elsewhere and key and mark and etag and _possible(key)):
            continue
        if ledger.get(name) is not None:
            return Named(name, key, etag, here=False)
    key, etag = find(stack, text)
    return Named(name_of(bucket, key, etag), key, etag, here=True)


def short_name(stack: Stack, item: Decision) -> str:
    """Return the name of an upload for a table: its key under the prefix, its etag's beginning.

    What is in another bucket has its whole name.
    """
    if item.s3_bucket != stack.outputs["UploadBucket"]:
        return printable(item.upload)
    key = item.s3_key.removeprefix(stack.outputs["UploadPrefix"])
    return printable(f"{key}#{item.etag[:ETAG_SHOWN]}")


def find(stack: Stack, text: str) -> tuple[str, str]:
    """Return key and etag of the upload that somebody names; HELP says how.

    It is read as tables print it, and if that is no upload, as it stands: JSON gives names raw. A
    whole name is taken even if nothing is known of it. A short one is looked up in the bucket and,
    if it is not there or names no etag, in the ledger's index. Raises CommandError where there is
    none, or more than one.
    """
    uploads, readings = Uploads(stack), _readings(text)
    if text.startswith("s3://"):
        return _current(uploads, readings)
    if text.startswith(f"{uploads.bucket}/"):
        return _whole(stack, uploads, readings)
    found = next(filter(None, (_short(stack, uploads, name) for name in readings)), set())
    if len(found) == 1:
        return found.pop()
    asked = printable(readings[0])  # as tables print it, and not escaped twice
    if not found:
        raise CommandError(
            f"'{asked}' is no upload of this stack: neither its bucket nor its ledger has it;"
            f" write its name as list prints it, {uploads.bucket}/KEY#ETAG or s3://{uploads.bucket}/KEY"
        )
    names = [name_of(uploads.bucket, *address) for address in sorted(found)]
    more = f", and {len(names) - CHOICES:,} more" if len(names) > CHOICES else ""
    listed = ", ".join(map(printable, names[:CHOICES]))
    raise CommandError(f"'{asked}' is one of {len(names):,} uploads, name it whole: {listed}{more}")


def _readings(text: str) -> list[str]:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise CommandError(f"{printable(text)} is not valid UTF-8, as every key of S3 is") from None
    return list(dict.fromkeys((read_back(text), text)))


def _current(uploads: Uploads, readings: list[str]) -> tuple[str, str]:
    for address in readings:
        bucket, _, key = address.removeprefix("s3://").partition("/")
        if bucket != uploads.bucket or not key:
            raise CommandError(
                f"'{printable(readings[0])}' is no upload of this stack: its bucket is"
                f" {uploads.bucket}"
            )
        if _possible(key) and (etag := uploads.etag(key)) is not None:
            return key, etag
    raise CommandError(
        f"there is nothing at {printable(readings[0])}: name the upload as the ledger does"
    )


def _whole(stack: Stack, uploads: Uploads, readings: list[str]) -> tuple[str, str]:
    addresses = []
    for name in readings:
        key, mark, etag = name.removeprefix(f"{uploads.bucket}/").rpartition("#")
        if not (key and mark and etag and _possible(key)):
            raise CommandError(
                f"'{printable(readings[0])}' has no #ETAG, or a key of more than {LONGEST_KEY:,}"
                " bytes: write the name that the ledger gives it"
            )
        addresses.append((key, etag))
    if len(addresses) > 1:
        ledger = Ledger(stack)
        for key, etag in addresses:
            if ledger.get(name_of(uploads.bucket, key, etag)) or uploads.has(key, etag):
                return key, etag
    return addresses[0]


def _possible(key: str) -> bool:
    return len(key.encode()) <= LONGEST_KEY


def _short(stack: Stack, uploads: Uploads, text: str) -> set[tuple[str, str]]:
    """Return the uploads that a short name fits; a key may itself hold a # and what follows."""
    match, prefix = ETAG.fullmatch(text), stack.outputs["UploadPrefix"]
    readings = [(text, ""), *([(match[1], match[2])] if match else [])]
    readings = [(prefix + name.removeprefix(prefix), etag) for name, etag in readings]
    here = {
        (key, found)
        for key, etag in readings
        if _possible(key)
        for found in uploads.etags(key)
        if found.startswith(etag)
    }
    if match and here:
        return here
    beginning = min((name.partition(ELLIPSIS)[0] for name, _ in readings), key=len)
    patterns = [(_pattern(name), etag) for name, etag in readings]
    return here | {
        (item.s3_key, item.etag)
        for item in Ledger(stack).under(beginning)
        for pattern, etag in patterns
        if pattern.fullmatch(item.s3_key) and item.etag.startswith(etag)
    }


def _pattern(printed: str) -> re.Pattern[str]:
    """Return what finds the keys that a table may have shortened so."""
    return re.compile(".*".join(map(re.escape, printed.split(ELLIPSIS))), re.DOTALL)
