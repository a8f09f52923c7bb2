"""The first code of an execution environment; a process of its own runs this file.

usage: python -S -P bootstrap.py RUNTIME LIFELINE HANDLER

RUNTIME: awslambdaric, or loop (plain_loop.py, where awslambdaric has no wheel).
LIFELINE: a file descriptor that ends when the embedded AWS does, however it ends; this process
and its children then end too. (Linux's parent-death signal would not do: it follows the thread
that started the process, and there is none on macOS.)
"""

import os
import signal
import sys
import threading


def end_with(lifeline: int) -> None:
    os.read(lifeline, 1)
    os.killpg(0, signal.SIGKILL)


if __name__ == "__main__":
    runtime, lifeline, handler = sys.argv[1:]
    threading.Thread(target=end_with, args=(int(lifeline),), daemon=True).start()
    # With the standard library, which -S leaves alone, this is all that a function can import.
    sys.path.insert(0, os.environ["LAMBDA_TASK_ROOT"])
    sys.path.append(os.environ["LAMBDA_RUNTIME_DIR"])
    if runtime == "awslambdaric":
        from awslambdaric.__main__ import main

        main(["awslambdaric", handler])
    else:
        import importlib.util

        path = os.path.join(os.path.dirname(__file__), "plain_loop.py")  # noqa: PTH118, PTH120
        spec = importlib.util.spec_from_file_location("plain_loop", path)
        assert spec is not None and spec.loader is not None
        loop = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loop)
        loop.run(handler)
