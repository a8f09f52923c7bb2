"""Faults of the endpoint's container, injected between the embedded AWS and the model server."""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

Answer = tuple[int, str, bytes]


class FaultyContainer:
    """Asks the real container, unless it has been told to answer otherwise."""

    def __init__(self, container: Any) -> None:
        self._container = container
        self._answers: deque[Answer | Exception] = deque()
        self._lock = threading.Lock()
        self._open = threading.Event()
        self._open.set()
        self.asked = 0

    def __call__(self, endpoint: str, headers: dict[str, str], body: bytes) -> Answer:
        with self._lock:
            self.asked += 1
            given = self._answers.popleft() if self._answers else None
        self._open.wait()
        if isinstance(given, Exception):
            raise given
        answer: Answer = given or self._container(endpoint, headers, body)
        return answer

    def tell(self, *answers: Answer | Exception) -> None:
        """Answer the next requests with these, one each."""
        self._answers.extend(answers)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let requests wait until the context ends."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    def heal(self) -> None:
        """Forget what is left to tell."""
        self._answers.clear()
        self.asked = 0
