"""Conditions and orders of searches as SQL. Importing this costs the import of SQLAlchemy.

Statements are composed and compiled with SQLAlchemy and run, as all others, on the driver itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import ColumnElement, Delete, Index, Select, and_, func, literal, not_, or_, select
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite

from windhover.repository.database import Database, Dialect
from windhover.repository.filters import InvalidFilter, Paging, TextMatch, TextOperator, TimeRange
from windhover.repository.instants import to_micros
from windhover.repository.records import storable_text
from windhover.repository.statement import Row, Statement

_DIALECTS: Final[dict[Dialect, Any]] = {
    "sqlite": SQLiteDialect_pysqlite(paramstyle="qmark"),
    "postgresql": PGDialect_asyncpg(),  # type: ignore[no-untyped-call]
}

#: Matches from which it pays to go through an index in order. In a table of a million rows a page of ten is
#: then found within some 3,000.
_MANY = 3000


def compiled(query: Select[Any] | Delete, dialect: Dialect) -> tuple[Statement, Row]:
    """The text of a query in one dialect, and its parameters in order."""
    result = query.compile(dialect=_DIALECTS[dialect], compile_kwargs={"render_postcompile": True})
    values = result.params
    parameters = [values[name] for name in result.positiontup or ()]
    return Statement(sqlite=str(result), postgresql=str(result)), parameters


async def fetch(database: Database, query: Select[Any]) -> Sequence[Row]:
    """Run one query."""
    return await database.fetch(*compiled(query, database.dialect))


async def fetch_page(
    database: Database,
    query: Select[Any],
    order: Sequence[ColumnElement[Any]],
    paging: Paging,
    ordered_index: Index | None = None,
) -> tuple[Sequence[Row], int]:
    """The rows of one page and the number of rows in all.

    ``ordered_index`` has the rows in the order wanted. Where many rows match, going through it until the page
    is full is far cheaper than collecting and sorting them all. PostgreSQL sees that by itself; SQLite, which
    cannot know how many will match, is told once they are counted.
    """
    page = query.order_by(*order).limit(paging.size).offset(paging.offset)
    count = select(func.count()).select_from(query.with_only_columns(literal(1)).subquery())
    if database.dialect == "sqlite" and ordered_index is not None:
        total = int((await fetch(database, count))[0][0])
        if total > _MANY and ordered_index.table is not None:
            page = page.with_hint(ordered_index.table, f"INDEXED BY {ordered_index.name}", "sqlite")
        return await fetch(database, page), total
    rows, counts = await database.fetch_together(
        [compiled(page, database.dialect), compiled(count, database.dialect)]
    )
    return rows, int(counts[0][0])


def all_of(conditions: Iterable[ColumnElement[bool] | None]) -> ColumnElement[bool]:
    """All conditions but those that are None."""
    return and_(literal(True), *(condition for condition in conditions if condition is not None))


def matches(column: ColumnElement[Any], match: TextMatch) -> ColumnElement[bool]:
    """A condition on a column of text.

    Raises:
        InvalidFilter: it names no value, or a regular expression that cannot be read.
    """
    operator = match.operator
    values = [storable_text(value) for value in match.values]
    if operator is TextOperator.IN:
        return column.in_(values)
    if operator is TextOperator.NOT_IN:
        return or_(column.is_(None), column.not_in(values))
    if not values:
        raise InvalidFilter(f"{operator} needs a value to compare with.")
    value = values[0]
    match operator:
        case TextOperator.EQUALS:
            return column == value
        case TextOperator.NOT_EQUALS:
            return or_(column.is_(None), column != value)
        case TextOperator.PREFIX:
            # One range of an index, as "/" is the character after "."; what else lies in it is left out.
            below = func.substr(column, 1, len(value) + 1) == f"{value}."
            return and_(column >= value, column < f"{value}/", or_(column == value, below))
        case TextOperator.CONTAINS:
            return contains(column, value)
        case TextOperator.STARTS_WITH:
            return func.lower(column).like(f"{_escaped(value)}%", escape="\\")
        case TextOperator.ENDS_WITH:
            return func.lower(column).like(f"%{_escaped(value)}", escape="\\")
        case TextOperator.REGEX:
            try:
                re.compile(value)
            except re.error as error:
                raise InvalidFilter(f"`{value}` is not a regular expression: {error}") from error
            return column.regexp_match(value)


def all_match(column: ColumnElement[Any], conditions: Iterable[TextMatch]) -> ColumnElement[bool] | None:
    """Several conditions on one column, None when there are none."""
    parts = [matches(column, condition) for condition in conditions]
    return and_(*parts) if parts else None


def contains(column: ColumnElement[Any], text: str) -> ColumnElement[bool]:
    """The text occurs somewhere, in upper or lower case."""
    return func.lower(column).like(f"%{_escaped(storable_text(text))}%", escape="\\")


def occurs_in_any(columns: Iterable[ColumnElement[Any]], text: str | None) -> ColumnElement[bool] | None:
    """The text occurs in at least one of the columns; None without a text."""
    return or_(*(contains(column, text) for column in columns)) if text else None


def within(column: ColumnElement[Any], time: TimeRange | None) -> ColumnElement[bool] | None:
    """The instant lies in the range; None when that says nothing."""
    if time is None or (time.since is None and time.until is None):
        return None
    parts: list[ColumnElement[bool]] = []
    if time.since is not None:
        parts.append(column >= to_micros(time.since))
    if time.until is not None:
        parts.append(column < to_micros(time.until))
    return and_(*parts)


def one_of(column: ColumnElement[Any], values: Iterable[str | int] | None) -> ColumnElement[bool] | None:
    """The value is one of these; None when none are given."""
    listed = list(values or ())
    return column.in_(listed) if listed else None


def none_of(column: ColumnElement[Any], values: Iterable[str]) -> ColumnElement[bool] | None:
    listed = list(values)
    return not_(column.in_(listed)) if listed else None


def ordered(column: ColumnElement[Any], *, descending: bool, nullable: bool = False) -> ColumnElement[Any]:
    """An order in which rows without a value come last, in either direction."""
    order = column.desc() if descending else column.asc()
    return order.nulls_last() if nullable else order


def _escaped(text: str) -> str:
    return text.lower().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
