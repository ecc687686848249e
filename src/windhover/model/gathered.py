"""What a Flow trigger has gathered so far: which requirements are met, by whom, and within which window.

Documentation page: ``docs/flow-triggers.md``.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import msgspec

from windhover.model.execution import JsonValue


class Met(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """A requirement that was met: by which execution, when, and what outputs its flow had."""

    execution_id: str
    at: datetime
    outputs: dict[str, JsonValue] | None = None


class Gathered(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel"):
    """What is kept of a gathering. ``met`` is in the order in which it came; ``fired``: it was complete."""

    start: datetime | None = None
    end: datetime | None = None
    met: dict[str, Met] = {}
    fired: bool = False

    @property
    def says_nothing(self) -> bool:
        """Forgetting it makes no difference."""
        return not self.met and not self.fired


class GatheringKey(NamedTuple):
    """Which gathering of which trigger of which flow."""

    tenant_id: str
    namespace: str
    flow_id: str
    trigger_id: str
    gathering_id: str


class KeptGathering(NamedTuple):
    """What is kept of a gathering. ``due`` is the end of a window whose miss is to be told."""

    key: GatheringKey
    gathered: Gathered
    due: datetime | None = None
