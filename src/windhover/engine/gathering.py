"""How what a Flow trigger has gathered goes on: requirements met, windows that end, firings.

Nothing here looks at a clock or a database.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, tzinfo

import msgspec

from windhover.engine.spill import stored_value
from windhover.model.execution import Execution, JsonValue
from windhover.model.gathered import Gathered, Met
from windhover.plugin.gathering import AfterFiring, Gathering, Span


def span_of(gathering: Gathering, now: datetime, zone: tzinfo) -> Span | None:
    """The window of a gathering that is open, or the next one; None when it has none."""
    if gathering.window_at is None:
        return None
    return gathering.window_at(now, gathering.zone or zone)


def current(gathering: Gathering, kept: Gathered | None, now: datetime, zone: tzinfo) -> Gathered | None:
    """What of it still counts; None while no window is open, so that nothing is gathered."""
    if kept is not None and gathering.lookback is not None:
        since = now - gathering.lookback
        met = {key: entry for key, entry in kept.met.items() if entry.at >= since}
        return Gathered(met=met)
    if kept is not None and (kept.end is None or now < kept.end) and gathering.window_at is not None:
        if kept.start is None or kept.start <= now:
            return kept
        return None
    span = span_of(gathering, now, zone)
    if span is None:
        return kept or Gathered()
    return Gathered(span.start, span.end) if span.start <= now else None


def with_met(
    gathered: Gathered, gathering: Gathering, met: Iterable[str], upstream: Execution, now: datetime
) -> Gathered:
    """The same with requirements that an execution meets; what was met stays met."""
    entries = dict(gathered.met)
    for key in met:
        if key in entries and gathering.lookback is None:
            continue
        entries.pop(key, None)
        entries[key] = Met(upstream.id, now, upstream.outputs)
    return msgspec.structs.replace(gathered, met=entries)


def is_complete(gathering: Gathering, gathered: Gathered) -> bool:
    """Whether enough requirements are met. Those that the flow no longer names do not count."""
    if gathered.fired and gathering.after_firing is AfterFiring.WAIT:
        return False
    return len(gathered.met.keys() & gathering.requirements.keys()) >= gathering.needed


def after_firing(gathering: Gathering, gathered: Gathered) -> Gathered | None:
    """What is kept once the trigger has fired; None when nothing is."""
    if gathering.after_firing is AfterFiring.GO_ON:
        return msgspec.structs.replace(gathered, fired=True)
    if gathering.after_firing is AfterFiring.WAIT or gathering.miss_labels is not None:
        return msgspec.structs.replace(gathered, met={}, fired=True)
    return None


def gathered_outputs(gathered: Iterable[Gathered], last: Execution) -> dict[str, JsonValue] | None:
    """The outputs of the execution that completed it, merged with those of the ones before, which win."""
    merged: dict[str, JsonValue] | None = dict(last.outputs) if last.outputs is not None else None
    entries = [entry for each in gathered for entry in each.met.values()]
    for entry in sorted(entries, key=lambda entry: entry.at, reverse=True):
        if entry.outputs is not None and entry.execution_id != last.id:
            merged = _merge(merged or {}, entry.outputs)
    return merged


def _merge(lower: Mapping[str, JsonValue], upper: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    merged = dict(lower)
    for name, value in upper.items():
        below = merged.get(name)
        stored = stored_value(below) is not None or stored_value(value) is not None
        if isinstance(below, dict) and isinstance(value, dict) and not stored:
            value = _merge(below, value)
        merged[name] = value
    return merged
