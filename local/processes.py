"""Processes that end with this one, however it ends."""

import ctypes
import signal

LIBC = ctypes.CDLL(None)  # loaded here: between fork and exec other threads may hold its locks


def die_with_parent() -> None:
    """Let Linux kill the new process when the thread ends that has started it."""
    PR_SET_PDEATHSIG = 1
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
