"""Filters that hash, encode and decode texts."""

from __future__ import annotations

import base64
import binascii
import hashlib
from urllib.parse import quote_plus, unquote_plus

from windhover.expression.errors import EvaluationError
from windhover.expression.library.strings import only_text
from windhover.expression.registry import Example, filter_
from windhover.expression.values import to_string


def _digest(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise EvaluationError(f"The '{name}' filter expects a text.")
    return hashlib.new(name, value.encode(), usedforsecurity=False).hexdigest()


@filter_(
    "md5",
    "The MD5 hash of a text, in hexadecimal.",
    Example("{{ 'test' | md5 }}", "098f6bcd4621d373cade4e832627b4f6"),
)
def md5(value: object) -> str:
    return _digest("md5", value)


@filter_(
    "sha1",
    "The SHA-1 hash of a text, in hexadecimal.",
    Example("{{ 'test' | sha1 }}", "a94a8fe5ccb19ba61c4c0873d391e987982fbbd3"),
)
def sha1(value: object) -> str:
    return _digest("sha1", value)


@filter_(
    "sha256",
    "The SHA-256 hash of a text, in hexadecimal.",
    Example("{{ 'test' | sha256 | abbreviate(11) }}", "9f86d081..."),
)
def sha256(value: object) -> str:
    return _digest("sha256", value)


@filter_(
    "sha512", "The SHA-512 hash of a text, in hexadecimal.", Example("{{ 'test' | sha512 | length }}", "128")
)
def sha512(value: object) -> str:
    return _digest("sha512", value)


@filter_("base64encode", "A text in Base64.", Example("{{ 'test' | base64encode }}", "dGVzdA=="))
def base64encode(value: object) -> str:
    data = bytes(value) if isinstance(value, bytes | bytearray) else to_string(value).encode()
    return base64.b64encode(data).decode()


@filter_("base64decode", "The text of a Base64 text.", Example("{{ 'dGVzdA==' | base64decode }}", "test"))
def base64decode(value: object) -> str:
    try:
        return base64.b64decode(_padded(only_text("base64decode", value)), validate=True).decode(
            "utf-8", "replace"
        )
    except (binascii.Error, ValueError) as error:
        raise EvaluationError(f"The 'base64decode' filter cannot decode the text: {error}.") from None


def _padded(text: str) -> str:
    return text + "=" * (-len(text) % 4) if not text.endswith("=") else text


@filter_(
    "urlencode",
    "A text as part of a URL's query; a blank becomes `+`.",
    Example("{{ 'The string ü@foo-bar' | urlencode }}", "The+string+%C3%BC%40foo-bar"),
)
def urlencode(value: object) -> str:
    # Java leaves the asterisk alone and escapes the tilde.
    return quote_plus(only_text("urlencode", value), safe="*").replace("~", "%7E")


@filter_("urldecode", "The reverse of `urlencode`.", Example("{{ 'a%20b+c' | urldecode }}", "a b c"))
def urldecode(value: object) -> str:
    return unquote_plus(only_text("urldecode", value))
