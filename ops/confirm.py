"""The question before something is deleted."""

import sys


def confirmed(question: str, yes: bool) -> bool:
    """Ask, unless --yes was given; without a terminal to ask on the answer is no."""
    if yes:
        return True
    if not sys.stdin.isatty():
        print("nothing was deleted: give --yes to delete")
        return False
    try:
        if input(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
            return True
    except EOFError:  # Ctrl-D
        print()
    print("nothing was deleted")
    return False
