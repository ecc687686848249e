"""Entries of the key-value store and the types that their values may have.

Documentation page: ``docs/kv.md``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from windhover.model.execution import JsonValue
from windhover.util.durations import parse_duration

_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
_MAX_KEY_LENGTH = 500
_DURATION = re.compile(r"P(?=[^T]|T.)(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+(\.\d+)?S)?)?")


class KvType(StrEnum):
    """What kind of value an entry has. Instants, dates and durations are kept as ISO 8601 text."""

    STRING = "STRING"
    NUMBER = "NUMBER"
    BOOLEAN = "BOOLEAN"
    DATETIME = "DATETIME"
    DATE = "DATE"
    DURATION = "DURATION"
    JSON = "JSON"


class KvValue(msgspec.Struct, frozen=True):
    """A value and its type."""

    type: KvType
    value: JsonValue


class KvEntry(msgspec.Struct, frozen=True):
    """The latest version of an entry. ``created`` is when the key came to be, ``updated`` this version.

    From ``expires`` on it counts as missing.
    """

    tenant_id: str
    namespace: str
    key: str
    version: int
    content: KvValue
    created: datetime
    updated: datetime
    description: str | None = None
    expires: datetime | None = None


class InvalidKey(ValueError):
    """A text that cannot be a key."""


class InvalidKvValue(ValueError):
    """A value that is not of the type it should have."""


class KeyExists(Exception):
    """There is an entry of this key already, and it may not be overwritten."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"Cannot set value for key '{key}'. Key already exists and `overwrite` is set to `false`."
        )


class NamespaceMissing(Exception):
    """Nothing is known of a namespace: it has no flows, entries or files."""

    def __init__(self, namespace: str) -> None:
        super().__init__(f"Cannot access the KV store. The namespace '{namespace}' does not exist.")


def missing_entry(namespace: str, key: str) -> str:
    """The words for an entry that is not there although it must be."""
    return f"No value found for key '{key}' in namespace '{namespace}' and `errorOnMissing` is set to true"


def check_key(key: str) -> str:
    """The key itself.

    Raises:
        InvalidKey: it is empty or too long, or holds other characters than keys have.
    """
    if not key:
        raise InvalidKey("Key cannot be null or empty")
    if not _KEY.fullmatch(key):
        raise InvalidKey(
            "Key must start with an alphanumeric character (uppercase or lowercase) and can contain "
            "alphanumeric characters (uppercase or lowercase), dots (.), underscores (_), and hyphens (-) "
            "only."
        )
    if len(key) > _MAX_KEY_LENGTH:
        raise InvalidKey(f"Key must have at most {_MAX_KEY_LENGTH} characters.")
    return key


def kv_value(value: object, type: KvType | None = None) -> KvValue:
    """A value with its type: the one that is asked for, or the one that it has by itself.

    Text is read as what ``type`` says. Without a type it stays text, unless it is a duration. Null is null
    whatever is asked for.

    Raises:
        InvalidKvValue: the text cannot be read so, or the value is not of this type.
    """
    if type is None or value is None:
        return _by_itself(value)
    if isinstance(value, str):
        return _read_text(value, type)
    if type is KvType.STRING:
        return KvValue(type, _text(value))
    own = _by_itself(value)
    if own.type is not type and type is not KvType.JSON:
        raise InvalidKvValue(f"{_shown(value)} is no value of type {type}.")
    return KvValue(type, own.value)


def read_kv_value(text: str) -> KvValue:
    """The value that the body of a request means: JSON, an unquoted date or instant, or plain text.

    Raises:
        InvalidKvValue: it begins as JSON does, and is none.
    """
    stripped = text.strip()
    if not stripped:
        return KvValue(KvType.STRING, None)
    try:
        return _by_itself(_loads(stripped))
    except InvalidKvValue:
        if stripped[0] in '{["':
            raise
    for read, type_ in ((_date, KvType.DATE), (_instant, KvType.DATETIME)):
        try:
            return KvValue(type_, read(stripped))
        except InvalidKvValue:
            continue
    return _by_itself(stripped)


def _by_itself(value: object) -> KvValue:
    match value:
        case None:
            return KvValue(KvType.STRING, None)
        case bool():
            return KvValue(KvType.BOOLEAN, value)
        case int() | float():
            return KvValue(KvType.NUMBER, value)
        case Decimal():
            return KvValue(KvType.NUMBER, int(value) if value == value.to_integral_value() else float(value))
        case str():
            type_ = KvType.DURATION if _DURATION.fullmatch(value) else KvType.STRING
            return KvValue(type_, str(value))
        case datetime():
            return KvValue(KvType.DATETIME, _instant(value.isoformat()))
        case date():
            return KvValue(KvType.DATE, value.isoformat())
        case Mapping() | list() | tuple():
            return KvValue(KvType.JSON, _plain(value))
    return KvValue(KvType.STRING, str(value))


def _read_text(text: str, type: KvType) -> KvValue:
    match type:
        case KvType.STRING:
            return KvValue(type, text)
        case KvType.NUMBER:
            number = _loads(text.strip())
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise InvalidKvValue(f"{_shown(text)} is no number.")
            return KvValue(type, number)
        case KvType.BOOLEAN:
            if text.strip().lower() not in ("true", "false"):
                raise InvalidKvValue(f"{_shown(text)} is neither true nor false.")
            return KvValue(type, text.strip().lower() == "true")
        case KvType.DATETIME:
            return KvValue(type, _instant(text.strip()))
        case KvType.DATE:
            if "T" in text:
                # Dates with a time of day are instants, whatever they are called.
                return KvValue(KvType.DATETIME, _instant(text.strip()))
            return KvValue(type, _date(text.strip()))
        case KvType.DURATION:
            try:
                parse_duration(text)
            except (ValueError, OverflowError) as error:
                raise InvalidKvValue(str(error)) from None
            return KvValue(type, text.strip())
        case KvType.JSON:
            return KvValue(type, _loads(text))


def _loads(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidKvValue(f"{_shown(text)} is no JSON: {error}") from None
    return value


def _refuse_constant(name: str) -> JsonValue:
    raise ValueError(f"{name} is no JSON")


def _date(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise InvalidKvValue(f"{_shown(text)} is no date such as 2024-05-31.") from None


def _instant(text: str) -> str:
    """The text of an instant in UTC. Without a zone it is in UTC already."""
    try:
        if "T" not in text:
            raise ValueError(text)
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise InvalidKvValue(f"{_shown(text)} is no instant such as 2024-05-31T10:00:00Z.") from None
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    fraction = f".{instant.microsecond:06}".rstrip("0") if instant.microsecond else ""
    return f"{instant:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def _text(value: object) -> str:
    plain = _by_itself(value).value
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False, separators=(",", ":"))


def _plain(value: object) -> JsonValue:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return _by_itself(value).value


def _shown(value: object) -> str:
    text = value if isinstance(value, str) else _text(value)
    return f"`{text}`" if len(text) <= 100 else f"`{text[:100]}…`"
