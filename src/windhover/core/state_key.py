"""Where the tasks that keep a state put it: an entry of the key-value store."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from windhover.plugin.context import RunContext

_OTHER = re.compile(r"[^a-zA-Z0-9._-]+")


def state_key(ctx: RunContext, name: str, *, shared: bool, by_value: bool) -> str:
    """The key of a state: of the flow, or of its whole namespace (``shared``).

    ``by_value``: in a loop, each iteration has one of its own.
    """
    key = f"{'' if shared else ctx.identity.flow_id + '_'}states_tasks-states_{_storable(name)}"
    run = ctx.variables.get("taskrun")
    value = run.get("value") if isinstance(run, Mapping) else None
    if by_value and value is not None:
        return f"{key}_{hashlib.sha256(str(value).encode()).hexdigest()[:16]}"
    return key


def _storable(name: str) -> str:
    cleaned = _OTHER.sub("-", name)
    if cleaned == name:
        return name
    return f"{cleaned}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"
