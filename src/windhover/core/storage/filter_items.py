"""``io.kestra.plugin.core.storage.FilterItems``"""

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.core.item_files import evaluate, lines
from windhover.core.record_files import local_copy
from windhover.expression import ExpressionError, truthy
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, Static


class FilterType(StrEnum):
    """What becomes of the items that meet the condition."""

    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class ErrorOrNullBehavior(StrEnum):
    """What becomes of an item for which the condition cannot be evaluated."""

    FAIL = "FAIL"
    INCLUDE = "INCLUDE"
    EXCLUDE = "EXCLUDE"


class FilterItemsOutput(Output):
    """What a FilterItems task gives."""

    uri: str
    processed_items_total: int = Field(description="Items of the file.")
    dropped_items_total: int = Field(description="Items left out.")


class FilterItems(RunnableTask[FilterItemsOutput]):
    """Keep, or leave out, the items of an Ion file that meet a condition."""

    type_name = "io.kestra.plugin.core.storage.FilterItems"
    aliases = ("io.kestra.core.tasks.storages.FilterItems",)
    examples = (
        Example(
            title="Large orders",
            code="""
from: "{{ outputs.query.uri }}"
filterCondition: "{{ amount > 1000 }}"
""",
        ),
    )

    from_: Annotated[str, Field(alias="from", description="A file of items, one a line.")]
    filter_condition: Annotated[
        Static[str], Field(description="True for an item to be found; its members are variables.")
    ]
    filter_type: FilterType = FilterType.INCLUDE
    error_or_null_behavior: ErrorOrNullBehavior = ErrorOrNullBehavior.FAIL

    async def run(self, ctx: RunContext) -> FilterItemsOutput:
        source = await local_copy(ctx, self.from_)
        target = source.with_name("filtered.ion")
        items, kept = await asyncio.to_thread(self._filter, ctx, source, target)
        uri = await ctx.files.put(target, target.name)
        return FilterItemsOutput(uri=uri, processed_items_total=items, dropped_items_total=items - kept)

    def _filter(self, ctx: RunContext, source: Path, target: Path) -> tuple[int, int]:
        items = kept = 0
        with target.open("wb") as out:
            for line in lines(ctx, source):
                items += 1
                if self._keeps(ctx, line):
                    kept += 1
                    out.write(line)
        return items, kept

    def _keeps(self, ctx: RunContext, line: bytes) -> bool:
        try:
            found = truthy(evaluate(ctx, self.filter_condition, line))
        except ExpressionError:
            if self.error_or_null_behavior is ErrorOrNullBehavior.FAIL:
                raise
            return self.error_or_null_behavior is ErrorOrNullBehavior.INCLUDE
        return found is (self.filter_type is FilterType.INCLUDE)
