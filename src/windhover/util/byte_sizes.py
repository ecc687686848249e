"""Sizes in bytes as people write them: ``10 MB``, ``512KiB``, ``1024``."""

from __future__ import annotations

import re

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?\s*", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


def read_byte_size(size: int | str) -> int:
    """The number of bytes; K, M, G and T count in steps of 1024, with or without an ``i``.

    >>> read_byte_size("10 MB"), read_byte_size("1.5KiB"), read_byte_size(7)
    (10485760, 1536, 7)

    Raises:
        ValueError: it is no size above 0.
    """
    found = _SIZE.fullmatch(str(size))
    count = int(float(found[1]) * 1024 ** _POWERS[found[2].lower()]) if found else 0
    if count < 1:
        raise ValueError(f"`{size}` is no size such as 10 MB")
    return count
