"""Who reviews."""

import getpass
import os

HELP = "who labels, for the record (default: the login name)"


def login_name() -> str:
    """Return who runs the command."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as containers have
        return f"user {os.getuid()}"
