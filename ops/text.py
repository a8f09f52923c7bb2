"""What others have written, as a terminal or a page can show it."""

import json


def printable(text: str, most: int = 1024) -> str:
    """Return a name on one line, valid, without what could steer a terminal.

    most: characters; an object's key has 1,024 at most.
    """
    valid = text[:most].encode("utf-8", "replace").decode()
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in valid)


def sentence(detail: str) -> str:
    """Return what an item's detail says to people; that of a failed step is JSON within JSON."""
    try:
        cause = json.loads(json.loads(detail)["Cause"])
        return f"{cause['errorType']}: {cause['errorMessage']}"
    except (ValueError, KeyError, TypeError):
        return detail
