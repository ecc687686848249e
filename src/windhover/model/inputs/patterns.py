"""Regular expressions of flows, which are written in Java's dialect."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import regex

MATCH_SECONDS = 10.0


@lru_cache(maxsize=256)
def compile_pattern(pattern: str) -> regex.Pattern[str]:
    r"""Compile a pattern of Java's dialect: ``\w`` means ASCII, ``[a-z&&[^b]]`` is an intersection.

    Raises:
        ValueError: the pattern is not well-formed.
    """
    import regex

    try:
        return regex.compile(_translate(pattern), regex.ASCII | regex.V1)
    except (regex.error, RecursionError, OverflowError) as error:
        raise ValueError(f"invalid pattern [{pattern}]: {error}") from None


def matches(pattern: str, text: str) -> bool:
    """Whether the whole of ``text`` is of the form of ``pattern``.

    Raises:
        ValueError: the pattern is not well-formed.
        TimeoutError: the match took longer than :data:`MATCH_SECONDS`.
    """
    return compile_pattern(pattern).fullmatch(text, timeout=MATCH_SECONDS) is not None


def _translate(pattern: str) -> str:
    r"""Write what only Java knows (``\Q…\E``, ``\k<name>``, ``\e``, ``\x{41}``) in the words of Python."""
    import re

    def replace(escape: re.Match[str]) -> str:
        if escape["quoted"] is not None:
            return re.escape(escape["quoted"])
        if escape["name"] is not None:
            return f"(?P={escape['name']})"
        if escape["code"] is not None:
            return re.escape(chr(int(escape["code"], 16)))
        return "\\x1b" if escape[0] == "\\e" else escape[0]

    return re.sub(
        r"\\Q(?P<quoted>.*?)(?:\\E|\Z)|\\k<(?P<name>\w+)>|\\x\{(?P<code>10[0-9a-fA-F]{4}|[0-9a-fA-F]{1,5})\}|\\.",
        replace,
        pattern,
        flags=re.DOTALL,
    )
