"""How many executions may run at once: the account's, and what single functions reserve of them.

https://docs.aws.amazon.com/lambda/latest/dg/lambda-concurrency.html
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Iterator

from local.lambdas.spec import FunctionSpec, TooManyRequests


class Concurrency:
    """Counts the executions of one account; AWS calls the reasons of a refusal as this does."""

    def __init__(self, account: int) -> None:
        self._account = account
        self._lock = threading.Lock()
        self._running: Counter[str] = Counter()
        self._reserved: dict[str, int | None] = {}  # of every function seen so far

    @contextlib.contextmanager
    def execution(self, spec: FunctionSpec) -> Iterator[None]:
        """Hold one execution; raise TooManyRequests if there is none to be had."""
        with self._lock:
            self._reserved[spec.name] = spec.reserved_concurrency
            self._admit(spec)
            self._running[spec.name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[spec.name] -= 1

    def _admit(self, spec: FunctionSpec) -> None:
        reserved = spec.reserved_concurrency
        if reserved is not None:
            if self._running[spec.name] >= reserved:
                raise TooManyRequests(
                    "ReservedFunctionConcurrentInvocationLimitExceeded",
                    f"{spec.name} has {reserved} reserved executions",
                )
            return
        left = self._account - sum(number or 0 for number in self._reserved.values())
        sharing = (name for name, number in self._reserved.items() if number is None)
        if sum(self._running[name] for name in sharing) >= left:
            raise TooManyRequests(
                "ConcurrentInvocationLimitExceeded",
                f"the account has {left} unreserved executions",
            )
