"""Ages and moments on the command line: 400d, 12h, 2026-11-24."""

import argparse
import re
from datetime import UTC, datetime, timedelta

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=36_500)  # a century: earlier than any stack, and within every calendar


def age(text: str) -> timedelta:
    """Return a length of time: a whole number and m, h, d or w."""
    if not (match := re.fullmatch(r"([0-9]{1,6})([mhdw])", text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no age: write 30m, 12h, 400d or 8w")
    found = timedelta(**{UNITS[match[2]]: int(match[1])})
    if found > LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too long: at most {LONGEST.days}d")
    return found


def since(text: str) -> datetime:
    """Return a moment: an age before now, or a date or time (UTC where it names no zone)."""
    if text[-1:] in UNITS:
        return datetime.now(UTC) - age(text)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no moment: write 12h, 7d, 2026-11-24 or 2026-11-24T18:00"
        ) from None


def add_since(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    """Add the option --since."""
    parser.add_argument(
        "--since", type=since, metavar="WHEN", help=f"7d, 12h, a date: {text}", required=required
    )
