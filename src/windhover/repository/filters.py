"""What searches are made of: conditions, orders and pages, as the API's filters name them."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

import msgspec

Record = TypeVar("Record")


class InvalidFilter(ValueError):
    """A condition that cannot be searched for; the message is for whoever wrote it."""


class TextOperator(StrEnum):
    """How a text is compared.

    PREFIX is for dotted names: the name itself and everything below it. CONTAINS, STARTS_WITH and
    ENDS_WITH ignore case, the others do not.
    """

    EQUALS = "EQUALS"
    NOT_EQUALS = "NOT_EQUALS"
    IN = "IN"
    NOT_IN = "NOT_IN"
    STARTS_WITH = "STARTS_WITH"
    ENDS_WITH = "ENDS_WITH"
    CONTAINS = "CONTAINS"
    REGEX = "REGEX"
    PREFIX = "PREFIX"


class TextMatch(msgspec.Struct, frozen=True):
    """One condition on a text. Only IN and NOT_IN take several values; the others take the first.

    A missing text matches NOT_EQUALS and NOT_IN, and nothing else.
    """

    operator: TextOperator
    values: tuple[str, ...]

    @classmethod
    def equal(cls, value: str) -> TextMatch:
        return cls(TextOperator.EQUALS, (value,))

    @classmethod
    def any_of(cls, *values: str) -> TextMatch:
        return cls(TextOperator.IN, values)

    @classmethod
    def contains(cls, value: str) -> TextMatch:
        return cls(TextOperator.CONTAINS, (value,))

    @classmethod
    def prefix(cls, value: str) -> TextMatch:
        """A namespace and all below it: ``company`` finds ``company`` and ``company.team``."""
        return cls(TextOperator.PREFIX, (value,))


class LabelMatch(msgspec.Struct, frozen=True):
    """A label that must be there, or, when ``excluded``, must not. Without a value any value will do."""

    key: str
    value: TextMatch | None = None
    excluded: bool = False

    @classmethod
    def equal(cls, key: str, value: str) -> LabelMatch:
        return cls(key, TextMatch.equal(value))


class TimeRange(msgspec.Struct, frozen=True):
    """From ``since`` (included) until ``until`` (not included); None leaves that end open."""

    since: datetime | None = None
    until: datetime | None = None


class Paging(msgspec.Struct, frozen=True):
    """Which part of the result is wanted; pages count from 1."""

    page: int = 1
    size: int = 10

    def __post_init__(self) -> None:
        if self.page < 1 or self.size < 1:
            raise InvalidFilter(f"There is no page {self.page} of size {self.size}: both count from 1.")

    @property
    def offset(self) -> int:
        return (self.page - 1) * self.size


FIRST_PAGE = Paging()


class Page(msgspec.Struct, Generic[Record], frozen=True):
    """One page of records, and how many there are in all."""

    results: list[Record]
    total: int
