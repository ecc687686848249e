"""``io.kestra.plugin.core.flow.AllowFailure``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from windhover.core.flow.sequential import Sequential
from windhover.model.state import StateType


class AllowFailure(Sequential):
    """Run tasks one after the other; a failure ends the group with WARNING and the flow goes on.

    With `allowWarning`, warnings of its tasks count as success; a failure still ends it with WARNING.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.AllowFailure"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.tasks.flows.AllowFailure",)

    def end_state(self, children: Mapping[StateType, int]) -> StateType:
        state = super().end_state(children)
        return StateType.WARNING if state is StateType.FAILED else state
