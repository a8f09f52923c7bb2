"""What --help prints, as a terminal shows it."""

import re

COLUMNS = 80
COMMAND = re.compile(r"    \S+(?: \S+)*")  # to be pasted: it stays on its line


def wide(told: str) -> list[str]:
    """Return the lines that a terminal of 80 columns wraps, commands without a comment aside."""
    return [
        line for line in told.splitlines() if len(line) > COLUMNS and not COMMAND.fullmatch(line)
    ]
