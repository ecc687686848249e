"""Identifiers: 22 characters, URL-safe, sorting by the time they were made."""

from __future__ import annotations

import os
import threading
import time

_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_LENGTH = 22
_PAIRS = [a + b for a in _ALPHABET for b in _ALPHABET]
_BASE_PAIR = len(_PAIRS)

_lock = threading.Lock()
_last = 0


def new_id() -> str:
    """Return a fresh identifier: 60 bits of microseconds, then 68 random bits, in base 62.

    Identifiers made by one process sort strictly in the order they were made, so a list
    sorted by id is a list sorted by creation. The text has the length of Kestra's ids.
    """
    global _last
    value = ((time.time_ns() // 1000) << 68) | int.from_bytes(os.urandom(9), "big") >> 4
    with _lock:
        if value <= _last:
            value = _last + 1
        _last = value
    return encode(value)


def encode(value: int) -> str:
    """Write a number below 2**128 as 22 base-62 digits, most significant first."""
    pairs = []
    for _ in range(_LENGTH // 2):
        value, rest = divmod(value, _BASE_PAIR)
        pairs.append(_PAIRS[rest])
    pairs.reverse()
    return "".join(pairs)
