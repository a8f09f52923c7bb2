"""What the tests of the embedded Lambda share."""

import io
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

HANDLERS = Path(__file__).parents[1] / "local" / "lambdas" / "handlers"


def wait_until(condition: Callable[[], Any]) -> None:
    """Wait for what happens soon; only a fault exhausts the patience of 20 s."""
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline, "it has not happened in 20 s"
        time.sleep(0.01)


def package(**extra: str) -> bytes:
    """Return the handlers of these tests, and extra modules, as a deployment package."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in HANDLERS.glob("*.py"):
            archive.write(path, path.name)
        for name, source in extra.items():
            archive.writestr(f"{name}.py", source)
    return buffer.getvalue()
