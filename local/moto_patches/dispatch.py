"""Patch: moto finds anew at every request what it could know.

Stock moto lists its own folder, some 400 system calls, and then tries 270 patterns in turn to find
the service of a request, under a lock that all requests share; lists the methods of the service's
class; and takes another lock each time that it looks for an account's resources. None of this
changes while a process runs, so it is remembered.
"""

import contextlib
import functools
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto import backends
from moto.core import responses, utils
from moto.core.base_backend import BackendDict
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

HOSTS = 1024  # remembered at once: a service and a region each, of which clients name any
CLASSES = 256  # remembered at once: one a service


@contextlib.contextmanager
def installed() -> Iterator[None]:
    """Find what answers a request without looking at the disk, until the context ends."""
    modules = tuple(backends.list_of_moto_modules())
    find = DomainDispatcherApplication.get_backend_for_host
    names = utils.method_names_from_class
    make = BackendDict.__getitem__

    def of_account(self: BackendDict[Any], account: str) -> Any:
        found = self.get(account)
        return make(self, account) if found is None else found

    with (
        patch.object(backends, "list_of_moto_modules", lambda: modules),
        patch.object(
            DomainDispatcherApplication, "get_backend_for_host", functools.lru_cache(HOSTS)(find)
        ),
        patch.object(responses, "method_names_from_class", functools.lru_cache(CLASSES)(names)),
        patch.object(BackendDict, "__getitem__", of_account),
    ):
        yield
