"""How attempts end, whatever a task does."""

from __future__ import annotations

import asyncio
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from windhover.engine.messages import LogsWritten, TaskEnded, TaskStarted
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, RunnableTask, Static, TaskFailure
from windhover.plugin.types import Duration
from windhover.worker.inline import InlineWorker


class Typed(Output):
    count: int
    wait: float
    names: list[str]
    left_out: str | None = None


class Echoing(RunnableTask[Typed]):
    """Gives its properties back."""

    type_name = "test.Echoing"
    count: int = 0
    wait: Duration = timedelta()
    names: tuple[str, ...] = ()
    literally: Static[str] = ""

    async def run(self, ctx: RunContext) -> Typed:
        ctx.logger.info(self.literally)
        return Typed(count=self.count, wait=self.wait.total_seconds(), names=list(self.names))


class Failing(RunnableTask[None]):
    """Raises what it is told to."""

    type_name = "test.Failing"
    how: str

    async def run(self, ctx: RunContext) -> None:
        _raise(self.how)


class FailingInThread(RunnableTask[None]):
    """The same in a plain function."""

    type_name = "test.FailingInThread"
    how: str

    def run(self, ctx: RunContext) -> None:
        _raise(self.how)


def _raise(how: str) -> None:
    match how:
        case "value":
            raise ValueError("no luck")
        case "silent":
            raise ValueError
        case "outputs":
            raise TaskFailure("no luck", {"kept": 1})
        case "exit":
            sys.exit(3)
        case "interrupt":
            raise KeyboardInterrupt
        case "stop":
            raise StopIteration
        case "cancel":
            raise asyncio.CancelledError


class Warned(Output):
    final_state = StateType.WARNING


class Warning_(RunnableTask[Warned]):
    """Ends in a state of its own choice."""

    type_name = "test.Warning"

    async def run(self, ctx: RunContext) -> Warned:
        return Warned()


class Unspeakable(Output):
    value: object


class Unserialisable(RunnableTask[Unspeakable]):
    """Returns what JSON cannot say."""

    type_name = "test.Unserialisable"

    async def run(self, ctx: RunContext) -> Unspeakable:
        return Unspeakable(value=object())


async def test_properties_arrive_typed_whatever_they_were_written_as(worker: InlineWorker) -> None:
    run = await worker.run(
        Echoing,
        {
            "count": "{{ inputs.n + 1 }}",
            "wait": "PT0.{{ inputs.n }}S",
            "names": "{{ inputs.names }}",
            "literally": "{{ inputs.n }}",
        },
        {"inputs": {"n": 4, "names": ["a", "b"]}},
    )
    assert run.state is StateType.SUCCESS
    assert run.outputs == {"count": 5, "wait": 0.4, "names": ["a", "b"]}
    assert run.messages == ["{{ inputs.n }}"]


async def test_the_working_directory_is_there_for_expressions_and_gone_afterwards(
    worker: InlineWorker,
) -> None:
    run = await worker.run(Echoing, {"names": ["{{ workingDir }}"]})
    directory = Path(run.outputs["names"][0])
    assert directory.parent == worker.environment.temporary
    assert list(worker.environment.temporary.iterdir()) == []


@pytest.mark.parametrize("task", [Failing, FailingInThread])
@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("value", "no luck"),
        ("silent", "ValueError"),
        ("exit", "The task raised SystemExit: 3"),
        ("interrupt", "The task raised KeyboardInterrupt"),
    ],
)
async def test_any_exception_fails_the_run(
    worker: InlineWorker, task: type[RunnableTask[None]], how: str, message: str
) -> None:
    run = await worker.run(task, {"how": how})
    assert run.state is StateType.FAILED
    assert run.outputs == {}
    assert run.at(LogLevel.ERROR) == [message]
    [trace] = run.at(LogLevel.TRACE)
    assert trace.startswith("Traceback")
    assert "_raise" in trace


@pytest.mark.parametrize(
    ("task", "how"), [(Failing, "cancel"), (FailingInThread, "cancel"), (FailingInThread, "stop")]
)
async def test_a_task_cannot_slip_away(
    worker: InlineWorker, task: type[RunnableTask[None]], how: str
) -> None:
    run = await worker.run(task, {"how": how})
    assert run.state is StateType.FAILED
    assert run.at(LogLevel.ERROR)


