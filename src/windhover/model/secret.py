"""Secrets that are kept by the server: what is known of one, and what may be written.

Documentation page: ``docs/secrets.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime

import msgspec

from windhover.model.flow import NAMESPACE_PATTERN

#: Longer values make poor secrets: each is searched for in every line that its task logs.
MAX_VALUE_BYTES = 64 * 1024
MAX_KEY_LENGTH = 256
MAX_NAMESPACE_LENGTH = 150
MAX_DESCRIPTION_LENGTH = 10_000
MAX_TAGS = 50
MAX_TAG_LENGTH = 256

_KEY = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9._-]*")
_NAMESPACE = re.compile(NAMESPACE_PATTERN)


class SecretTag(msgspec.Struct, frozen=True):
    """A name and a value to sort secrets by."""

    key: str
    value: str


class SecretEntry(msgspec.Struct, frozen=True):
    """All that is told of a stored secret: never its value."""

    tenant_id: str
    namespace: str
    key: str
    description: str | None
    tags: tuple[SecretTag, ...]
    created: datetime
    updated: datetime


class SealedSecret(msgspec.Struct, frozen=True):
    """The encrypted value of a stored secret, and where it was found."""

    namespace: str
    key: str
    sealed: str


class InvalidSecret(ValueError):
    """A secret that cannot be stored. ``problems`` are pairs of what they are about and what is wrong."""

    def __init__(self, problems: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in problems))
        self.problems = tuple(problems)


def stored_key(name: str) -> str:
    """The key under which a secret is kept: names are compared in upper case."""
    return name.upper()


def can_exist(namespace: str, key: str) -> bool:
    """Whether there may be a secret of this name at all."""
    return next(_problems_of_place(namespace, key), None) is None


def check_secret(namespace: str, key: str, value: str) -> None:
    """Hold a secret against the rules for its name and value.

    Raises:
        InvalidSecret: it breaks some; they are told without the value.
    """
    problems = [*_problems_of_place(namespace, key)]
    try:
        size = len(value.encode())
    except UnicodeEncodeError:
        problems.append(("value", "must be Unicode text"))
    else:
        if not size:
            problems.append(("value", "must not be empty"))
        elif size > MAX_VALUE_BYTES:
            problems.append(("value", f"must have at most {MAX_VALUE_BYTES} bytes"))
    if problems:
        raise InvalidSecret(problems)


def check_description(description: str | None, tags: Sequence[SecretTag]) -> None:
    """Hold what is told of a secret against the rules.

    Raises:
        InvalidSecret: it breaks some.
    """
    problems = []
    if description is not None and len(description) > MAX_DESCRIPTION_LENGTH:
        problems.append(("description", f"must have at most {MAX_DESCRIPTION_LENGTH} characters"))
    if len(tags) > MAX_TAGS:
        problems.append(("tags", f"must be at most {MAX_TAGS}"))
    if len({tag.key for tag in tags}) < len(tags):
        problems.append(("tags", "must not name a key twice"))
    if any(not tag.key or max(len(tag.key), len(tag.value)) > MAX_TAG_LENGTH for tag in tags[:MAX_TAGS]):
        problems.append(("tags", f"must have keys, keys and values of at most {MAX_TAG_LENGTH} characters"))
    if problems:
        raise InvalidSecret(problems)


def _problems_of_place(namespace: str, key: str) -> Iterator[tuple[str, str]]:
    if not _NAMESPACE.fullmatch(namespace) or len(namespace) > MAX_NAMESPACE_LENGTH:
        yield (
            "namespace",
            f"must begin with a lower-case letter or digit, go on with these, dots, underscores and hyphens, "
            f"and have at most {MAX_NAMESPACE_LENGTH} characters",
        )
    if not _KEY.fullmatch(key):
        yield (
            "key",
            "must begin with a letter, digit or underscore and go on with these, dots and hyphens",
        )
    elif len(key) > MAX_KEY_LENGTH:
        yield "key", f"must have at most {MAX_KEY_LENGTH} characters"
