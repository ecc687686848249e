"""SQL text in the two dialects, without a library: what the hot path runs.

The tables themselves are defined in ``tables.py``; a test holds the columns named here against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache, partial
from itertools import count
from typing import Any, NamedTuple

import msgspec

_PARAMETER = re.compile(r"\$(\d+)")

#: One row as a driver takes and gives it: text, whole numbers, floats, booleans and None.
Row = Sequence[Any]


class Statement(msgspec.Struct, frozen=True):
    """One statement. ``sqlite`` has ``?`` for its parameters, ``postgresql`` has ``$1``, ``$2``, …"""

    sqlite: str
    postgresql: str


class BulkStatement(msgspec.Struct, frozen=True):
    """A statement for many rows at once.

    SQLite runs it once a row, or with many rows of values where there are ``sqlite_values``. PostgreSQL
    runs it once for all rows and takes each column as an array, so no two may have the same key. ``reads``
    are other tables in which it must see what statements before it have written.
    """

    table: str
    sqlite: str
    postgresql: str
    #: What stands in ``sqlite`` for one row of values and may be repeated, separated by commas.
    sqlite_values: str = ""
    reads: tuple[str, ...] = ()


class Write(NamedTuple):
    """A statement and the rows to run it with."""

    statement: BulkStatement
    rows: Sequence[Row]


def sql(text: str) -> Statement:
    """A statement that reads the same in both dialects, written with ``?`` for each parameter."""
    numbers = count(1)
    parts = text.split("?")
    numbered = parts[0] + "".join(f"${next(numbers)}{part}" for part in parts[1:])
    return Statement(sqlite=text, postgresql=numbered)


def upsert(
    table: str, columns: Mapping[str, str], key: Sequence[str], update: Iterable[str] | None = None
) -> BulkStatement:
    """Insert rows, or change those whose key is there already.

    ``columns`` maps names to PostgreSQL types. ``update`` names the columns to change, by default all but
    the key; when empty, rows that are there stay as they are.
    """
    names = ", ".join(columns)
    changed = [name for name in columns if name not in key] if update is None else list(update)
    assignments = ", ".join(f"{name} = excluded.{name}" for name in changed)
    conflict = f"ON CONFLICT ({', '.join(key)}) DO " + (f"UPDATE SET {assignments}" if changed else "NOTHING")
    marks = ", ".join("?" * len(columns))
    return BulkStatement(
        table=table,
        sqlite=f"INSERT INTO {table} ({names}) VALUES ({marks}) {conflict}",
        postgresql=f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_arrays(columns)}) {conflict}",
        sqlite_values=f"({marks})",
    )


def insert(table: str, columns: Mapping[str, str]) -> BulkStatement:
    """Insert rows; one that is there already is a violated constraint."""
    names = ", ".join(columns)
    marks = ", ".join("?" * len(columns))
    return BulkStatement(
        table=table,
        sqlite=f"INSERT INTO {table} ({names}) VALUES ({marks})",
        postgresql=f"INSERT INTO {table} ({names}) SELECT * FROM unnest({_arrays(columns)})",
        sqlite_values=f"({marks})",
    )


def delete(table: str, key: Mapping[str, str]) -> BulkStatement:
    """Delete the rows of the given keys."""
    names = ", ".join(key)
    matches = " AND ".join(f"{table}.{name} = doomed.{name}" for name in key)
    return BulkStatement(
        table=table,
        sqlite=f"DELETE FROM {table} WHERE " + " AND ".join(f"{name} = ?" for name in key),
        postgresql=f"DELETE FROM {table} USING unnest({_arrays(key)}) AS doomed ({names}) WHERE {matches}",
    )


@cache
def repeated(statement: BulkStatement, rows: int) -> str:
    """A statement with ``sqlite_values`` for so many rows at once, their parameters one after the other."""
    values = ", ".join([statement.sqlite_values] * rows)
    return statement.sqlite.replace(f"VALUES {statement.sqlite_values}", f"VALUES {values}")


@cache
def together(statements: tuple[BulkStatement, ...]) -> str:
    """Statements on different tables as one for PostgreSQL, its parameters those of all in order.

    It saves a round trip a statement, and those that begin and commit a transaction.
    """
    texts = []
    offset = 0
    for statement in statements:
        numbers = [int(number) for number in _PARAMETER.findall(statement.postgresql)]
        texts.append(_PARAMETER.sub(partial(_shifted, offset), statement.postgresql))
        offset += max(numbers)
    *first, last = texts
    named = ", ".join(f"w{number} AS ({text})" for number, text in enumerate(first))
    return f"WITH {named} {last}" if named else last


def _shifted(offset: int, parameter: re.Match[str]) -> str:
    return f"${int(parameter[1]) + offset}"


def _arrays(columns: Mapping[str, str]) -> str:
    return ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(columns.values(), 1))
