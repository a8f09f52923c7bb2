"""Names that others have chosen, as a terminal or a page can show them."""


def printable(text: str, most: int = 1024) -> str:
    """Return a name on one line, valid, without what could steer a terminal.

    most: characters; an object's key has 1,024 at most.
    """
    valid = text[:most].encode("utf-8", "replace").decode()
    return "".join(each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in valid)
