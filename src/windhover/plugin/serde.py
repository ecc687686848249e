"""How the bodies of messages become values, and values bodies.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import base64
import binascii
from enum import StrEnum

import msgspec

from windhover.model.execution import JsonValue


class UnreadableMessage(ValueError):
    """The body of a message is not what its trigger or task was told to expect; the text says why."""


class Serde(StrEnum):
    """The form of a message's body."""

    STRING = "STRING"
    JSON = "JSON"
    #: Any bytes. In flows and files they are text in base64.
    BYTES = "BYTES"

    def serialize(self, value: JsonValue) -> bytes:
        """The body for a value.

        What is no text is written as JSON. With ``JSON``, text that is a JSON object or list is sent as it
        is.

        Raises:
            ValueError: with ``BYTES``, the value is no base64.
        """
        if self is Serde.BYTES:
            return _from_base64(value)
        if isinstance(value, str) and (self is Serde.STRING or _is_json_container(value)):
            return value.encode(errors="replace")
        return msgspec.json.encode(value)

    def deserialize(self, body: bytes) -> JsonValue:
        """The value of a body. As ``STRING``, bytes that are not UTF-8 become U+FFFD.

        Raises:
            UnreadableMessage: with ``JSON``, the body is no JSON.
        """
        if self is Serde.BYTES:
            return base64.b64encode(body).decode()
        if self is Serde.STRING:
            return body.decode(errors="replace")
        try:
            value: JsonValue = msgspec.json.decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise UnreadableMessage(f"it is no JSON ({error}): {_beginning(body)}") from None
        return value


_SHOWN = 80


def _beginning(body: bytes) -> str:
    shown = body[:_SHOWN].decode(errors="replace")
    return f"`{shown}…`" if len(body) > _SHOWN else f"`{shown}`"


def _is_json_container(text: str) -> bool:
    if not text.lstrip().startswith(("{", "[")):
        return False
    try:
        msgspec.json.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return False
    return True


def _from_base64(value: JsonValue) -> bytes:
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except binascii.Error:
            pass
    raise ValueError("with serdeType BYTES, what is sent is text in base64")
