"""Texts encrypted with AES-GCM: a random nonce of 12 bytes, then the ciphertext, in Base64."""

from __future__ import annotations

import base64
import binascii
import os

from windhover.expression.errors import EvaluationError

_NONCE_SIZE = 12


def _key_bytes(key: str) -> bytes:
    try:
        decoded = base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        decoded = b""
    if len(decoded) not in (16, 24, 32):
        raise EvaluationError("The encryption key must be 16, 24 or 32 bytes in Base64.")
    return decoded


def encrypt_text(key: str, plaintext: str) -> str:
    """Encrypts a text. Raises EvaluationError for a key that is none."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = os.urandom(_NONCE_SIZE)
    ciphertext = AESGCM(_key_bytes(key)).encrypt(nonce, plaintext.encode(), None)
    return base64.b64encode(nonce + ciphertext).decode()


def decrypt_text(key: str, encrypted: str) -> str:
    """Decrypts what ``encrypt_text`` made. Raises EvaluationError if the key or the text does not fit."""
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    cipher = AESGCM(_key_bytes(key))
    try:
        data = base64.b64decode(encrypted, validate=True)
        return cipher.decrypt(data[:_NONCE_SIZE], data[_NONCE_SIZE:], None).decode()
    except (binascii.Error, ValueError, InvalidTag):
        raise EvaluationError("The text cannot be decrypted with this key.") from None
