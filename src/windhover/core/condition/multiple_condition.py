"""``io.kestra.plugin.core.condition.MultipleCondition``."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from windhover.core.time_window import TimeWindow
from windhover.model.definition import PluginId
from windhover.plugin.condition import RememberedConditionType
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
