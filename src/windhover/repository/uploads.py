"""Files that came for an execution before it is committed: what a server that dies must not leave behind.

Before the first file is stored, the folder of such an execution is noted as released, and as lent to the
upload. So nobody deletes it while the upload lasts; afterwards it is kept if the execution is there, and else
goes as those of deleted executions do.

Documentation page: ``docs/storage.md``.
"""

from __future__ import annotations

from collections.abc import Sequence

from windhover.repository import statements
from windhover.repository.database import Database
from windhover.repository.released_files import UPLOAD, ReleasedFolder
from windhover.repository.statement import BulkStatement, Row, Write, sql

_UPLOADS = sql(
    "SELECT r.execution_id FROM released_files AS r WHERE EXISTS (SELECT 1 FROM file_loans AS l "
    f"WHERE l.lender_id = r.execution_id AND l.borrower_id = '{UPLOAD}' || r.execution_id)"
)
# An event that waits for others in a batch has its files under an id of its own.
_IS_KEPT = (
    "(EXISTS (SELECT 1 FROM executions AS e WHERE e.id = released_files.execution_id) OR EXISTS "
    "(SELECT 1 FROM batched_events AS b WHERE b.id = released_files.execution_id))"
)
_KEEP = BulkStatement(
    table="released_files",
    sqlite=f"DELETE FROM released_files WHERE execution_id = ? AND {_IS_KEPT}",
    postgresql=f"DELETE FROM released_files WHERE execution_id = ANY($1::text[]) AND {_IS_KEPT}",
    reads=("executions", "batched_events"),
)


class UploadRepository:
    """Which executions have files and are still to be committed."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def note(self, folder: ReleasedFolder) -> None:
        """Note that files are about to be stored for an execution; its id must be new."""
        row = (folder.execution_id, folder.tenant_id, folder.namespace, folder.flow_id)
        await self._database.write(
            [
                Write(statements.INSERT_FILE_LOANS, [(folder.execution_id, _borrower(folder.execution_id))]),
                Write(statements.INSERT_RELEASED_FILES, [row]),
            ]
        )

    async def settle(self, execution_ids: Sequence[str]) -> None:
        """Uploads are over: files of an execution that was committed are its own, the others may go."""
        if not execution_ids:
            return
        uploads: list[Row] = [(_borrower(id_),) for id_ in execution_ids]
        await self._database.write(
            [
                Write(_KEEP, [(id_,) for id_ in execution_ids]),
                Write(statements.DELETE_FILE_LOANS_TO, uploads),
            ]
        )

    async def settle_all(self) -> None:
        """Settle what the server that had this database before has left.

        Only while no upload to an execution of this database is under way.
        """
        await self.settle([row[0] for row in await self._database.fetch(_UPLOADS)])


def _borrower(execution_id: str) -> str:
    return f"{UPLOAD}{execution_id}"
