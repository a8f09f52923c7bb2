"""Patch: moto looks for the service of every request in its own folder, one request at a time.

Stock moto lists its modules, some 400 system calls, and then tries 270 patterns in turn, under a
lock that all requests share. Neither changes while a process runs: both are remembered.
"""

import contextlib
import functools
from collections.abc import Iterator
from unittest.mock import patch

from moto import backends
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

HOSTS = 1024  # remembered at once: a service and a region each, of which clients name any


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Find the services of requests without looking at the disk, until the context ends."""
    modules = tuple(backends.list_of_moto_modules())
    find = DomainDispatcherApplication.get_backend_for_host
    with (
        patch.object(backends, "list_of_moto_modules", lambda: modules),
        patch.object(
            DomainDispatcherApplication,
            "get_backend_for_host",
            # A method of one server: the pairs of server and host are gone with this cache.
            functools.lru_cache(HOSTS)(find),
        ),
    ):
        yield
