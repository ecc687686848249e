"""Whose files an execution was given when it was made: they are kept as long as it is.

A replay takes over what ran before, a retry the inputs of what it retries, a subflow gets inputs: with
them come the URIs of files in other executions' folders. Each of those lends to the new one, and a folder
goes when its execution does not need it any more and nobody borrows it. What a Flow trigger gathers borrows
as well, until it becomes an execution.

Only executions that are there can lend to one that is being made. So loans never run in a circle, and files
whose executions are all gone are never held by one another.

Documentation page: ``docs/storage.md``.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence

from windhover.model.execution import Execution
from windhover.model.gathered import GatheringKey, KeptGathering
from windhover.repository.statement import Row

_FILE = "kestra:///"
#: Where the id of its execution stands in the URI of a file.
_NAMED = re.compile(r"/executions/([0-9A-Za-z]{1,100})/")


def loan_rows(created: Collection[str], executions: Sequence[Row], task_runs: Sequence[Row]) -> list[Row]:
    """Lender and borrower, of all executions that are ``created``, from the rows that will be written."""
    if not created:
        return []
    loans: dict[Row, None] = {}
    for row in executions:
        if row[0] in created:
            *_, data, contents = row
            loans.update(dict.fromkeys(_loans_to(row[0], data)))
            loans.update(dict.fromkeys(_loans_to(row[0], contents)))
    for row in task_runs:
        if row[1] in created:
            *_, data, outputs = row
            loans.update(dict.fromkeys(_loans_to(row[1], data)))
            loans.update(dict.fromkeys(_loans_to(row[1], outputs)))
    return list(loans)


def gathering_loan_rows(gatherings: Sequence[KeptGathering], rows: Sequence[Row]) -> list[Row]:
    """Lender and borrower, of what Flow triggers have gathered: outputs that may name files of executions."""
    loans: dict[Row, None] = {}
    for kept, row in zip(gatherings, rows, strict=True):
        loans.update(dict.fromkeys(_loans_to(gathering_borrower(kept.key), row[-1])))
    return list(loans)


def gathering_borrower(key: GatheringKey) -> str:
    """What stands as borrower for what a Flow trigger has gathered; no execution has such an id."""
    return "gathering/" + "/".join(key)


def released_row(execution: Execution) -> Row:
    """The columns of ``statements.RELEASED_FILE_COLUMNS``."""
    return execution.id, execution.tenant_id, execution.namespace, execution.flow_id


def _loans_to(borrower: str, text: str | None) -> Iterator[Row]:
    # The search for a fixed text is next to nothing, and few records name a file.
    if text is None or _FILE not in text:
        return
    for lender in _NAMED.findall(text):
        if lender != borrower:
            yield lender, borrower
