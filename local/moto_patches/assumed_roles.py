"""Patch: whoever assumes a role in moto keeps all permissions, since its key is not the role's.

Here AssumeRole gives the key of the role, whose policies then decide (permissions.py), and only if
the role is there and its trust policy names the account, with the ExternalId that it asks for.
"""

import contextlib
import json
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from moto.core.exceptions import AccessDeniedError
from moto.iam.models import iam_backends
from moto.sts.models import AssumedRole, STSBackend

from local.moto_patches.access import AccessKeys


@contextlib.contextmanager
def installed(keys: AccessKeys) -> Iterator[None]:
    """Let an assumed role have its own identity, until the context ends."""
    stock = STSBackend.assume_role

    def assume_role(self: STSBackend, **request: Any) -> AssumedRole:
        name = request["role_arn"].rsplit("/", 1)[-1]
        if not _trusted(self.account_id, name, request.get("external_id")):
            raise AccessDeniedError(self.account_id, "sts:AssumeRole")
        role = stock(self, **request)
        role.access_key_id = keys.of(name)
        return role

    with patch.object(STSBackend, "assume_role", assume_role):
        yield


def _trusted(account: str, name: str, external_id: str | None) -> bool:
    roles = {role.name: role for role in iam_backends[account]["aws"].roles.values()}
    if name not in roles:
        return False
    for statement in json.loads(roles[name].assume_role_policy_document)["Statement"]:
        asked = statement.get("Condition", {}).get("StringEquals", {}).get("sts:ExternalId")
        principal = statement["Principal"].get("AWS")
        if principal == f"arn:aws:iam::{account}:root" and asked in (None, external_id):
            return True
    return False
