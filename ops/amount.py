"""Numbers on the command line, with their bounds."""

import argparse
from collections.abc import Callable


def whole(least: int, most: int) -> Callable[[str], int]:
    """Return what reads a whole number between two bounds, both included."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) <= 10 else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r}: write a whole number from {least} to {most:,}"
            )
        return number

    return read


positive = whole(1, 1_000_000_000)
