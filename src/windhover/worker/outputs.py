"""From what a task returns to the outputs of its run: plain JSON within the limits of size."""

from __future__ import annotations

import msgspec

from windhover.engine.spill import STORED_TYPE, StoredValue, holds_stored_values, too_large
from windhover.model.execution import JsonValue
from windhover.model.state import StateType
from windhover.plugin.context import FileStore
from windhover.plugin.task import Output, outputs_of
from windhover.util.nulls import without_nulls
from windhover.worker.environment import MEBIBYTE, OutputLimits


class OutputError(Exception):
    """The outputs of a task cannot be kept; the message says why and what to do."""


def output_values(result: object) -> dict[str, JsonValue]:
    """What a task returned, as JSON values by output name; what is null in maps is left out.

    Raises:
        OutputError: it holds what JSON cannot say.
    """
    try:
        values: dict[str, JsonValue] = without_nulls(outputs_of(result))
        return values
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise OutputError(f"The outputs cannot be written as JSON: {error}") from error


def final_state(result: object) -> StateType:
    """The end state that a task chose by what it returned, SUCCESS unless it did."""
    chosen = result.final_state if isinstance(result, Output) else None
    return chosen or StateType.SUCCESS


async def fit_outputs(
    values: dict[str, JsonValue], limits: OutputLimits, files: FileStore
) -> dict[str, JsonValue]:
    """Bring outputs within the limits: what is large goes into the storage, a marker takes its place.

    Raises:
        OutputError: they are larger than any limit allows, imitate stored values, or JSON cannot say them.
    """
    for name, value in values.items():
        if holds_stored_values(value):
            # Whoever reads the output would be given any file that the task names.
            raise OutputError(
                f"The output `{name}` holds a map with the type `{STORED_TYPE}`: it stands for a stored value"
            )
    encoded = {name: _encode(name, value) for name, value in values.items()}
    total = sum(map(len, encoded.values()))
    if total > limits.maximum:
        largest = max(encoded, key=lambda name: len(encoded[name]))
        raise OutputError(
            f"The outputs are {_mebibytes(total)} of JSON, more than the limit of"
            f" {_mebibytes(limits.maximum)}; `{largest}` alone is {_mebibytes(len(encoded[largest]))}."
            " Write large data to a file and return its URI instead: `outputFiles` of a script,"
            " `store: true` or `fetchType: STORE` of other tasks."
        )
    if total <= limits.spill_above:
        return values
    kept = dict(values)
    sizes = {name: len(content) for name, content in encoded.items()}
    for name in too_large(sizes, limits.spill_above, limits.inline_total):
        uri = await files.put(encoded[name], f"{name}.json")
        kept[name] = StoredValue(uri, sizes[name]).marker()
    return kept


def _encode(name: str, value: JsonValue) -> bytes:
    try:
        return msgspec.json.encode(value)
    except (TypeError, ValueError, RecursionError, OverflowError) as error:
        raise OutputError(f"The output `{name}` cannot be written as JSON: {error}") from error


def _mebibytes(size: int) -> str:
    return f"{size / MEBIBYTE:.1f} MiB"
