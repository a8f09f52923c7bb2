"""Decode a stranger's file in a child process, which can take no more than its bounds.

A decoder is native code that the bytes of a file drive. In a child it may run out of memory or of
time, or crash: this process goes on, and says which. The child has the file without a copy of it,
and hands back the small picture, or why there is none, through a pipe. It has no other open file:
neither the connections of this process nor a log to fill.

On Linux alone: macOS has no bound of memory, and Windows no fork. There, this process decodes.
"""

import gc
import importlib
import os
import re
import select
import signal
import sys
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from canonical import MAX_DATA_BYTES, CanonicalPicture, canonical_picture
from decoding import register
from formats import FORMATS, JPEG, PNG, format_of
from PIL import Image
from rejection import ImageRejected, Reason, crashed, too_expensive

CAN_CONTAIN = sys.platform == "linux"
if sys.platform == "linux":
    import resource

# Of the function's 1,024 MB; the rest is for this process and the libraries' code. The largest
# pictures take 774 (`python -m benchmarks.serialize --limits`).
MAX_MEMORY_MB = 900

# Of a processor: the slowest of the largest pictures take 2. The function's 1,024 MB buy 0.6 of
# one, so this is met after 10 of its 25 s, of which reading takes 12 at most (upload.py).
MAX_CPU_SECONDS = 6

# By the clock, for a child that sleeps. One that waits for a busy machine may wait on, as long as
# the function itself may.
MAX_SECONDS = 12
CHECK_SECONDS = 0.5

# A fork takes 5 ms, as long as a small picture. Of these formats a file of this size is decoded
# here: its reader has shown that the decoder walks over so many pixels, once, and no profile.
PLAIN_FORMATS = (JPEG, PNG)
PLAIN_BYTES = 1_048_576
PLAIN_PIXELS = 4_000_000

# What a child answers: one of these, a line, and the rest.
PICTURE, REJECTED, FAILED = b"picture", b"rejected", b"failed"
CONTENT_TYPES = ("image/jpeg", "image/png")
MAX_ANSWER_BYTES = MAX_DATA_BYTES + 100
MAX_SENTENCE_BYTES = 1_000


def contained_picture(data: bytes) -> CanonicalPicture:
    """Decode an uploaded file, and encode the canonical picture of it, within bounds.

    Raises ImageRejected; RuntimeError, with the child's traceback, for a fault of this package.
    """
    if not CAN_CONTAIN or is_plain(data):
        return canonical_picture(data)
    prepare(data)
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        answer(data, writing)
    os.close(writing)
    try:
        answered = read_answer(child, reading)
    finally:
        os.close(reading)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)  # what has answered is ending already
        _, status = os.waitpid(child, 0)
    if answered is None:
        raise too_expensive(f"{MAX_SECONDS} s")
    return picture_of(answered, os.waitstatus_to_exitcode(status))


def is_plain(data: bytes) -> bool:
    """Return whether it is known how little memory and time the file takes to decode.

    Raises ImageRejected for what a reader refuses.
    """
    if len(data) > PLAIN_BYTES:
        return False
    if not data:
        return True
    kind = format_of(data)
    if kind not in PLAIN_FORMATS:
        return False
    stripped = importlib.import_module(kind.reader).strip(data)
    width, height = stripped.bounded_by or (0, 0)
    return 0 < width * height <= PLAIN_PIXELS and not stripped.profile


def prepare(data: bytes) -> None:
    """Import what the child will need: what it imports itself, the next one imports again."""
    Image.preinit()
    for kind in FORMATS:
        if re.match(kind.signature, data, re.DOTALL):
            register(kind)
            for module in (kind.reader, "profiles", "PIL.ImageCms"):
                importlib.import_module(module)


def answer(data: bytes, pipe: int) -> NoReturn:
    """Decode in the child, write to the pipe what came of it, and end."""
    code = 1
    try:
        confine(pipe)
        said = outcome(data)
        while said:
            said = said[os.write(pipe, said) :]
        code = 0
    finally:
        os._exit(code)  # nothing that this process shares with its parent is closed or flushed


