"""Rows from records, and records from rows.

A row is made at once, in the call: the record may change as soon as the call has returned.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

import msgspec

from windhover.model.execution import Attempt, Execution, HistoryPage, Label, TaskRun
from windhover.model.log import LogEntry, LogLevel, Metric
from windhover.model.state import State, StateChange
from windhover.repository.abridged import WHOLE, Contents, abridged, complete
from windhover.repository.batch import Timer
from windhover.repository.errors import UnstorableRecord
from windhover.repository.instants import duration_micros, from_micros, to_micros
from windhover.repository.statement import Row

#: Longer names are cut in the columns that are indexed (PostgreSQL takes 2,700 bytes an entry), never in
#: the records themselves.
INDEXED_LENGTH = 255

_encoder = msgspec.json.Encoder()
_execution_decoder = msgspec.json.Decoder(Execution)
_contents_decoder = msgspec.json.Decoder(Contents)
_task_run_decoder = msgspec.json.Decoder(TaskRun)
_states_decoder = msgspec.json.Decoder(list[StateChange])
_attempts_decoder = msgspec.json.Decoder(list[Attempt])
_json_decoder = msgspec.json.Decoder()
_labels_decoder = msgspec.json.Decoder(list[Label])
_tags_decoder = msgspec.json.Decoder(dict[str, str])

_Record = TypeVar("_Record", Execution, TaskRun)

_NOT_JSON = (TypeError, ValueError, OverflowError, RecursionError)


def execution_row(execution: Execution) -> Row:
    """The columns of ``statements.EXECUTION_COLUMNS``."""
    state = execution.state
    start, end = state.start_date, state.end_date
    trigger = execution.trigger
    started_by = trigger.variables.get("executionId") if trigger is not None else None
    try:
        data, contents = _execution_texts(execution)
        return (
            execution.id,
            execution.tenant_id,
            execution.namespace,
            execution.flow_id,
            execution.flow_revision,
            state.current.value,
            to_micros(start),
            to_micros(end),
            None if end is None else duration_micros(end - start),
            execution.kind,
            execution.parent_id,
            execution.original_id,
            None if trigger is None else trigger.id,
            started_by if isinstance(started_by, str) else None,
            to_micros(execution.schedule_date),
            data,
            contents,
        )
    except _NOT_JSON as error:
        raise UnstorableRecord(execution.id, "The header", str(error)) from error


def _execution_texts(execution: Execution) -> tuple[str, str | None]:
    """The columns ``data`` and ``contents``; there are contents only where ``data`` does not hold all."""
    kept = execution if execution.paged is None else _without_pages(execution)
    encoded = _encoder.encode(kept)
    if len(encoded) <= WHOLE:
        return encoded.decode(), None
    shown, contents = abridged(kept)
    if contents is None:
        return encoded.decode(), None
    return _encoder.encode(shown).decode(), _encoder.encode(contents).decode()


def execution_of(data: str, contents: str | None = None) -> Execution:
    """An execution from its columns; without ``contents`` as listings show it.

    What stands on pages is still to be added.
    """
    execution = _execution_decoder.decode(data)
    if contents is not None:
        complete(execution, _contents_decoder.decode(contents))
    return execution


def label_rows(execution: Execution) -> list[Row]:
    """The columns of ``statements.LABEL_COLUMNS``, without repetitions."""
    labels = {indexed_label(label.key, label.value) for label in execution.labels}
    return [(execution.id, key, value) for key, value in sorted(labels)]


def indexed_label(key: str, value: str) -> tuple[str, str]:
    """A label as the table of labels holds it."""
    return storable_text(key)[:INDEXED_LENGTH], storable_text(value)[:INDEXED_LENGTH]


def task_run_row(run: TaskRun) -> Row:
    """The columns of ``statements.TASK_RUN_COLUMNS``; the outputs stand apart from the rest."""
    outputs = run.outputs
    kept = run if outputs is None else msgspec.structs.replace(run, outputs=None)
    try:
        return (
            run.id,
            run.execution_id,
            run.position,
            run.state.current.value,
            _encoder.encode(kept if kept.paged is None else _without_pages(kept)).decode(),
            None if outputs is None else _encoder.encode(outputs).decode(),
        )
    except _NOT_JSON as error:
        raise UnstorableRecord(run.execution_id, f"Task run '{run.task_id}'", str(error)) from error


def task_run_of(row: Row) -> TaskRun:
    """A task run from its columns ``data`` and ``outputs``; what stands on pages is still to be added."""
    data, outputs = row
    run = _task_run_decoder.decode(data)
    if outputs is not None:
        run.outputs = _json_decoder.decode(outputs)
    return run


def page_row(page: HistoryPage) -> Row:
    """The columns of ``statements.HISTORY_PAGE_COLUMNS``."""
    return (
        page.execution_id,
        page.record_id,
        page.number,
        _encoder.encode(page.states).decode(),
        _encoder.encode(page.attempts).decode(),
    )


def add_pages(record: Execution | TaskRun, pages: Sequence[Row]) -> None:
    """Put what stands on pages, in their order, before what a record's row held.

    A page is ``states`` and ``attempts``, as columns. The record may have been read before the last of them
    was turned, and holds what is on it then.
    """
    if record.paged is None:
        return
    states: list[StateChange] = []
    attempts: list[Attempt] = []
    for states_text, attempts_text in pages[: record.paged.pages]:
        states.extend(_states_decoder.decode(states_text))
        attempts.extend(_attempts_decoder.decode(attempts_text))
    record.state.histories[:0] = states
    if isinstance(record, TaskRun) and attempts:
        record.attempts = [*attempts, *(record.attempts or ())]


def _without_pages(record: _Record) -> _Record:
    """What the row of a record holds of it."""
    paged = record.paged
    assert paged is not None, "only of a record with pages"
    kept = msgspec.structs.replace(
        record, state=State(record.state.current, record.state.histories[paged.states :])
    )
    if isinstance(kept, TaskRun) and kept.attempts is not None:
        kept.attempts = kept.attempts[paged.attempts :]
    return kept


def log_row(entry: LogEntry) -> Row:
    """The columns of ``statements.LOG_COLUMNS``."""
    return (
        entry.execution_id,
        entry.sequence,
        entry.tenant_id,
        entry.namespace,
        entry.flow_id,
        to_micros(entry.timestamp),
        int(entry.level),
        entry.task_id,
        entry.task_run_id,
        entry.attempt_number,
        entry.trigger_id,
        entry.thread,
        storable_text(entry.message),
    )


def log_of(row: Row) -> LogEntry:
    (
        execution_id,
        sequence,
        tenant_id,
        namespace,
        flow_id,
        timestamp,
        level,
        task_id,
        task_run_id,
        attempt_number,
        trigger_id,
        thread,
        message,
    ) = row
    return LogEntry(
        tenant_id=tenant_id,
        namespace=namespace,
        flow_id=flow_id,
        execution_id=execution_id,
        timestamp=from_micros(timestamp),
        level=LogLevel(level),
        message=message,
        task_id=task_id,
        task_run_id=task_run_id,
        attempt_number=attempt_number,
        trigger_id=trigger_id,
        thread=thread,
        sequence=sequence,
    )


def metric_rows(metrics: Sequence[Metric]) -> list[Row]:
    """The columns of ``statements.METRIC_COLUMNS``.

    Metrics have no number of their own. A digest of all that a metric says makes writing it twice the
    same as writing it once; equal metrics of one batch are told apart by how many came before.
    """
    seen: dict[str, int] = {}
    rows: list[Row] = []
    for metric in metrics:
        try:
            encoded = _encoder.encode(metric)
        except _NOT_JSON as error:
            raise UnstorableRecord(metric.execution_id, f"Metric '{metric.name}'", str(error)) from error
        digest = blake2b(encoded, digest_size=16).hexdigest()
        repeated = seen[digest] = seen.get(digest, 0) + 1
        rows.append(
            (
                metric.execution_id,
                digest if repeated == 1 else f"{digest}-{repeated}",
                metric.tenant_id,
                metric.namespace,
                metric.flow_id,
                metric.task_id,
                metric.task_run_id,
                metric.type,
                storable_text(metric.name)[:INDEXED_LENGTH],
                float(metric.value),
                to_micros(metric.timestamp),
                json_text(metric.tags),
            )
        )
    return rows


def metric_of(row: Row) -> Metric:
    """A metric from the columns of ``statements.METRIC_COLUMNS``."""
    execution_id, _, tenant_id, namespace, flow_id, task_id, task_run_id, type_, name, value, at, tags = row
    return Metric(
        tenant_id=tenant_id,
        namespace=namespace,
        flow_id=flow_id,
        execution_id=execution_id,
        task_id=task_id,
        task_run_id=task_run_id,
        type=type_,
        name=name,
        value=value,
        timestamp=from_micros(at),
        tags=_tags_decoder.decode(tags),
    )


def timer_row(timer: Timer) -> Row:
    """The columns of ``statements.TIMER_COLUMNS``."""
    return timer.execution_id, timer.key, to_micros(timer.due)


def timer_of(row: Row) -> Timer:
    execution_id, key, due = row
    return Timer(execution_id, key, from_micros(due))


def labels_text(labels: Sequence[Label]) -> str:
    return _encoder.encode(labels).decode()


def labels_of(text: str) -> list[Label]:
    return _labels_decoder.decode(text)


def json_text(value: object) -> str:
    return _encoder.encode(value).decode()


def storable_text(text: str) -> str:
    """The text without what no database takes: the character NUL, and halves of surrogate pairs."""
    if "\0" in text:
        text = text.replace("\0", "\N{REPLACEMENT CHARACTER}")
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text
