"""``io.kestra.plugin.redis.list.ListPop``"""

from __future__ import annotations

from typing import Self

from pydantic import model_validator

from windhover.plugin.context import RunContext
from windhover.plugin.documentation import Example, MetricDescription
from windhover.plugin.task import RunnableTask
from windhover_redis.claims import Claims
from windhover_redis.list.elements import BatchOutput, RedisBatch


class ListPop(RedisBatch, RunnableTask[BatchOutput]):
    """Take elements from the head of a Redis list into a file, until there are enough or the time is over.

    When the task fails or is killed they are put back; when its worker is lost, the next run has them.
    """

    type_name = "io.kestra.plugin.redis.list.ListPop"
    examples = (
        Example(
            title="Take what comes in ten seconds, fifty elements at most.",
            code="""
url: redis://localhost:6379/0
key: jobs
serdeType: JSON
maxRecords: 50
maxDuration: PT10S
""",
        ),
    )
    reported_metrics = (
        MetricDescription("popped.records.count", "counter", "How many elements were taken.", "records"),
    )

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.max_records is None and self.max_duration is None:
            raise ValueError("maxRecords or maxDuration is needed: without them the task would never end")
        return self

    async def run(self, ctx: RunContext) -> BatchOutput:
        async with self.connected() as client:
            claims = Claims(client, self.key, ctx.identity.task_run_id)
            try:
                taken, file = await self.take(ctx, claims, until_empty=False)
                output = BatchOutput(count=file.count, uri=await file.store())
            except BaseException:
                await claims.give_back()
                raise
            await claims.settle(taken)
        ctx.metric("counter", "popped.records.count", output.count)
        return output