def confine(pipe: int) -> None:
    """Take from this process all that decoding does not need."""
    gc.freeze()  # garbage of the parent would close files by numbers that others have by now
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    for path in Path("/proc/self/fd").iterdir():
        if int(path.name) > 2 and int(path.name) != pipe:
            with suppress(OSError):  # the folder itself, which is closed by now
                os.close(int(path.name))
    lower(resource.RLIMIT_DATA, MAX_MEMORY_MB * 2**20)
    lower(resource.RLIMIT_CPU, MAX_CPU_SECONDS, 1)  # a second to die of the signal that says so
    lower(resource.RLIMIT_FSIZE, 0)
    lower(resource.RLIMIT_CORE, 0)


def lower(limit: int, most: int, grace: int = 0) -> None:
    """Set a limit of this process for good; one that is lower stays.

    grace: how much further the kernel waits before it ends the process without a word.
    """
    _, hard = resource.getrlimit(limit)
    if hard == resource.RLIM_INFINITY or hard > most + grace:
        resource.setrlimit(limit, (most, most + grace))


def outcome(data: bytes) -> bytes:
    """Return what the parent is to know of a file."""
    try:
        picture = canonical_picture(data)
        return b"\n".join((PICTURE, picture.content_type.encode(), picture.data))
    except ImageRejected as rejected:
        refusal = rejected
    except MemoryError:
        refusal = too_expensive(f"{MAX_MEMORY_MB} MB of memory")
    except Exception:
        said = traceback.format_exc().encode(errors="replace")
        return b"\n".join((FAILED, b"", said[-MAX_DATA_BYTES:]))
    return b"\n".join((REJECTED, refusal.reason.encode(), refusal.sentence.encode()))


def read_answer(child: int, pipe: int) -> bytes | None:
    """Return what the child writes until it ends; None if it sleeps when its time is over."""
    answered, before = b"", None
    ready, deadline = select.poll(), time.monotonic() + MAX_SECONDS
    ready.register(pipe, select.POLLIN)
    while len(answered) <= MAX_ANSWER_BYTES:
        # The first look is a check before the deadline: a sleep is only seen between two.
        wait = max(deadline - CHECK_SECONDS - time.monotonic(), CHECK_SECONDS)
        if not ready.poll(1_000 * wait):
            now = worked_until_asleep(child)
            if now is not None and now == before:
                return None
            before = now
            continue
        chunk = os.read(pipe, MAX_ANSWER_BYTES)
        if not chunk:
            break
        answered += chunk
    return answered


def worked_until_asleep(process: int) -> list[list[str]] | None:
    """Return how long each thread of a process that sleeps has worked, in ticks (proc(5)).

    None if one works, or would if there were a processor. Threads that wait for each other may all
    be seen asleep, one after another; but then their times grow.
    """
    try:
        paths = Path(f"/proc/{process}/task").glob("*/stat")
        stats = [path.read_text().rpartition(")")[2].split() for path in paths]
    except OSError:  # a thread has ended meanwhile
        return None
    if any(stat[0] in "RD" for stat in stats):
        return None
    return [stat[11:13] for stat in stats]  # of the user, and of the system on its behalf


def picture_of(answered: bytes, code: int) -> CanonicalPicture:
    """Return the picture of an answer, or raise what it tells.

    answered: not to be trusted, for what wrote it was driven by the file.
    code: the child's exit code; negative is a signal.
    """
    if code == -signal.SIGXCPU:
        raise too_expensive(f"{MAX_CPU_SECONDS} s of a processor")
    if code == -signal.SIGKILL and len(answered) <= MAX_ANSWER_BYTES:  # by the kernel
        raise too_expensive(f"{MAX_MEMORY_MB} MB of memory")
    if code == 0:
        with suppress(ValueError):  # fields that are missing or hold something else
            kind, line, rest = answered.split(b"\n", 2)
            if kind == FAILED:
                raise RuntimeError(rest.decode(errors="replace"))
            if kind == REJECTED:
                sentence = rest[:MAX_SENTENCE_BYTES].decode(errors="replace")
                raise ImageRejected(Reason(line.decode()), sentence)
            if kind == PICTURE and line.decode() in CONTENT_TYPES and len(rest) <= MAX_DATA_BYTES:
                return CanonicalPicture(line.decode(), rest)
    raise crashed(signal.Signals(-code).name if code < 0 else f"exit code {code}")
