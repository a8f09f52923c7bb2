"""Act on each announcement once, on the newest alone, and take back what people have corrected.

A table remembers for each upload the last revision and the label that was acted on. Announcements
may come twice, late and at the same time; one that is not above the last revision is ignored.

Busy      another announcement of the upload is being acted on: let this one be delivered again
"""

import time
from collections.abc import Callable
from typing import Any

LOCK_MS = 60_000  # longer than acting takes; a process that was killed blocks an upload so long
# Dead letters wait 14 days at most, and may be sent again then.
REMEMBERED_S = 30 * 24 * 3600

Act = Callable[[str, str, str], None]


class Busy(Exception):
    """Another announcement of the same upload is being acted on."""


def steps(acted: str, wanted: str) -> list[tuple[str, str]]:
    """Return what to do, and with which label, where acted was done before; "" is nothing."""
    if acted == wanted:
        return []
    found = [("take back", acted)] if acted else []
    if wanted:
        found.append(("ask for another picture" if wanted == "other" else "route", wanted))
    return found


def follow(table: Any, announcement: dict[str, Any], act: Act) -> bool:
    """Act on an announcement; return False if this revision or a later one was acted on before.

    table: a boto3 Table with the key upload. announcement: as parse() gives it. act: takes what to
    do, the label and an id; it is called again with the same id if it, or what follows, fails.
    Raises Busy.
    """
    upload, revision = announcement["upload"], announcement["revision"]
    lock = time.time_ns() // 1_000_000 + LOCK_MS
    item = _locked(table, announcement, lock)
    if item is None:
        return False
    # "review" here says that a person's label was taken back, or that nobody has decided yet.
    wanted = "" if announcement["outcome"] == "review" else announcement["label"]
    try:
        for what, label in steps(item.get("acted", ""), wanted):
            act(what, label, f"{upload}:{revision}:{what}")
    except BaseException:
        table.update_item(Key={"upload": upload}, UpdateExpression="REMOVE locked_until")
        raise
    table.update_item(
        Key={"upload": upload},
        UpdateExpression="SET revision = :revision, acted = :acted, uploaded_at = :uploaded_at,"
        " expires_at = :expires_at REMOVE locked_until",
        ConditionExpression="locked_until = :lock",
        ExpressionAttributeValues={
            ":revision": revision,
            ":acted": wanted,
            ":uploaded_at": announcement["uploaded_at"],
            ":expires_at": int(time.time()) + REMEMBERED_S,
            ":lock": lock,
        },
    )
    return True


def _locked(table: Any, announcement: dict[str, Any], lock: int) -> dict[str, Any] | None:
    """Return the upload's item, which nobody else changes now; None if there is nothing to do."""
    revision, uploaded_at = announcement["revision"], announcement["uploaded_at"]
    # The revisions of an upload that was forgotten, and has come back, begin anew.
    newer = "attribute_not_exists(revision) OR revision < :revision OR uploaded_at < :uploaded_at"
    key = {"upload": announcement["upload"]}
    try:
        answer = table.update_item(
            Key=key,
            UpdateExpression="SET locked_until = :lock",
            ConditionExpression=f"({newer})"
            " AND (attribute_not_exists(locked_until) OR locked_until < :now)",
            ExpressionAttributeValues={
                ":revision": revision,
                ":uploaded_at": uploaded_at,
                ":lock": lock,
                ":now": lock - LOCK_MS,
            },
            ReturnValues="ALL_NEW",
        )
    except table.meta.client.exceptions.ConditionalCheckFailedException:
        item = table.get_item(Key=key, ConsistentRead=True).get("Item", {})
        came_back = item.get("uploaded_at", "") < uploaded_at
        if item.get("revision", 0) >= revision and not came_back:
            return None
        raise Busy(f"{key['upload']}: another announcement is being acted on") from None
    found: dict[str, Any] = answer["Attributes"]
    return found
