"""Values that are too large for an execution's record: put into the storage before the record is written.

A file is written first and the commit that names it second. So a crash between the two leaves a file in the
folder of the execution, which is written again when the event is, and never a record without its file.

Documentation page: ``docs/storage.md``.
"""

from __future__ import annotations

import logging
from typing import Protocol

import msgspec

from windhover.engine.batches import is_batch_under_way
from windhover.engine.effects import Effects
from windhover.engine.events import ChildEnded
from windhover.engine.live import LiveExecution
from windhover.engine.spill import StoredValue, holds_stored_values, stored_value, too_large
from windhover.model.execution import Execution, JsonValue
from windhover.storage import Storage, StorageError, flow_output_uri, input_uri, task_run_uri

logger = logging.getLogger(__name__)


class _NamesFile(Protocol):
    def __call__(self, name: str) -> str: ...


class LargeValues:
    """Puts values of executions into the storage.

    ``outputs_above`` and ``inputs_above``: bytes of JSON from which on a single value goes there;
    ``together``: how many bytes may stay in one record.
    """

    def __init__(
        self,
        storage: Storage,
        *,
        outputs_above: int = 64 * 1024,
        inputs_above: int = 256 * 1024,
        together: int = 512 * 1024,
    ) -> None:
        self._storage = storage
        self._outputs_above = outputs_above
        self._inputs_above = inputs_above
        self._together = together

    async def put_away_outputs(self, execution: Execution) -> str | None:
        """Leave markers instead of large outputs of a flow; returns why that cannot be done, if it cannot."""

        def uri(name: str) -> str:
            return flow_output_uri(execution.namespace, execution.flow_id, execution.id, f"{name}.json")

        try:
            execution.outputs = await self._fitted(execution, execution.outputs, self._outputs_above, uri)
        except StorageError as error:
            return f"the storage does not take them: {error}"
        return None

    async def put_away_task_outputs(self, live: LiveExecution, task_run_id: str, effects: Effects) -> None:
        """Leave markers instead of large outputs of a flow-control task run that has just ended.

        If the storage does not take them they stay in the record.
        """
        node = live.nodes.get(task_run_id)
        if node is None:
            return
        own, run = live.record, node.record

        def uri(name: str) -> str:
            return task_run_uri(
                own.namespace, own.flow_id, own.id, run.task_id, run.id, f"outputs/{name}.json"
            )

        try:
            fitted = await self._fitted(own, run.outputs, self._outputs_above, uri)
        except StorageError as error:
            logger.warning("Outputs of execution %s stay in the database: %s", own.id, error)
            return
        if fitted is not None and holds_stored_values(fitted):
            live.outputs_changed(node, fitted)
            # They were made in the same step, when all outputs were at hand.
            effects.jobs = [msgspec.structs.replace(job, holds_stored=True) for job in effects.jobs]

    async def put_away_inputs(self, execution: Execution) -> None:
        """Leave markers instead of large inputs of an execution that another one has started.

        Raises:
            StorageError: they cannot be stored.
        """

        def uri(name: str) -> str:
            return input_uri(execution.namespace, execution.flow_id, execution.id, name, f"{name}.json")

        execution.inputs = await self._fitted(execution, execution.inputs, self._inputs_above, uri)

    async def taken_over(self, event: ChildEnded, parent: LiveExecution) -> ChildEnded:
        """The same, with large outputs copied to the files of the task run that waits for them.

        So they are the parent's own, and stay when the execution that it has started is deleted.
        """
        node = parent.nodes.get(event.task_run_id)
        if event.outputs is None or node is None or node.ended or is_batch_under_way(node):
            return event
        if not holds_stored_values(event.outputs):
            return event
        own, run = parent.record, node.record
        files = self._storage.for_tenant(own.tenant_id)
        outputs: dict[str, JsonValue] = {}
        for name, value in event.outputs.items():
            stored = stored_value(value)
            if stored is None:
                outputs[name] = value
                continue
            uri = task_run_uri(
                own.namespace, own.flow_id, own.id, run.task_id, run.id, f"outputs/{name}.json"
            )
            try:
                async with await files.open(stored.uri) as content:
                    await files.put(uri, content)
            except StorageError as error:
                problem = f"The output `{name}` of the subflow cannot be taken over: {error}"
                return msgspec.structs.replace(event, outputs=None, problem=problem)
            outputs[name] = StoredValue(uri, stored.size).marker()
        return msgspec.structs.replace(event, outputs=outputs)

    async def _fitted(
        self, execution: Execution, values: dict[str, JsonValue] | None, each: int, uri: _NamesFile
    ) -> dict[str, JsonValue] | None:
        if not values:
            return values
        encoded = {name: msgspec.json.encode(value) for name, value in values.items()}
        sizes = {name: len(content) for name, content in encoded.items()}
        files = self._storage.for_tenant(execution.tenant_id)
        fitted = dict(values)
        for name in too_large(sizes, each, self._together):
            stored = await files.put(uri(name), encoded[name])
            fitted[name] = StoredValue(stored.uri, sizes[name]).marker()
        return fitted
