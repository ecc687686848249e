"""Folders of executions in the storage that may go, and whether somebody still borrows what they hold.

Documentation page: ``docs/storage.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from windhover.repository import statements
from windhover.repository.database import Database
from windhover.repository.statement import BulkStatement, Row, Statement, Write, sql

_IDS_AT_ONCE = 200

_SELECT = "SELECT r.execution_id, r.tenant_id, r.namespace, r.flow_id FROM released_files AS r WHERE"
# An execution that was restarted uses its files again, whatever a purge has said meanwhile.
_UNUSED = (
    "NOT EXISTS (SELECT 1 FROM file_loans AS l WHERE l.lender_id = r.execution_id) AND NOT EXISTS "
    f"(SELECT 1 FROM executions AS e WHERE e.id = r.execution_id AND e.state NOT IN ({statements.ENDED}))"
)
_PENDING = sql(f"{_SELECT} r.execution_id > ? AND {_UNUSED} ORDER BY r.execution_id LIMIT ?")
#: What stands for the upload of an execution's first files as their borrower; no execution has such an id.
UPLOAD = "upload/"
_BORROWED = sql(
    f"SELECT 1 FROM file_loans WHERE lender_id = ? AND borrower_id <> '{UPLOAD}' || lender_id LIMIT 1"
)

_NAMES = ", ".join(statements.RELEASED_FILE_COLUMNS)
_INSERT_ENDED = (
    f"INSERT INTO released_files ({_NAMES}) SELECT id, tenant_id, namespace, flow_id FROM executions "
    f"WHERE state IN ({statements.ENDED})"
)
_RELEASE = BulkStatement(
    table="released_files",
    sqlite=f"{_INSERT_ENDED} AND id = ? ON CONFLICT DO NOTHING",
    postgresql=f"{_INSERT_ENDED} AND id = ANY($1::text[]) ON CONFLICT DO NOTHING",
    reads=("executions",),
)


class ReleasedFolder(msgspec.Struct, frozen=True):
    """The folder of an execution's files, named by what its URI is made of."""

    execution_id: str
    tenant_id: str
    namespace: str
    flow_id: str


class ReleasedFileRepository:
    """Which folders are to be deleted. A folder is noted until it is gone, so that a crash leaves none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def release(self, execution_ids: Sequence[str]) -> None:
        """Note that the files of ended executions may go, though the executions stay.

        One that is under way again meanwhile keeps its files.
        """
        keys: list[Row] = [(id_,) for id_ in dict.fromkeys(execution_ids)]
        if keys:
            await self._database.write([Write(_RELEASE, keys)])

    async def deletable(self, execution_ids: Sequence[str]) -> list[ReleasedFolder]:
        """Those of the executions whose files may go now."""
        found: list[ReleasedFolder] = []
        for start in range(0, len(execution_ids), _IDS_AT_ONCE):
            ids = execution_ids[start : start + _IDS_AT_ONCE]
            found += await self._folders(_among(len(ids)), ids)
        return found

    async def all_deletable(self, after: str = "", limit: int = 500) -> list[ReleasedFolder]:
        """Folders that may go now, in the order of their executions, behind a given one."""
        return await self._folders(_PENDING, [after, limit])

    async def is_lent(self, execution_id: str) -> bool:
        """Whether another execution may need files of this one."""
        return bool(await self._database.fetch(_BORROWED, (execution_id,)))

    async def deleted(self, execution_ids: Sequence[str]) -> list[str]:
        """Note that the files of executions are gone, and with them what they may have named of others'.

        Returns the executions that have lent to them: theirs may be deletable now.
        """
        lenders: dict[str, None] = {}
        for start in range(0, len(execution_ids), _IDS_AT_ONCE):
            ids = execution_ids[start : start + _IDS_AT_ONCE]
            lenders.update((row[0], None) for row in await self._database.fetch(_lenders(len(ids)), ids))
            keys: list[Row] = [(id_,) for id_ in ids]
            await self._database.write(
                [
                    Write(statements.DELETE_FILE_LOANS_TO, keys),
                    Write(statements.DELETE_RELEASED_FILES, keys),
                ]
            )
        return list(lenders)

    async def _folders(self, statement: Statement, parameters: Sequence[object]) -> list[ReleasedFolder]:
        return [ReleasedFolder(*row) for row in await self._database.fetch(statement, parameters)]


def _among(ids: int) -> Statement:
    return sql(f"{_SELECT} r.execution_id IN ({', '.join('?' * ids)}) AND {_UNUSED}")


def _lenders(ids: int) -> Statement:
    return sql(f"SELECT DISTINCT lender_id FROM file_loans WHERE borrower_id IN ({', '.join('?' * ids)})")
