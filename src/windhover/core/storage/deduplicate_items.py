"""``io.kestra.plugin.core.storage.DeduplicateItems``"""

import asyncio
import hashlib
from pathlib import Path
from typing import Annotated

from pydantic import Field

from windhover.core.item_files import evaluate, lines
from windhover.core.record_files import local_copy
from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask, Static


class DeduplicateItemsOutput(Output):
    """What a DeduplicateItems task gives."""

    uri: str
    num_keys: int = Field(description="Different keys.")
    processed_items_total: int = Field(description="Items of the file.")
    dropped_items_total: int = Field(description="Items left out.")


class DeduplicateItems(RunnableTask[DeduplicateItemsOutput]):
    """Of the items of an Ion file that have the same key, keep the last."""

    type_name = "io.kestra.plugin.core.storage.DeduplicateItems"
    aliases = ("io.kestra.core.tasks.storages.DeduplicateItems",)
    examples = (
        Example(
            title="The last row of each customer",
            code="""
from: "{{ outputs.query.uri }}"
expr: "{{ customer_id }}"
""",
        ),
    )

    from_: Annotated[str, Field(alias="from", description="A file of items, one a line.")]
    expr: Annotated[Static[str], Field(description="The key of an item; its members are variables.")]

    async def run(self, ctx: RunContext) -> DeduplicateItemsOutput:
        source = await local_copy(ctx, self.from_)
        target = source.with_name("deduplicated.ion")
        keys, items = await asyncio.to_thread(self._deduplicate, ctx, source, target)
        uri = await ctx.files.put(target, target.name)
        return DeduplicateItemsOutput(
            uri=uri, num_keys=keys, processed_items_total=items, dropped_items_total=items - keys
        )

    def _deduplicate(self, ctx: RunContext, source: Path, target: Path) -> tuple[int, int]:
        # A digest in place of the key: keys may be long, and there may be millions.
        last: dict[bytes, int] = {}
        items = 0
        for number, line in enumerate(lines(ctx, source)):
            key = evaluate(ctx, self.expr, line).encode("utf-8", "surrogatepass")
            last[hashlib.blake2b(key, digest_size=16).digest()] = number
            items = number + 1
        kept = set(last.values())
        with target.open("wb") as out:
            for number, line in enumerate(lines(ctx, source)):
                if number in kept:
                    out.write(line)
        return len(kept), items
