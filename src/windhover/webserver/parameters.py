"""Path and query parameters that many routes share."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import Depends, Path, Query

from windhover.model.log import LogLevel
from windhover.repository.filters import Paging
from windhover.webserver.errors import bad_request
from windhover.webserver.services import WebServices, services_of
from windhover.webserver.wire.dates import read_instant

#: The largest whole number that the database takes for a page or a revision.
MAX_NUMBER = 2**31 - 1
#: The largest page that is given at once.
MAX_PAGE_SIZE = 10_000

Tenant = Annotated[str, Path(description="The tenant; `main` unless there are several.")]
Namespace = Annotated[str, Path(description="A namespace, such as `company.team`.")]
FlowId = Annotated[str, Path(alias="flowId", description="The id of a flow.")]
ExecutionId = Annotated[str, Path(alias="executionId", description="The id of an execution.")]
PageNumber = Annotated[int, Query(alias="page", ge=1, le=MAX_NUMBER, description="The page, counted from 1.")]
Revision = Annotated[int | None, Query(ge=1, le=MAX_NUMBER, description="A revision; the latest by default.")]
PageSize = Annotated[int, Query(alias="size", ge=1, le=MAX_PAGE_SIZE, description="Entries a page.")]
Sort = Annotated[
    list[str] | None, Query(alias="sort", description="`field:asc` or `field:desc`; may be repeated.")
]


Services = Annotated[WebServices, Depends(services_of)]


def paging(page: int, size: int) -> Paging:
    return Paging(page, size)


def read_level(text: str | None) -> LogLevel | None:
    """A log level by name.

    Raises:
        ApiError: 400, there is no such level.
    """
    if not text:
        return None
    try:
        return LogLevel[text.upper()]
    except KeyError:
        names = ", ".join(level.name for level in reversed(LogLevel))
        raise bad_request(f"There is no log level `{text}`; there are {names}.") from None


def read_date(name: str, text: str | None) -> datetime | None:
    """An instant of the query.

    Raises:
        ApiError: 400, it is none.
    """
    if not text:
        return None
    try:
        return read_instant(text)
    except ValueError:
        raise bad_request(f"`{name}` is no date such as 2024-05-31T12:00:00Z: `{text}`") from None


def read_flag(name: str, text: str | None) -> bool:
    """A yes or no of the query; no when it is not there.

    Raises:
        ApiError: 400, it is neither.
    """
    if text is None:
        return False
    if text.lower() in ("true", "1", ""):
        return True
    if text.lower() in ("false", "0"):
        return False
    raise bad_request(f"`{name}` is true or false, not `{text}`.")


def read_number(name: str, text: str | None) -> int | None:
    """A number of the query; None when it is not there.

    Raises:
        ApiError: 400, it is no number from 0.
    """
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise bad_request(f"`{name}` is a number from 0, not `{text}`.")
    return number


def whole_number(text: str) -> int | None:
    """A number from 0 that the database takes; None for anything else."""
    if not text.isdecimal() or len(text) > len(str(MAX_NUMBER)) or int(text) > MAX_NUMBER:
        return None
    return int(text)


def split_sort(sort: str) -> tuple[str, bool]:
    """A sort key and whether it is descending."""
    key, _, direction = sort.partition(":")
    if direction.lower() not in ("", "asc", "desc"):
        raise bad_request(f"`{sort}` sorts in no known direction: use `{key}:asc` or `{key}:desc`.")
    return key, direction.lower() == "desc"
