"""Handlers that do what functions can do to a Lambda runtime."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

logger = logging.getLogger()


class PictureIsBlank(Exception):
    pass


def echo(event, _context):
    return event


def fail(_event, _context):
    raise PictureIsBlank("all white")


def pid(_event, _context):
    return os.getpid()


def meet(event, _context):
    """Wait for as many executions as expected to be here at once."""
    Path(event["folder"], str(os.getpid())).touch()
    while len(list(Path(event["folder"]).iterdir())) < event["expected"]:
        time.sleep(0.01)
    return os.getpid()


def hang(event, _context):
    """Hang together with a child process."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    partial = Path(event["pids"] + ".partial")
    partial.write_text(json.dumps([os.getpid(), child.pid]))
    partial.rename(event["pids"])
    time.sleep(60)


def end(event, _context):
    if "signal" in event:
        os.kill(os.getpid(), getattr(signal, event["signal"]))
        time.sleep(60)
    os._exit(event["status"])


def grow(event, _context):
    return len(bytearray(b"x" * (event["megabytes"] << 20)))


def of_length(event, _context):
    return "x" * (event["length"] - 2)  # JSON adds two quotes


def not_json(_event, _context):
    return object()


def surroundings(_event, context):
    return {
        "variables": dict(os.environ),
        "path": sys.path,
        "folder": str(Path.cwd()),
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "remaining_ms": context.get_remaining_time_in_millis(),
    }


def log(_event, _context):
    print("printed")
    logger.info("logged", extra={"upload": "bucket/key"})
    logger.debug("not at this level")