async def test_outputs_of_a_failure_are_kept(worker: InlineWorker) -> None:
    run = await worker.run(Failing, {"how": "outputs"})
    assert (run.state, run.outputs) == (StateType.FAILED, {"kept": 1})


async def test_a_task_may_choose_its_end_state(worker: InlineWorker) -> None:
    assert (await worker.run(Warning_)).state is StateType.WARNING


async def test_outputs_that_json_cannot_say_fail_the_run(worker: InlineWorker) -> None:
    run = await worker.run(Unserialisable)
    assert run.state is StateType.FAILED
    assert "cannot be written as JSON" in run.at(LogLevel.ERROR)[0]


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"names": ["{{ inputs.nope }}"]}, "Unable to find `inputs`"),
        ({"wait": "tomorrow"}, "`tomorrow` is not an ISO-8601 duration"),
        ({"count": "{{ 'many' }}"}, "count"),
        ({"names": "{{ "}, ""),
    ],
)
async def test_properties_that_cannot_be_had_fail_the_run(
    worker: InlineWorker, properties: dict[str, JsonValue], message: str
) -> None:
    run = await worker.run(Echoing, properties)
    assert run.state is StateType.FAILED
    assert message in run.at(LogLevel.ERROR)[0]


async def test_every_job_has_one_beginning_and_one_end(worker: InlineWorker) -> None:
    seen = []
    send = worker.queue.executor.send
    worker.queue.executor.send = lambda event: (seen.append(event), send(event))  # type: ignore[method-assign]
    jobs = [
        worker.job(task, {"how": how})
        for task in (Failing, FailingInThread)
        for how in ("value", "exit", "cancel", "outputs")
    ]
    for pending in [worker.submit(job) for job in jobs]:
        await pending.ended
    for job in jobs:
        own = [
            type(event)
            for event in seen
            if not isinstance(event, LogsWritten) and event.task_run_id == job.identity.task_run_id
        ]
        assert own == [TaskStarted, TaskEnded]


class Waiting(RunnableTask[None]):
    """Waits for ever."""

    type_name = "test.Waiting"

    async def run(self, ctx: RunContext) -> None:
        await asyncio.Event().wait()


class WaitingInThread(RunnableTask[None]):
    """Waits until it is told to stop."""

    type_name = "test.WaitingInThread"

    def run(self, ctx: RunContext) -> None:
        while not ctx.cancelled.is_set():
            pass


@pytest.mark.parametrize("task", [Waiting, WaitingInThread])
async def test_a_time_limit_fails_the_run(worker: InlineWorker, task: type[RunnableTask[None]]) -> None:
    run = await worker.run(task, {}, {"inputs": {"ms": 50}}, timeout="PT0.0{{ inputs.ms }}S")
    assert run.state is StateType.FAILED
    assert [entry.message for entry in run.logs] == ["Timeout after 00:00:00.050"]


@pytest.mark.parametrize("timeout", ["", "PT1M", "60", "{{ 60 }}"])
async def test_within_its_time_limit_a_task_runs(worker: InlineWorker, timeout: str) -> None:
    assert (await worker.run(Echoing, timeout=timeout)).state is StateType.SUCCESS


@pytest.mark.parametrize("timeout", ["{{ 'tomorrow' }}", "PT0S", "-PT1S", "{{ '1e5' }}", "0"])
async def test_a_time_limit_that_cannot_be_kept_fails_the_run(worker: InlineWorker, timeout: str) -> None:
    run = await worker.run(Echoing, timeout=timeout)

    assert run.state is StateType.FAILED
    assert "`timeout`" in run.logs[0].message


async def test_a_time_limit_may_be_a_number_of_seconds(worker: InlineWorker) -> None:
    run = await worker.run(Waiting, {}, {"inputs": {"s": 0.05}}, timeout="{{ inputs.s }}")

    assert [entry.message for entry in run.logs] == ["Timeout after 00:00:00.050"]
