"""Keeping passwords: salted scrypt, never the password itself."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os

_SCHEME = "scrypt"
_COST, _BLOCK, _PARALLEL = 1 << 14, 8, 1
_SALT_BYTES = 16


def hash_password(password: str) -> str:
    """What is stored of a password: scheme, cost, salt and hash in one text."""
    salt = os.urandom(_SALT_BYTES)
    digest = _derive(password, salt, _COST, _BLOCK, _PARALLEL)
    return "$".join((_SCHEME, str(_COST), str(_BLOCK), str(_PARALLEL), _text(salt), _text(digest)))


def verify_password(password: str, stored: str) -> bool:
    """Whether a password is the one that was hashed; takes tens of milliseconds, whatever the answer."""
    try:
        scheme, cost, block, parallel, salt, digest = stored.split("$")
        if scheme != _SCHEME:
            return False
        derived = _derive(password, base64.b64decode(salt), int(cost), int(block), int(parallel))
        return hmac.compare_digest(derived, base64.b64decode(digest))
    except ValueError:
        return False


def _derive(password: str, salt: bytes, cost: int, block: int, parallel: int) -> bytes:
    return hashlib.scrypt(
        password.encode(), salt=salt, n=cost, r=block, p=parallel, maxmem=256 * cost * block, dklen=32
    )


def _text(value: bytes) -> str:
    return base64.b64encode(value).decode("ascii")
