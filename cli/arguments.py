"""The parser of every command, and argument types: numbers within bounds, durations, times."""

import argparse
import re
import shutil
import textwrap
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import NoReturn

from cli.errors import refused

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
LONGEST = timedelta(days=36_500)  # a century: earlier than any stack, and within every calendar


def refilled(text: str) -> str:
    """Return paragraphs at the width of the terminal; those with an indented line stay."""
    width = min(shutil.get_terminal_size().columns - 2, 100)
    return "\n\n".join(
        paragraph if re.search(r"^\s", paragraph, re.MULTILINE) else textwrap.fill(paragraph, width)
        for paragraph in text.strip("\n").split("\n\n")
    )


class Parser(argparse.ArgumentParser):
    """A parser that keeps the examples of its description, and whose errors are one line."""

    def __init__(self, name: str, description: str) -> None:
        super().__init__(
            name,
            description=refilled(description),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,  # a script that abbreviates breaks when another option is added
        )

    def error(self, message: str) -> NoReturn:
        """Say what is wrong as every other error is said, instead of the whole usage."""
        self.exit(refused(f"{message}; see {self.prog} --help"))


def integer_between(least: int, most: int) -> Callable[[str], int]:
    """Return a type for whole numbers between two bounds, both included."""

    def read(text: str) -> int:
        number = int(text) if text.isdecimal() and len(text) <= 10 else -1
        if not least <= number <= most:
            raise argparse.ArgumentTypeError(
                f"{text!r}: write a whole number from {least} to {most:,}"
            )
        return number

    return read


def number_between(least: float, most: float) -> Callable[[str], float]:
    """Return a type for numbers between two bounds, both included."""

    def read(text: str) -> float:
        try:
            value = float(text)
        except ValueError:
            value = least - 1
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{text!r}: write a number from {least:g} to {most:g}")
        return value

    return read


positive = integer_between(1, 1_000_000_000)
fraction = number_between(0, 1)


def duration(text: str) -> timedelta:
    """Read a length of time: a whole number and m, h, d or w."""
    if not (match := re.fullmatch(r"([0-9]{1,6})([mhdw])", text)):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration: write 30m, 12h, 400d or 8w")
    found = timedelta(**{UNITS[match[2]]: int(match[1])})
    if found > LONGEST:
        raise argparse.ArgumentTypeError(f"{text!r} is too long: at most {LONGEST.days}d")
    return found


def point_in_time(text: str) -> datetime:
    """Read a duration before now, or a date or time (UTC where it names no zone)."""
    if text[-1:] in UNITS:
        return datetime.now(UTC) - duration(text)
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no point in time: write 12h, 7d, 2026-11-24 or 2026-11-24T18:00"
        ) from None


def add_since(parser: argparse.ArgumentParser, text: str, *, required: bool = False) -> None:
    """Add the option --since."""
    parser.add_argument(
        "--since",
        type=point_in_time,
        metavar="WHEN",
        help=f"7d, 12h, a date: {text}",
        required=required,
    )


def add_origin(parser: argparse.ArgumentParser) -> None:
    """Add the option --origin, of items of the ledger."""
    parser.add_argument(
        "--origin",
        choices=("upload", "backfill"),
        default="upload",
        help="of the ledger, the uploads of their time or what `backfill` has brought"
        " (default: %(default)s)",
    )


def add_json(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the option --json."""
    parser.add_argument("--json", action="store_true", help=f"{what} as JSON")


def add_dry_run(parser: argparse.ArgumentParser) -> None:
    """Add the option --dry-run, of commands that change something."""
    parser.add_argument(
        "--dry-run", action="store_true", help="show what would be done, change nothing"
    )


def add_deletion(parser: argparse.ArgumentParser) -> None:
    """Add the options of a command that deletes: --dry-run, and --yes instead of a question."""
    add_dry_run(parser)
    parser.add_argument("--yes", action="store_true", help="do not ask")
