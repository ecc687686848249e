"""Encryption of SECRET inputs and outputs, and of stored secrets: AES-GCM under the server's key.

A stored secret is the map ``{"value": …, "type": "io.kestra.datatype:aes_encrypted"}`` whose value is
the Base64 of a fresh nonce of 12 bytes, the ciphertext and the tag of 16 bytes. It is what Kestra
writes, so either server reads what the other has stored under the same key.

Documentation pages: ``docs/inputs.md``, ``docs/secrets.md``.
"""

from __future__ import annotations

import base64
import binascii
import os
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, TypeGuard

from windhover.model.execution import JsonValue

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ENCRYPTED_TYPE = "io.kestra.datatype:aes_encrypted"

#: Encrypts the text of a secret into the value that is stored.
Encrypt = Callable[[str], JsonValue]

_NONCE_BYTES = 12
_TAG_BYTES = 16
_KEY_BYTES = (16, 24, 32)


class EncryptionError(Exception):
    """A key that is none, or a secret that this key does not open."""


class SecretCipher:
    """Encrypts and decrypts with one key (``kestra.encryption.secret-key``)."""

    def __init__(self, secret_key: str) -> None:
        """Take the key as the configuration gives it: Base64 of 16, 24 or 32 bytes.

        Raises:
            EncryptionError: it is no such key.
        """
        try:
            key = base64.b64decode(secret_key, validate=True)
        except (binascii.Error, ValueError):
            raise EncryptionError("`kestra.encryption.secret-key` is not Base64") from None
        if len(key) not in _KEY_BYTES:
            raise EncryptionError(
                f"`kestra.encryption.secret-key` holds {len(key)} bytes; a key has 16, 24 or 32"
                " (make one with `openssl rand -base64 32`)"
            )
        self._key = key

    def encrypt(self, text: str) -> dict[str, JsonValue]:
        """The value under which a secret is stored; no two of the same text are alike."""
        return {"value": self.seal(text), "type": ENCRYPTED_TYPE}

    def decrypt(self, stored: Mapping[str, JsonValue]) -> str:
        """The text of a stored secret.

        Raises:
            EncryptionError: it is no secret, is damaged, or was encrypted with another key.
        """
        value = stored.get("value") if is_encrypted(stored) else None
        if not isinstance(value, str):
            raise EncryptionError("not an encrypted value")
        return self.unseal(value) if value else ""

    def seal(self, text: str, bound_to: str = "") -> str:
        """The Base64 of nonce, ciphertext and tag. It opens only for who names what it is ``bound_to``."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = nonce + self._cipher.encrypt(nonce, text.encode(), bound_to.encode())
        return base64.b64encode(sealed).decode("ascii")

    def unseal(self, sealed: str, bound_to: str = "") -> str:
        """The text that was sealed.

        Raises:
            EncryptionError: it is damaged, was sealed with another key, or is bound to something else.
        """
        from cryptography.exceptions import InvalidTag

        try:
            content = base64.b64decode(sealed, validate=True)
            if len(content) < _NONCE_BYTES + _TAG_BYTES:
                raise EncryptionError("the encrypted value is cut short")
            nonce, rest = content[:_NONCE_BYTES], content[_NONCE_BYTES:]
            return self._cipher.decrypt(nonce, rest, bound_to.encode()).decode()
        except (binascii.Error, ValueError):
            raise EncryptionError("the encrypted value is damaged") from None
        except InvalidTag:
            raise EncryptionError(
                "the value cannot be decrypted: it is damaged, or was encrypted with another key"
            ) from None

    @cached_property
    def _cipher(self) -> AESGCM:
        # Imported with the first secret: most starts never see one.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        return AESGCM(self._key)


def is_encrypted(value: JsonValue) -> TypeGuard[Mapping[str, JsonValue]]:
    """Whether a value is a stored secret."""
    return isinstance(value, Mapping) and value.get("type") == ENCRYPTED_TYPE
