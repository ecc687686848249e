"""What a running task says of how far it is, and who gets to know."""

from __future__ import annotations

import asyncio
import threading

import msgspec

from windhover.engine.messages import TaskProgressed
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.worker.inline import InlineWorker


class Counting(RunnableTask[None]):
    """Counts to a thousand in a thread, as fast as it can, and then waits."""

    type_name = "test.progress.Counting"

    secret: str = ""

    def run(self, ctx: RunContext) -> None:
        for number in range(1, 1001):
            ctx.progress(number / 1000, f"{number} of 1000 {self.secret}".rstrip())
        while not ctx.cancelled.is_set() and not GO_ON.wait(0.01):
            pass


class Nonsense(RunnableTask[None]):
    """Says what is no fraction of anything."""

    type_name = "test.progress.Nonsense"

    async def run(self, ctx: RunContext) -> None:
        for fraction in (7.0, float("nan")):
            ctx.progress(fraction)
        await asyncio.Event().wait()


GO_ON = threading.Event()


def _is_progress(message: object) -> bool:
    return isinstance(message, TaskProgressed)


async def test_the_last_word_arrives_and_not_each(worker: InlineWorker) -> None:
    GO_ON.clear()
    job = msgspec.structs.replace(
        worker.job(Counting, {"secret": "hunter2hunter2"}), secrets=frozenset({"hunter2hunter2"})
    )
    heard = []
    with worker.queue.broadcasts.subscribe(_is_progress) as messages:
        pending = worker.submit(job)
        while not heard or heard[-1].fraction < 1:
            message = await messages.next()
            assert isinstance(message, TaskProgressed)
            heard.append(message)
    assert len(heard) < 20
    assert [one.fraction for one in heard] == sorted(one.fraction for one in heard)
    last = heard[-1]
    assert (last.task_id, last.task_run_id) == (job.identity.task_id, job.identity.task_run_id)
    assert last.message == "1000 of 1000 ******"
    assert worker.worker.progress_of(job.identity.execution_id) == {job.identity.task_run_id: last}
    assert worker.worker.progress_of("another") == {}
    GO_ON.set()
    await pending.ended
    assert worker.worker.progress_of(job.identity.execution_id) == {}


async def test_a_fraction_is_kept_between_0_and_1(worker: InlineWorker) -> None:
    with worker.queue.broadcasts.subscribe(_is_progress) as messages:
        worker.submit(worker.job(Nonsense))
        message = await messages.next()
    assert isinstance(message, TaskProgressed)
    assert message.fraction == 1.0
