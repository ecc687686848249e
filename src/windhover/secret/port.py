"""What a place that keeps secrets must be able to do, and how reading one may fail."""

from __future__ import annotations

from typing import Protocol


class SecretNotFound(Exception):
    """There is no secret of that name."""

    def __init__(self, name: str) -> None:
        super().__init__(f"Cannot find secret for key '{name}'.")


class SecretUnreadable(Exception):
    """There is a secret of that name, and its value cannot be had. The message tells why, not the value."""


class SecretManager(Protocol):
    """A place where secrets are kept, of one tenant."""

    async def find(self, namespace: str, name: str) -> str | None:
        """The value of the secret that a flow of this namespace means by ``name``, in any case of letters.

        None if this place has none: the next one is asked.

        Raises:
            SecretUnreadable: it has one, and cannot give it. No other place is asked then.
        """
        ...
