"""The folder that a run of the embedded AWS works in, and what runs that were killed have left."""

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from cli.errors import CommandError

SPACE_BYTES = 100_000_000  # the functions' packages take 44 MB; the rest is for their /tmp
LOCK = (
    "lock"  # a file that is locked, in .local while folders come and go, in each while it is used
)


@contextlib.contextmanager
def work_folder(parent: Path) -> Iterator[Path]:
    """Make a folder in `parent`, and remove it at the end; before that, remove what nobody uses.

    The operating system unlocks the file of a run however it ends, so a run that still works is
    never taken for one that was killed. Raises CommandError where nothing can be written or too
    little space is free: a function that cannot be unpacked would be tried again for minutes, as on
    AWS.
    """
    try:
        parent.mkdir(exist_ok=True)
        with (parent / LOCK).open("a") as coming_and_going:
            fcntl.flock(coming_and_going, fcntl.LOCK_EX)
            _sweep(parent)
            _require_space(parent)
            folder = Path(tempfile.mkdtemp(prefix=f"{os.getpid()}-", dir=parent))
            in_use = (folder / LOCK).open("a")
            fcntl.flock(in_use, fcntl.LOCK_EX)
    except OSError as error:
        raise CommandError(
            f"{parent}: {error.strerror}: the embedded AWS unpacks functions there; start it from a"
            " folder that you may write to"
        ) from error
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        in_use.close()


def _sweep(parent: Path) -> None:
    """Remove the folders that are locked by nobody."""
    for lock in parent.glob(f"[0-9]*-*/{LOCK}"):
        with lock.open("a") as file:
            if _taken(file):
                shutil.rmtree(lock.parent, ignore_errors=True)


def _taken(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _require_space(folder: Path) -> None:
    free = shutil.disk_usage(folder).free
    if free < SPACE_BYTES:
        raise CommandError(
            f"{folder}: {free / 1e6:,.0f} MB are free, and {SPACE_BYTES / 1e6:,.0f} MB are needed:"
            " free some space there"
        )
