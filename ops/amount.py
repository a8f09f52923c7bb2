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


def number(least: float, most: float) -> Callable[[str], float]:
    """Return what reads a number between two bounds, both included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: write a number from {least:g} to {most:g}")
        return value

    return read


positive = whole(1, 1_000_000_000)
share = number(0, 1)
