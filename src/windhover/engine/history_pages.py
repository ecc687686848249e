"""Keeps records short, however often a task is tried again: what is long past goes to pages.

A record is written whole at each of its steps. Were its history written along with it each time, two
thousand tries would cost two thousand times two thousand entries. So a row holds the newest of them, and
what came before stands on pages, each of which is written once. In memory, and to all who read it,
a record has its whole history.
"""

from __future__ import annotations

from collections.abc import Iterable

from windhover.model.execution import Attempt, Execution, HistoryPage, PagedHistory, TaskRun

#: So many entries a row may hold. Few records come to it: a task tried seven times has 36 states.
_MOST_STATES = 40
_MOST_ATTEMPTS = 20

#: What stays in the row when a page is turned: the newest entries are still read, and changed.
_STATES_LEFT = 8
_ATTEMPTS_LEFT = 2


def turn_pages(header: Execution | None, task_runs: Iterable[TaskRun]) -> list[HistoryPage]:
    """The pages to write along with records that have changed, which take note of them."""
    pages = []
    if header is not None and len(header.state.histories) > _MOST_STATES:
        pages += _turned(header, header.id, [])
    for run in task_runs:
        attempts = run.attempts or []
        if len(run.state.histories) > _MOST_STATES or len(attempts) > _MOST_ATTEMPTS:
            pages += _turned(run, run.execution_id, attempts)
    return pages


def _turned(record: Execution | TaskRun, execution_id: str, attempts: list[Attempt]) -> list[HistoryPage]:
    """The next page of a long record, unless its row still has room."""
    states, paged = record.state.histories, record.paged or PagedHistory(0, 0)
    if len(states) - paged.states <= _MOST_STATES and len(attempts) - paged.attempts <= _MOST_ATTEMPTS:
        return []
    old_states = states[paged.states : -_STATES_LEFT]
    old_attempts = attempts[paged.attempts : -_ATTEMPTS_LEFT]
    record.paged = PagedHistory(
        paged.pages + 1, paged.states + len(old_states), paged.attempts + len(old_attempts)
    )
    return [HistoryPage(execution_id, record.id, paged.pages, old_states, old_attempts)]
