"""What of a task's lines is kept, and what is not."""

from __future__ import annotations

import asyncio
import base64
import json
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import pytest_asyncio

from windhover.engine.messages import Job, JobIdentity, LogsWritten
from windhover.expression import ServerPort
from windhover.expression.masking import SecretMask
from windhover.expression.values import MASK
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import RunnableTask
from windhover.queue.local import ExecutorQueue
from windhover.worker import LogLimits, WorkerSettings
from windhover.worker.inline import InlineWorker
from windhover.worker.journal import AttemptJournal

IDENTITY = JobIdentity("main", "company.team", "flow", 1, "execution", "task", "run", 2, 1)


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Talking(RunnableTask[None]):
    """Writes lines at all levels."""

    type_name = "test.Talking"
    text: str = "line"

    async def run(self, ctx: RunContext) -> None:
        for level in LogLevel:
            ctx.logger.log(level, f"{self.text} {level.name}")
        ctx.metric("counter", "lines", 5, {"kind": "test"})


class TalkingInThread(RunnableTask[None]):
    """Writes many lines from a thread."""

    type_name = "test.TalkingInThread"
    lines: int

    def run(self, ctx: RunContext) -> None:
        for number in range(self.lines):
            ctx.logger.info(str(number))


class Slow(RunnableTask[None]):
    """Writes a line and goes on working."""

    type_name = "test.Slow"

    async def run(self, ctx: RunContext) -> None:
        ctx.logger.info("begun")
        await asyncio.Event().wait()


async def test_lines_and_metrics_say_where_they_come_from(worker: InlineWorker) -> None:
    run = await worker.run(Talking)
    assert [entry.level for entry in run.logs] == list(LogLevel)
    entry = run.logs[0]
    assert (entry.tenant_id, entry.namespace, entry.flow_id) == ("main", "company.team", "inline")
    assert (entry.execution_id, entry.task_id, entry.attempt_number) == (worker.execution_id, "task", 0)
    assert entry.thread == "worker_1"
    [metric] = run.metrics
    assert (metric.name, metric.type, metric.value, metric.tags) == (
        "lines",
        "counter",
        5.0,
        {"kind": "test"},
    )


async def test_lines_below_the_log_level_are_not_kept(worker: InlineWorker) -> None:
    run = await worker.run(Talking, logLevel="WARN")
    assert [entry.level for entry in run.logs] == [LogLevel.WARN, LogLevel.ERROR]


async def test_a_log_may_go_to_a_file(worker: InlineWorker) -> None:
    run = await worker.run(Talking, {"text": "näh"}, logToFile=True)
    assert run.logs == []
    assert run.log_file is not None
    text = (await worker.storage.for_tenant("main").read(run.log_file)).decode()
    lines = text.splitlines()
    assert len(lines) == 5
    assert lines[2].endswith("Z INFO näh INFO")
    assert list(worker.environment.temporary.iterdir()) == []


async def test_lines_from_a_thread_all_arrive_in_order(worker: InlineWorker) -> None:
    run = await worker.run(TalkingInThread, {"lines": 5_000})
    assert run.messages == [str(number) for number in range(5_000)]


async def test_lines_leave_while_the_task_still_runs(worker: InlineWorker) -> None:
    job = worker.job(Slow)
    pending = worker.submit(job)
    assert await pending.logged("begun")
    assert not pending.ended.done()


def journal(limits: LogLimits, clock: Clock, secrets: set[str] | None = None) -> AttemptJournal:
    return AttemptJournal(
        IDENTITY,
        ExecutorQueue(),
        clock=clock,
        limits=limits,
        minimum=LogLevel.TRACE,
        secrets=secrets if secrets is not None else set(),
        thread="worker_1",
    )


async def test_more_lines_than_a_second_may_have_are_dropped_and_counted() -> None:
    clock = Clock()
    lines = journal(LogLimits(lines_per_second=3), clock)
    for number in range(10):
        lines.info(str(number))
    clock.now += timedelta(seconds=1)
    lines.info("later")
    entries, _ = lines.close()
    assert [entry.message for entry in entries] == [
        *("0", "1", "2"),
        "7 log lines were dropped (limit: 3 lines a second)",
        "later",
    ]


async def test_more_lines_than_an_attempt_may_have_are_dropped_but_not_the_workers_own() -> None:
    lines = journal(LogLimits(max_lines=2), Clock())
    for number in range(5):
        lines.info(str(number))
    lines.report(LogLevel.ERROR, "the end")
    entries, _ = lines.close()
    assert [entry.message for entry in entries[:3]] == ["0", "1", "the end"]
    assert entries[3].message.startswith("3 log lines were dropped (limit of an attempt: 2 lines")
    assert entries[3].level is LogLevel.WARN


