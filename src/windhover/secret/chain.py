"""Several places that keep secrets, asked one after the other."""

from __future__ import annotations

from collections.abc import Sequence

from windhover.secret.port import SecretManager, SecretNotFound


class SecretChain:
    """Secrets of one tenant: of the places given, the first that knows a name counts."""

    def __init__(self, managers: Sequence[SecretManager]) -> None:
        self._managers = tuple(managers)

    async def read(self, namespace: str, name: str) -> str:
        """The value of the secret that a flow of this namespace means by ``name``.

        Raises:
            SecretNotFound: no place has it.
            SecretUnreadable: one has it, and cannot give it.
        """
        for manager in self._managers:
            value = await manager.find(namespace, name)
            if value is not None:
                return value
        raise SecretNotFound(name)
