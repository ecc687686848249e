"""``io.kestra.plugin.core.condition.MultipleCondition``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.time_window import TimeWindow, TimeWindowType
from windhover.model.definition import PluginId
from windhover.plugin.condition import ConditionType, RememberedConditionType
from windhover.plugin.gathering import AfterFiring, Gathering
from windhover.plugin.nesting import AnyCondition
from windhover.plugin.types import WrittenDuration


class MultipleCondition(RememberedConditionType):
    """All of several named conditions have held within a window of time; use `preconditions` instead."""

    type_name: ClassVar[str] = "io.kestra.plugin.core.condition.MultipleCondition"
    aliases: ClassVar[tuple[str, ...]] = ("io.kestra.core.models.conditions.types.MultipleCondition",)
    deprecated: ClassVar[bool] = True

    id: Annotated[PluginId, Field(description="The name under which the server keeps what has held.")]
    time_window: Annotated[TimeWindow, Field(description="The window of time.")] = TimeWindow()
    reset_on_success: Annotated[bool, Field(description="All must hold anew once the trigger has fired.")] = (
        True
    )
    window: Annotated[
        WrittenDuration | None, Field(deprecated=True, description="Use `timeWindow` instead.")
    ] = None
    window_advance: Annotated[
        WrittenDuration | None, Field(deprecated=True, description="Use `timeWindow` instead.")
    ] = None
    conditions: Annotated[
        dict[str, AnyCondition], Field(min_length=1, description="The conditions by their names.")
    ]

    def parts(self) -> Sequence[ConditionType]:
        return [part for part in self.conditions.values() if isinstance(part, ConditionType)]

    def gathering(self) -> Gathering:
        """All conditions that must have held, by their names."""
        requirements = {
            name: part.evaluate for name, part in self.conditions.items() if isinstance(part, ConditionType)
        }
        return Gathering(
            id=self.id,
            requirements=requirements,
            needed=len(requirements),
            window_at=self._window().open_or_next,
            after_firing=AfterFiring.RESET if self.reset_on_success else AfterFiring.GO_ON,
        )

    def _window(self) -> TimeWindow:
        # Read past the attributes, which warn whoever reads them that they are deprecated.
        window, advance = self.__dict__["window"], self.__dict__["window_advance"]
        if window is None and advance is None:
            return self.time_window
        written = {"type": TimeWindowType.DURATION_WINDOW, "window": window, "window_advance": advance}
        return TimeWindow().model_copy(update=written)
