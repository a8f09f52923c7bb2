"""Run the whole workflow on this machine: an embedded AWS in which template.yaml is deployed.

    python -m local demo
    python -m local up --port 4577
    python -m local COMMAND --help           what a command does, with examples

Exit codes: 0 all is well, 1 a picture has no recorded outcome, 2 the command could not do its work,
130 interrupted.
"""

import signal

if __name__ == "__main__":  # Ctrl-C during the imports below would print a traceback
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import logging
import os
import sys
from collections.abc import Sequence
from types import FrameType

from cli.escaping import escaped_output
from cli.program import Program

# One line for each command; its module, of the same name, is imported when it is asked for.
COMMANDS = {
    "demo": "sample pictures through the workflow, and a table of the outcomes",
    "up": "keep it running for the browser, the AWS CLI, boto3 and ops",
    "classify": "your own pictures, as a table or as JSON lines",
    "events": "capture the sample document of each step again",
    "sam": "let `sam local invoke` reach the embedded AWS",
}
INTERRUPTED = 130


@escaped_output()  # before the log takes its stream
def main(words: Sequence[str] | None = None) -> int:
    """Run the command that the command line names; return its exit code."""
    logging.basicConfig(level=logging.ERROR, format="%(levelname)s %(name)s: %(message)s")
    for logger in ("werkzeug", "moto"):  # every request; every error that an ASL state catches
        logging.getLogger(logger).setLevel(logging.CRITICAL)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    program = Program("python -m local", __doc__ or "", COMMANDS, "local.commands", "local")
    return program.main(words)


def interrupt(_number: int, _frame: FrameType | None) -> None:
    """Raise KeyboardInterrupt, but end at once while modules are imported.

    Nothing runs yet that has to be stopped, and a module may report the exception as its own.
    """
    if not hasattr(sys.modules.get("local.cloud"), "embedded_aws"):
        os._exit(INTERRUPTED)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
