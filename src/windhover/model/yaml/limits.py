"""How large and how deep a document may be."""

from __future__ import annotations

import msgspec


class SourceLimits(msgspec.Struct, frozen=True):
    """Bounds that keep reading a document quick, whatever it says.

    ``size`` counts bytes of UTF-8. ``nodes`` counts values after aliases are followed, so a short text
    that stands for a huge tree is refused as the huge tree would be.
    """

    size: int = 1024 * 1024
    depth: int = 100
    nodes: int = 100_000
    digits: int = 300


DEFAULT_LIMITS = SourceLimits()
