"""Secrets that are kept encrypted in the database, under the server's key.

Documentation page: ``docs/secrets.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from windhover.engine.encryption import EncryptionError, SecretCipher
from windhover.model.secret import (
    SealedSecret,
    SecretTag,
    can_exist,
    check_description,
    check_secret,
    stored_key,
)
from windhover.secret.port import SecretUnreadable
from windhover.util.namespaces import parents

NO_KEY = "no encryption key is configured (set `kestra.encryption.secret-key`)"


class NoEncryptionKey(Exception):
    """A secret cannot be written: the server has no key to encrypt it with."""

    def __init__(self) -> None:
        super().__init__(f"secrets cannot be stored, {NO_KEY}")


class SealedSecrets(Protocol):
    """Where the encrypted values are: the repository, as far as it is needed here."""

    async def put(
        self,
        tenant_id: str,
        secret: SealedSecret,
        now: datetime,
        *,
        description: str | None = None,
        tags: Sequence[SecretTag] = (),
    ) -> None: ...

    async def sealed(self, tenant_id: str, namespaces: Sequence[str], key: str) -> SealedSecret | None: ...


class StoredSecrets(msgspec.Struct, frozen=True):
    """The stored secrets of one tenant. Without a cipher none can be written or read."""

    store: SealedSecrets
    tenant_id: str
    cipher: SecretCipher | None

    async def find(self, namespace: str, name: str) -> str | None:
        """The value of a secret of this namespace or of the nearest one around it that has it.

        Raises:
            SecretUnreadable: no key is configured, or it is another than that which encrypted the secret.
        """
        if not can_exist(namespace, name):
            return None
        found = await self.store.sealed(self.tenant_id, [namespace, *parents(namespace)], stored_key(name))
        if found is None:
            return None
        if self.cipher is None:
            raise SecretUnreadable(f"The secret '{name}' cannot be decrypted: {NO_KEY}.")
        try:
            return self.cipher.unseal(found.sealed, self._place(found.namespace, found.key))
        except EncryptionError:
            raise SecretUnreadable(
                f"The secret '{name}' of namespace '{found.namespace}' cannot be decrypted: it is damaged, "
                "or `kestra.encryption.secret-key` is not the key that it was written with."
            ) from None

    async def put(
        self,
        namespace: str,
        name: str,
        value: str,
        now: datetime,
        *,
        description: str | None = None,
        tags: Sequence[SecretTag] = (),
    ) -> None:
        """Encrypt a secret and write it, over one of the same name.

        Raises:
            InvalidSecret: its name, value, description or tags break the rules.
            NoEncryptionKey: no key is configured.
        """
        check_secret(namespace, name, value)
        check_description(description, tags)
        if self.cipher is None:
            raise NoEncryptionKey
        key = stored_key(name)
        sealed = SealedSecret(namespace, key, self.cipher.seal(value, self._place(namespace, key)))
        await self.store.put(self.tenant_id, sealed, now, description=description, tags=tags)

    def _place(self, namespace: str, key: str) -> str:
        """What a value is bound to: moved to another row, it opens no more. No part may hold a slash."""
        return f"{self.tenant_id}/{namespace}/{key}"
