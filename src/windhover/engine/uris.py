"""URIs of inputs: RFC 2396 with letters of all languages, and always with a scheme."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")
_SCHEME_START = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*")
_PARTS = re.compile(
    r"(?:[^:/?#]+:)?(?://(?P<authority>[^/?#]*))?(?P<path>[^?#]*)"
    r"(?:\?(?P<query>[^#]*))?(?:#(?P<fragment>.*))?",
    re.DOTALL,
)
_ESCAPE = re.compile(r"%[0-9a-fA-F]{2}")
_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_.!~*'();:@&=+$,/?%[]")
_BRACKETS_IN = frozenset({"authority", "query", "fragment"})


def check_uri(text: str) -> None:
    """Accept an absolute URI.

    Raises:
        ValueError: a character that no URI may hold, a broken escape, or no scheme.
    """
    _check_scheme(text)
    parts = _PARTS.fullmatch(text)
    if parts is not None:
        if parts["authority"] == "" and parts.end("authority") == len(text):
            raise ValueError(f"Expected authority at index {len(text)}: {text}")
        for name in ("authority", "path", "query", "fragment"):
            if parts[name]:
                _check_part(text, name, parts.start(name), parts.end(name))
    if _SCHEME.match(text) is None:
        raise ValueError("Invalid URI format.")


def _check_scheme(text: str) -> None:
    """Refuse what stands before a colon and is no scheme, and a scheme with nothing behind it."""
    colon = text.find(":")
    if colon < 0 or any(delimiter in text[:colon] for delimiter in "/?#"):
        return
    if colon == 0:
        raise ValueError(f"Expected scheme name at index 0: {text}")
    if _SCHEME.match(text) is None:
        stop = _SCHEME_START.match(text)
        raise ValueError(f"Illegal character in scheme name at index {stop.end() if stop else 0}: {text}")
    if colon == len(text) - 1:
        raise ValueError(f"Expected scheme-specific part at index {len(text)}: {text}")


def _check_part(text: str, name: str, start: int, end: int) -> None:
    if name == "authority":
        bracket = text.find("[", start, end)
        if bracket >= 0 and text.find("]", bracket, end) < 0:
            raise ValueError(f"Expected closing bracket for IPv6 address at index {end}: {text}")
    for index in range(start, end):
        character = text[index]
        if character == "%" and _ESCAPE.match(text, index) is None:
            raise ValueError(f"Malformed escape pair at index {index}: {text}")
        illegal = character not in _ALLOWED if character.isascii() else not character.isprintable()
        if illegal or (character in "[]" and name not in _BRACKETS_IN):
            raise ValueError(f"Illegal character in {name} at index {index}: {text}")
