"""Start no faster than the functions can follow: what is throttled too often fails again."""

import argparse
import threading
import time

from cli.arguments import number_between

# About what the 10 concurrent functions of a new account take: a photo keeps one busy for a second.
PER_SECOND = 10.0


class RateLimit:
    """Lets so many through a second, evenly, from any number of threads."""

    def __init__(self, per_second: float) -> None:
        self._interval_s = 1 / per_second
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self) -> None:
        """Return when it is the caller's turn."""
        with self._lock:
            turn = max(time.monotonic(), self._next)
            self._next = turn + self._interval_s
        time.sleep(max(0.0, turn - time.monotonic()))


def add_rate_limit(parser: argparse.ArgumentParser) -> None:
    """Add the option --per-second."""
    parser.add_argument(
        "--per-second",
        type=number_between(0.01, 1000),  # StartExecution itself takes about 1,000
        default=PER_SECOND,
        metavar="N",
        help="executions started a second; more if your account has more than 10 concurrent"
        " functions (default: %(default)g)",
    )
