"""Where a task's expressions are evaluated."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import timedelta
from pathlib import Path

import pytest_asyncio

from windhover.core.debug.return_ import Return
from windhover.core.execution.assert_ import Assert
from windhover.engine.messages import Job
from windhover.expression import ServerPort
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask, Static
from windhover.worker import WorkerSettings
from windhover.worker.inline import InlineWorker

LOOP_THREAD: set[int] = set()
CALLS: list[int] = []
ANSWER = threading.Event()


class SlowServer:
    """A server whose answers are waited for."""

    def kv(self, key: str, namespace: str | None) -> object:
        CALLS.append(threading.get_ident())
        if key == "SLOW":
            ANSWER.wait()
        return f"value of {key}"


@pytest_asyncio.fixture
async def served(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    def port(job: Job) -> ServerPort:
        return SlowServer()  # type: ignore[return-value]

    CALLS.clear()
    ANSWER.clear()
    settings = WorkerSettings(kill_grace=timedelta(milliseconds=10))
    async with InlineWorker(tmp_path, expression_port=port, settings=settings) as inline:
        yield inline


async def test_the_server_is_asked_in_a_thread(served: InlineWorker) -> None:
    run = await served.run(Return, {"format": "{{ kv('k') }}"})
    assert run.outputs == {"value": "value of k"}
    assert threading.get_ident() not in CALLS


async def test_a_rendering_that_takes_long_leaves_the_loop(worker: InlineWorker) -> None:
    run = await worker.run(Return, {"format": "{% for i in range(1, 50000) %}x{% endfor %}"})
    assert run.state is StateType.SUCCESS
    assert len(run.outputs["value"]) >= 49_999


async def test_a_kill_need_not_wait_for_the_server(served: InlineWorker) -> None:
    job = served.job(Return, {"format": "{{ kv('SLOW') }}"})
    pending = served.submit(job)
    await pending.started
    served.worker.kill(job.identity.task_run_id, job.identity.dispatch)
    assert (await pending.ended).state is StateType.KILLED
    ANSWER.set()


class RenderingOnLoop(RunnableTask[None]):
    """Renders on the event loop what it should not render there."""

    type_name = "test.RenderingOnLoop"
    template: Static[str]

    async def run(self, ctx: RunContext) -> None:
        ctx.logger.info(str(ctx.render(self.template, {"own": "mine"})))


async def test_a_task_may_render_with_variables_of_its_own(served: InlineWorker) -> None:
    run = await served.run(RenderingOnLoop, {"template": "{{ own }} {{ inputs.x }}"}, {"inputs": {"x": 1}})
    assert run.messages == ["mine 1"]


async def test_the_server_cannot_be_asked_on_the_loop(served: InlineWorker) -> None:
    run = await served.run(RenderingOnLoop, {"template": "{{ kv('k') }}"})
    assert run.state is StateType.FAILED
    assert "in a thread" in run.at(LogLevel.ERROR)[0]
    assert CALLS == []


async def test_conditions_of_assert_may_ask_the_server(served: InlineWorker) -> None:
    run = await served.run(Assert, {"conditions": ["{{ kv('k') == 'value of k' }}"]})
    assert run.state is StateType.SUCCESS


async def test_context_variables_reach_threads(worker: InlineWorker) -> None:
    run = await asyncio.wait_for(worker.run(InThread), 10)
    assert run.messages == ["worker_thread_1"]


class InThread(RunnableTask[None]):
    """Says in which thread it runs."""

    type_name = "test.InThread"

    def run(self, ctx: RunContext) -> None:
        ctx.logger.info(threading.current_thread().name)


class Growing(Mapping[str, object]):
    """Outputs to which the executor adds while a thread walks over them."""

    def __init__(self) -> None:
        self.looks = 0

    def __getitem__(self, name: str) -> object:
        return {"a": 1}[name]

    def __len__(self) -> int:
        return 1

    def __iter__(self) -> Iterator[str]:
        self.looks += 1
        yield "a"
        if self.looks <= 2:
            raise RuntimeError("dictionary changed size during iteration")


async def test_outputs_that_grow_meanwhile_are_looked_at_again(served: InlineWorker) -> None:
    run = await served.run(
        Return, {"format": "{{ kv('k') }} {{ outputs.loop | toJson }}"}, {"outputs": {"loop": Growing()}}
    )
    assert run.outputs == {"value": 'value of k {"a":1}'}