async def test_a_long_line_is_cut_and_says_so() -> None:
    lines = journal(LogLimits(max_message=5), Clock())
    lines.info("0123456789")
    [entry], _ = lines.close()
    assert entry.message == "01234… (cut: 5 of 10 characters)"


async def test_a_secret_at_the_place_of_the_cut_is_masked() -> None:
    lines = journal(LogLimits(max_message=8), Clock(), {"hunter2"})
    lines.info("pass hunter2 word")
    [entry], _ = lines.close()
    assert "hun" not in entry.message


async def test_lines_after_the_end_are_ignored() -> None:
    lines = journal(LogLimits(), Clock())
    lines.close()
    lines.info("too late")
    lines.metric("counter", "late", 1, None)
    assert lines.close() == ([], [])


async def test_a_thread_that_writes_faster_than_the_loop_sends_is_held() -> None:
    events = ExecutorQueue()
    limits = LogLimits(batch_lines=10, lines_per_second=10_000)
    lines = AttemptJournal(
        IDENTITY,
        events,
        clock=Clock(),
        limits=limits,
        minimum=LogLevel.TRACE,
        secrets=set(),
        thread="t",
    )
    written = 0
    reached = threading.Event()

    def write() -> None:
        nonlocal written
        for number in range(100):
            if number == 39:
                reached.set()
            lines.info(str(number))
            written += 1

    thread = threading.Thread(target=write)
    thread.start()
    reached.wait(10)  # the loop is blocked here, so nothing is sent meanwhile
    assert written <= 40
    await asyncio.to_thread(thread.join)
    entries, _ = lines.close()
    sent = [event for event in events.drain(100) if isinstance(event, LogsWritten)]
    assert sum(len(event.logs) for event in sent) + len(entries) == 100


class Secrets:
    """A server that has one secret."""

    def __init__(self, value: str) -> None:
        self.value = value

    def secret(self, key: str, namespace: str | None) -> str:
        return self.value


SECRET = 'hunter2 "quoted"\nsecond line of it'


@pytest_asyncio.fixture
async def secretive(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    def port(job: Job) -> ServerPort:
        return Secrets(SECRET)  # type: ignore[return-value]

    async with InlineWorker(tmp_path, expression_port=port) as inline:
        yield inline


class Leaking(RunnableTask[None]):
    """Prints what it was given in all ways it can think of."""

    type_name = "test.Leaking"
    value: str

    async def run(self, ctx: RunContext) -> None:
        value = self.value
        for form in (
            value,
            json.dumps({"k": value}),
            base64.b64encode(value.encode()).decode(),
            quote(value),
            value.upper(),
            *value.splitlines(),
        ):
            ctx.logger.info(f"<{form}>")
        raise ValueError(f"wrong: {value}")


async def test_secrets_never_reach_the_log(secretive: InlineWorker) -> None:
    run = await secretive.run(Leaking, {"value": "{{ secret('KEY') }}"})
    assert run.state is StateType.FAILED
    text = "\n".join(entry.message for entry in run.logs).lower()
    assert "hunter2" not in text
    assert "second line" not in text
    assert base64.b64encode(SECRET.encode()).decode().lower() not in text
    assert run.messages[0] == f"<{MASK}>"


@pytest.mark.parametrize(
    ("secret", "text", "masked"),
    [
        ('{"user": "ada", "key": "s3cr3t"}', "key is s3cr3t", f"key is {MASK}"),
        ("ab", "ab is too short to be one", "ab is too short to be one"),
        ("a+b/c", "x=a%2Bb%2Fc&y", f"x={MASK}&y"),
        ("long-secret", "very-long-secret-indeed", f"very-{MASK}-indeed"),
    ],
)
def test_forms_of_secrets(secret: str, text: str, masked: str) -> None:
    mask = SecretMask()
    mask.cover({secret})
    assert mask.apply(text) == masked


async def test_settings_reach_the_journal(tmp_path: Path) -> None:
    settings = WorkerSettings(logs=LogLimits(max_lines=2))
    async with InlineWorker(tmp_path, settings=settings) as worker:
        run = await worker.run(Talking)
    assert len(run.logs) == 3


async def test_a_task_that_drains_waits_for_an_executor_that_is_behind() -> None:
    events = ExecutorQueue()
    lines = AttemptJournal(
        IDENTITY,
        events,
        clock=Clock(),
        limits=LogLimits(batch_lines=1),
        minimum=LogLevel.TRACE,
        secrets=set(),
        thread="t",
    )
    for number in range(201):
        lines.info(str(number))
    waiting = asyncio.create_task(lines.drain())
    await asyncio.sleep(0)
    assert not waiting.done()
    events.drain(1_000)
    await asyncio.wait_for(waiting, 10)
