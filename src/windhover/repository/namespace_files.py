"""Which files namespaces have, in versions. Their bytes lie in the internal storage.

Documentation page: ``docs/files.md``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from msgspec.structs import replace

from windhover.model.namespace_file import NamespaceFile, NamespaceFileExists, parent_directories
from windhover.repository.contention import attempts
from windhover.repository.database import Database
from windhover.repository.errors import ConstraintViolated, RepositoryUnavailable
from windhover.repository.instants import from_micros, to_micros
from windhover.repository.statement import BulkStatement, Row, Write, delete, insert, sql, upsert

NAMESPACE_FILE_COLUMNS = {
    "tenant_id": "text",
    "namespace": "text",
    "path": "text",
    "version": "integer",
    "latest": "boolean",
    "deleted": "boolean",
    "size": "bigint",
    "content": "text",
    "created": "bigint",
    "updated": "bigint",
}
_RECORD_COLUMNS = [name for name in NAMESPACE_FILE_COLUMNS if name not in ("latest", "deleted")]
_SELECT = f"SELECT {', '.join(_RECORD_COLUMNS)} FROM namespace_files"
_IN_NAMESPACE = "tenant_id = ? AND namespace = ?"

_KEY = {"tenant_id": "text", "namespace": "text", "path": "text", "version": "integer"}
_LATEST = sql(
    f"SELECT {', '.join(_RECORD_COLUMNS)}, deleted FROM namespace_files "
    f"WHERE {_IN_NAMESPACE} AND path = ? AND latest"
)
_VERSIONS = sql(f"{_SELECT} WHERE {_IN_NAMESPACE} AND path = ? ORDER BY version")
_LIST = sql(
    f"{_SELECT} WHERE {_IN_NAMESPACE} AND path >= ? AND path < ? AND latest AND NOT deleted ORDER BY path"
)
_HISTORY = sql(
    f"SELECT {', '.join(_RECORD_COLUMNS)}, deleted FROM namespace_files "
    f"WHERE {_IN_NAMESPACE} AND path >= ? AND path < ? ORDER BY path, version DESC"
)
_NAMESPACES = sql("SELECT DISTINCT namespace FROM namespace_files WHERE tenant_id = ? ORDER BY 1")
_INSERT = insert("namespace_files", NAMESPACE_FILE_COLUMNS)
_INSERT_IF_ABSENT = upsert("namespace_files", NAMESPACE_FILE_COLUMNS, list(_KEY), [])
_DELETE = delete("namespace_files", _KEY)


def _update(assignment: str, values: str = "", types: str = "") -> BulkStatement:
    """An update of rows by their key; the values of the assignment come after the key."""
    match = " AND ".join(f"namespace_files.{name} = old.{name}" for name in _KEY)
    arrays = ", ".join(f"${number}::{type_}[]" for number, type_ in enumerate(_KEY.values(), 1))
    return BulkStatement(
        table="namespace_files",
        # The parameters of the assignment come last: `?5` is the first after the key.
        sqlite=f"UPDATE namespace_files SET {assignment.format(value='?5')} WHERE "
        + " AND ".join(f"{name} = ?{number}" for number, name in enumerate(_KEY, 1)),
        postgresql=f"UPDATE namespace_files SET {assignment.format(value='old.value')} FROM unnest({arrays}"
        f"{types}) AS old ({', '.join(_KEY)}{values}) WHERE {match}",
    )


_SUPERSEDE = _update("latest = FALSE")
_MARK_DELETED = _update("deleted = TRUE, updated = {value}", ", value", ", $5::bigint[]")
_RENAME = _update("path = {value}", ", value", ", $5::text[]")

#: After every character that a path may begin with below a directory.
_AFTER_ALL = "\U0010ffff"


class NamespaceFileRepository:
    """Keeps what is known of files: versions count from 1; a deleted file goes on counting until purged."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, tenant_id: str, namespace: str, path: str, version: int | None = None
    ) -> NamespaceFile | None:
        """A file or directory, its latest version or a given one; None when it is not there, or deleted."""
        rows = await self._database.fetch(_LATEST, (tenant_id, namespace, path))
        if not rows or rows[0][-1]:
            return None
        latest = _record(rows[0][:-1])
        if version is None or latest.version == version:
            return latest
        versions = await self.versions(tenant_id, namespace, path)
        return next((each for each in versions if each.version == version), None)

    async def versions(self, tenant_id: str, namespace: str, path: str) -> Sequence[NamespaceFile]:
        """The versions of a file that are kept, the oldest first."""
        return [_record(row) for row in await self._database.fetch(_VERSIONS, (tenant_id, namespace, path))]

    async def list(self, tenant_id: str, namespace: str, directory: str = "") -> Sequence[NamespaceFile]:
        """The files and directories below a directory, at any depth, sorted by path."""
        row = (tenant_id, namespace, directory, directory + _AFTER_ALL)
        found = [_record(each) for each in await self._database.fetch(_LIST, row)]
        return [file for file in found if file.path != directory]

    async def namespaces(self, tenant_id: str) -> Sequence[str]:
        """The namespaces that have files, deleted ones too, sorted."""
        return [namespace for (namespace,) in await self._database.fetch(_NAMESPACES, (tenant_id,))]

    async def add(self, file: NamespaceFile, *, overwrite: bool = True) -> NamespaceFile:
        """Write a file down as the next version of its path, and the directories around it.

        ``version`` and ``created`` of what is given do not count.

        Raises:
            NamespaceFileExists: there is a file, and ``overwrite`` is False; or a directory has this path,
                or a file that of a directory around it.
        """
        tenant_id, namespace, path = file.tenant_id, file.namespace, file.path
        around = parent_directories(path)
        for other in [f"{path}/", *(directory.rstrip("/") for directory in around)]:
            if await self.find(tenant_id, namespace, other) is not None:
                raise NamespaceFileExists(namespace, other.rstrip("/"))
        async for _ in attempts():
            rows = await self._database.fetch(_LATEST, (tenant_id, namespace, path))
            last = _record(rows[0][:-1]) if rows else None
            exists = bool(rows) and not rows[0][-1]
            if exists and not overwrite:
                raise NamespaceFileExists(namespace, path)
            added = replace(
                file,
                version=1 if last is None else last.version + 1,
                created=last.created if last is not None and exists else file.updated,
            )
            writes = [Write(_INSERT, [_row(added)])]
            if last is not None:
                writes.insert(0, Write(_SUPERSEDE, [_key(last)]))
            if around:
                rows = [_row(_directory(tenant_id, namespace, each, file.updated)) for each in around]
                writes.append(Write(_INSERT_IF_ABSENT, rows))
            try:
                await self._database.write(writes)
            except ConstraintViolated:
                continue
            return added
        raise RepositoryUnavailable(f"The file '{path}' of '{namespace}' is written by others all the time.")

    async def add_directory(self, tenant_id: str, namespace: str, path: str, now: datetime) -> None:
        """Write a directory down, and those around it; nothing happens to those that are there.

        Raises:
            NamespaceFileExists: a file has this path.
        """
        paths = [*parent_directories(path), path]
        for each in paths:
            if await self.find(tenant_id, namespace, each.rstrip("/")) is not None:
                raise NamespaceFileExists(namespace, each.rstrip("/"))
        rows = [_row(_directory(tenant_id, namespace, each, now)) for each in paths]
        await self._database.write([Write(_INSERT_IF_ABSENT, rows)])

    async def delete(self, files: Sequence[NamespaceFile], now: datetime) -> None:
        """Mark files as deleted, and forget directories."""
        instant = to_micros(now)
        marked: list[Row] = [(*_key(file), instant) for file in files if not file.is_directory]
        forgotten: list[Row] = [_key(file) for file in files if file.is_directory]
        writes = [
            Write(statement, rows)
            for statement, rows in ((_MARK_DELETED, marked), (_DELETE, forgotten))
            if rows
        ]
        if writes:
            await self._database.write(writes)

    async def history(
        self, tenant_id: str, namespace: str, directory: str = ""
    ) -> Sequence[tuple[NamespaceFile, bool]]:
        """All versions of what lies below a directory, the latest of each path first; True: it is deleted."""
        row = (tenant_id, namespace, directory, directory + _AFTER_ALL)
        return [(_record(each[:-1]), bool(each[-1])) for each in await self._database.fetch(_HISTORY, row)]

    async def forget(self, versions: Sequence[NamespaceFile]) -> None:
        """Delete versions for good."""
        if versions:
            await self._database.write([Write(_DELETE, [_key(version) for version in versions])])

    async def rename(
        self, versions: Sequence[NamespaceFile], source: str, target: str, now: datetime
    ) -> None:
        """Give versions another path: ``target`` in place of ``source``, with which theirs begin."""
        rows: list[Row] = [(*_key(each), target + each.path[len(source) :]) for each in versions]
        writes = [Write(_RENAME, rows)]
        if versions and (around := parent_directories(target)):
            first = versions[0]
            made = [_row(_directory(first.tenant_id, first.namespace, path, now)) for path in around]
            writes.append(Write(_INSERT_IF_ABSENT, made))
        if rows:
            try:
                await self._database.write(writes)
            except ConstraintViolated:
                raise NamespaceFileExists(versions[0].namespace, target.rstrip("/")) from None


def _directory(tenant_id: str, namespace: str, path: str, now: datetime) -> NamespaceFile:
    return NamespaceFile(tenant_id, namespace, path, 1, 0, now, now)


def _key(file: NamespaceFile) -> Row:
    return (file.tenant_id, file.namespace, file.path, file.version)


def _row(file: NamespaceFile) -> Row:
    return (
        file.tenant_id,
        file.namespace,
        file.path,
        file.version,
        True,
        False,
        file.size,
        file.content,
        to_micros(file.created),
        to_micros(file.updated),
    )


def _record(row: Row) -> NamespaceFile:
    tenant_id, namespace, path, version, size, content, created, updated = row
    return NamespaceFile(
        tenant_id,
        namespace,
        path,
        version,
        size,
        from_micros(created),
        from_micros(updated),
        content,
    )
