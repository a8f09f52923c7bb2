"""The execution environments of an embedded Lambda: started, reused newest first, stopped."""

import os
import shutil
import threading
import time
from collections import defaultdict
from pathlib import Path

from local.lambdas.environment import Environment
from local.lambdas.libraries import link_libraries
from local.lambdas.logs import LogSink
from local.lambdas.spec import FunctionSpec, LambdaError

# A cold start takes a processor for about as long. In a burst a function with two environments a
# processor starts one more only when for so long none has come free and none has been started.
PATIENCE_S = 0.5
ENOUGH = 2 * (os.cpu_count() or 1)
REAP_S = 10  # between two looks for idle environments, at most


class EnvironmentPool:
    """Lends environments, one to each execution.

    workdir: holds each environment's /tmp, for as long as it lives. runtime: of
    local.lambdas.environment. log: see LambdaRuntime. idle_s: after which one is stopped.
    """

    def __init__(self, *, workdir: Path, runtime: str, log: LogSink, idle_s: float) -> None:
        self._runtime = runtime
        self._workdir = workdir
        self._libraries = link_libraries(workdir / "runtime")
        self._log = log
        self._idle_s = idle_s
        self._lock = threading.Lock()
        self._freed = threading.Condition(self._lock)
        self._specs: dict[str, FunctionSpec] = {}
        self._idle: dict[str, list[Environment]] = defaultdict(list)
        self._alive: set[Environment] = set()
        self._moved: dict[str, float] = defaultdict(float)  # when one came free or was started
        self._closed = threading.Event()
        # Environments end when the write end does: with close(), or with this process.
        self._lifeline, self._lifeline_end = os.pipe()
        self._reaper = threading.Thread(target=self._reap, daemon=True)
        self._reaper.start()

    def adopt(self, spec: FunctionSpec) -> None:
        """Make a spec its function's current one; what idles with another is stopped.

        Raises LambdaError if the pool has been closed.
        """
        with self._lock:
            if self._closed.is_set():
                raise LambdaError(f"{spec.name}: the embedded Lambda has been stopped")
            changed = self._specs.get(spec.name, spec) != spec
            retired = self._idle.pop(spec.name, []) if changed else []
            self._specs[spec.name] = spec
        for environment in retired:
            self.discard(environment)

    def take(self, spec: FunctionSpec) -> tuple[Environment, bool]:
        """Return an environment and whether it starts cold.

        Raises LambdaError if the pool has been closed.
        """
        with self._lock:
            self._wait_for_an_idle_one(spec)
            if self._closed.is_set():
                raise LambdaError(f"{spec.name}: the embedded Lambda has been stopped")
            idle = self._idle[spec.name]
            if idle and idle[-1].spec == spec:
                return idle.pop(), False
            environment = Environment(
                spec,
                workdir=self._workdir,
                libraries=self._libraries,
                runtime=self._runtime,
                lifeline=self._lifeline,
                sink=self._log,
            )
            self._alive.add(environment)
            self._moved[spec.name] = time.monotonic()
            return environment, True

    def give_back(self, environment: Environment) -> None:
        """Keep an environment for the next execution, if its function is still the same."""
        environment.idle_since = time.monotonic()
        with self._lock:
            current = self._specs[environment.spec.name] == environment.spec
            if current and not self._closed.is_set():
                self._idle[environment.spec.name].append(environment)
                self._moved[environment.spec.name] = environment.idle_since
                self._freed.notify_all()
                return
        self.discard(environment)

    def discard(self, environment: Environment) -> None:
        """Stop an environment; nothing of it is left when this returns."""
        environment.stop()
        with self._lock:
            self._alive.discard(environment)
            self._freed.notify_all()

    def running(self, name: str) -> list[Environment]:
        """Return a function's environments that run an event."""
        with self._lock:
            mine = [environment for environment in self._alive if environment.spec.name == name]
            return [environment for environment in mine if environment not in self._idle[name]]

    def processes(self) -> list[int]:
        """Return the process ids of all environments."""
        with self._lock:
            return [environment.process.pid for environment in self._alive]

    def close(self) -> None:
        """Kill every environment; what runs is answered with an error."""
        with self._lock:
            if self._closed.is_set():
                return
            self._closed.set()
            self._freed.notify_all()
            leaving = list(self._alive)
            self._idle.clear()
        for environment in leaving:
            environment.kill()
        for environment in leaving:
            self.discard(environment)
        shutil.rmtree(self._libraries)
        os.close(self._lifeline_end)
        os.close(self._lifeline)
        self._reaper.join()

    def _wait_for_an_idle_one(self, spec: FunctionSpec) -> None:
        """Wait as long as waiting is likely to be shorter than a cold start."""
        began = time.monotonic()
        while not (self._closed.is_set() or self._idle[spec.name]):
            left = max(began, self._moved[spec.name]) + PATIENCE_S - time.monotonic()
            alive = sum(environment.spec == spec for environment in self._alive)
            if left <= 0 or alive < ENOUGH:
                return
            self._freed.wait(left)

    def _reap(self) -> None:
        """Stop environments that have been idle for long."""
        while not self._closed.wait(min(self._idle_s, REAP_S)):
            oldest = time.monotonic() - self._idle_s
            with self._lock:
                tired = [
                    environment
                    for idle in self._idle.values()
                    for environment in idle
                    if environment.idle_since < oldest
                ]
                for environment in tired:
                    self._idle[environment.spec.name].remove(environment)
            for environment in tired:
                self.discard(environment)
