"""The name under which a trigger is known to what it listens to.

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import hashlib

from windhover.plugin.context import RunContext

_DIGITS = 13


def consumer_name(ctx: RunContext) -> str:
    """A name that is this trigger's alone and the same each time that it runs: 23 letters, digits and dashes.

    A broker remembers by it how far the trigger has come.
    """
    identity = ctx.identity
    parts = (identity.tenant_id, identity.namespace, identity.flow_id, identity.task_id)
    digest = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"windhover-{digest[:_DIGITS]}"
