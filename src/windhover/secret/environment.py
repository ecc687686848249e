"""Secrets from environment variables: ``SECRET_<NAME>``, base64-encoded.

Documentation page: ``docs/secrets.md``.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection, Mapping

PREFIX = "SECRET_"


class EnvironmentSecrets:
    """Reads secrets at start; names are compared in upper case. Those of all namespaces are the same."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._values: dict[str, str] = {}
        #: Names of variables that hold no base64 and are left out.
        self.unreadable: list[str] = []
        for variable, value in environ.items():
            if not variable.startswith(PREFIX):
                continue
            try:
                decoded = base64.b64decode(value.strip(), validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                self.unreadable.append(variable)
            else:
                self._values[variable[len(PREFIX) :].upper()] = decoded.removesuffix("\n")

    def names(self) -> Collection[str]:
        """The names of all secrets."""
        return self._values.keys()

    async def find(self, namespace: str, name: str) -> str | None:
        """See :class:`windhover.secret.port.SecretManager`."""
        return self._values.get(name.upper())
