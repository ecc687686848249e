"""What a commit leaves in the database, on both databases."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from tests.integration.repository.records import NOW, at, execution, log, metric, task_run

from windhover.model.execution import Execution, ExecutionTrigger, Label
from windhover.model.state import StateType
from windhover.repository.batch import CommitBatch, Timer
from windhover.repository.database import Database
from windhover.repository.errors import UnstorableRecord
from windhover.repository.execution_query import ExecutionQuery
from windhover.repository.executions import ExecutionRepository
from windhover.repository.filters import LabelMatch


@pytest.fixture
def executions(database: Database) -> ExecutionRepository:
    return ExecutionRepository(database)


async def test_an_execution_is_read_back_as_it_was_written(executions: ExecutionRepository) -> None:
    written = execution(
        StateType.RUNNING,
        labels={"team": "a", "system.correlationId": "x"},
        inputs={"file": "kestra:///a", "n": 2**63, "nested": [{"ä": None}]},
        variables={"text": "line\nline\0 end"},
        trigger=ExecutionTrigger("t", "type", {"executionId": "parent"}),
        schedule_date=at(60),
        kind="TEST",
        parent_id="other",
    )
    runs = [
        task_run(written.id, 1, StateType.RUNNING),
        task_run(written.id, 0, StateType.RUNNING, StateType.SUCCESS, outputs={"rows": 3, "s": "\0"}),
        task_run(written.id, 2, outputs={}, resolved={"values": [1, 2]}, value="v", iteration=4),
    ]
    await executions.commit(CommitBatch(created=[written], task_runs=runs))

    loaded = await executions.load(written.id)

    assert loaded == (written, sorted(runs, key=lambda run: run.position))
    assert await executions.header(written.id) == written
    assert await executions.load("nobody") is None
    assert await executions.header("nobody") is None


async def test_a_commit_may_be_repeated(executions: ExecutionRepository, database: Database) -> None:
    from windhover.repository.logs import LogQuery, LogRepository
    from windhover.repository.metrics import MetricRepository

    written = execution(labels={"a": "1"})
    batch = CommitBatch(
        created=[written],
        updated=[written],
        task_runs=[task_run(written.id)],
        timers_set=[Timer(written.id, "retry", at(5))],
        timers_cleared=[(written.id, "retry")],
        logs=[log(written.id, 1), log(written.id, 2)],
        metrics=[metric(written.id), metric(written.id), metric(written.id, value=2.0)],
    )
    await executions.commit(batch)
    await executions.commit(batch)

    loaded = await executions.load(written.id)
    assert loaded is not None
    assert len(loaded[1]) == 1
    assert await executions.due_timers(at(5)) == batch.timers_set
    assert (await LogRepository(database).find(LogQuery("main", execution_id=written.id))).total == 2
    assert len(await MetricRepository(database).of_execution(written.id)) == 3


async def test_changes_replace_what_was_there(executions: ExecutionRepository) -> None:
    written = execution(labels={"a": "1"})
    run = task_run(written.id)
    await executions.commit(CommitBatch(created=[written], task_runs=[run]))

    written.state.become(StateType.FAILED, at(3))
    written.labels = [Label("a", "2"), Label("b", "x" * 5000)]
    run.outputs = {"done": True}
    run.state.become(StateType.SUCCESS, at(2))
    await executions.commit(CommitBatch(updated=[written], task_runs=[run]))

    assert await executions.load(written.id) == (written, [run])
    assert await labelled(executions, "a", "1") == []
    assert await labelled(executions, "a", "2") == [written]
    assert await labelled(executions, "b", "x" * 5000) == [written]


async def labelled(executions: ExecutionRepository, key: str, value: str) -> list[Execution]:
    query = ExecutionQuery("main", labels=(LabelMatch.equal(key, value),))
    return (await executions.search(query)).results


async def test_labels_that_another_server_wrote_are_replaced(database: Database) -> None:
    here, there = ExecutionRepository(database), ExecutionRepository(database)
    written = execution(labels={"owner": "here"})
    await here.commit(CommitBatch(created=[written]))
    written.labels = [Label("owner", "there")]
    await there.commit(CommitBatch(updated=[written]))

    loaded = await here.load(written.id)
    assert loaded is not None
    loaded[0].labels = [Label("owner", "here")]
    await here.commit(CommitBatch(updated=[loaded[0]]))

    assert await labelled(here, "owner", "there") == []
    assert len(await labelled(here, "owner", "here")) == 1


async def test_removals_come_after_all_else(executions: ExecutionRepository) -> None:
    kept, gone = execution(), execution(labels={"a": "1"})
    removed = task_run(kept.id, 1)
    batch = CommitBatch(
        created=[kept, gone],
        task_runs=[task_run(kept.id), removed, task_run(gone.id)],
        removed_task_runs=[removed.id],
        timers_set=[Timer(gone.id, "x", NOW)],
        logs=[log(gone.id, 1), log(kept.id, 1), log(kept.id, 2)],
        deleted_executions=[gone.id],
    )
    await executions.commit(batch)

    assert await executions.load(gone.id) is None
    assert await executions.task_runs(gone.id) == []
    assert await executions.due_timers(NOW) == []
    assert await labelled(executions, "a", "1") == []
    assert await executions.last_log_sequence(gone.id) == 1
    assert [run.position for run in await executions.task_runs(kept.id)] == [0]

    await executions.commit(CommitBatch(deleted_logs=[gone.id]))
    assert await executions.last_log_sequence(gone.id) == 0
    assert await executions.last_log_sequence(kept.id) == 2


async def test_a_record_that_is_no_json_blames_its_execution(executions: ExecutionRepository) -> None:
    good, bad = execution(), execution(outputs={"o": object()})
    with pytest.raises(UnstorableRecord, match="cannot be stored") as raised:
        await executions.commit(CommitBatch(created=[good, bad]))
    assert raised.value.execution_id == bad.id

    bad_run = task_run(good.id, outputs={"text": "\ud800"})
    with pytest.raises(UnstorableRecord, match="Task run 'task-0'"):
        await executions.commit(CommitBatch(created=[good], task_runs=[bad_run]))
    assert await executions.load(good.id) is None


async def test_records_may_change_while_they_are_committed(executions: ExecutionRepository) -> None:
    written = execution()
    before = msgspec.json.encode(written)
    commit = asyncio.ensure_future(executions.commit(CommitBatch(created=[written])))
    await asyncio.sleep(0)
    written.state.become(StateType.FAILED, at(1))
    await commit
    assert msgspec.json.encode(await executions.header(written.id)) == before


async def test_timers_come_due_in_order(executions: ExecutionRepository) -> None:
    assert await executions.next_timer() is None
    timers = [Timer("e", "late", at(20)), Timer("e", "soon", at(5)), Timer("f", "retry", at(10))]
    await executions.commit(CommitBatch(timers_set=timers))

    assert await executions.next_timer() == at(5)
    assert await executions.due_timers(at(4.9)) == []
    assert await executions.due_timers(at(10)) == [timers[1], timers[2]]
    assert await executions.due_timers(at(10), limit=1) == [timers[1]]
    assert await executions.timers("e") == [timers[1], timers[0]]

    moved = Timer("e", "soon", at(30))
    await executions.commit(CommitBatch(timers_set=[moved], timers_cleared=[("f", "retry"), ("e", "soon")]))
    assert await executions.due_timers(at(100)) == [timers[0], moved]


async def test_what_a_starting_server_must_go_on_with(executions: ExecutionRepository) -> None:
    created, running = execution(), execution(StateType.RUNNING)
    paused, done = execution(StateType.PAUSED), execution(StateType.SUCCESS)
    paused_with_branch, done_with_last_task = execution(StateType.PAUSED), execution(StateType.FAILED)
    runs = [
        task_run(running.id, 0, StateType.RUNNING),
        task_run(paused.id, 0, StateType.PAUSED),
        task_run(done.id, 0, StateType.SUCCESS),
        task_run(paused_with_branch.id, 0, StateType.RUNNING),
        task_run(done_with_last_task.id, 0),
    ]
    all_ = [created, running, paused, done, paused_with_branch, done_with_last_task]
    await executions.commit(CommitBatch(created=all_, task_runs=runs))

    expected = [created.id, running.id, paused_with_branch.id, done_with_last_task.id]
    assert await executions.unfinished() == expected
    assert await executions.unfinished(after=expected[0], limit=2) == expected[1:3]
    assert await executions.unfinished(states={StateType.PAUSED}) == [paused.id, paused_with_branch.id]
    assert await executions.unfinished(states={StateType.SUCCESS}) == []


async def test_deleting_takes_along_what_belongs_to_it(
    executions: ExecutionRepository, database: Database
) -> None:
    from windhover.repository.logs import LogQuery, LogRepository
    from windhover.repository.metrics import MetricRepository

    first, second = execution(labels={"a": "1"}), execution()
    for each in (first, second):
        await executions.commit(
            CommitBatch(
                created=[each],
                task_runs=[task_run(each.id)],
                logs=[log(each.id, 1)],
                metrics=[metric(each.id)],
            )
        )
    logs, metrics = LogRepository(database), MetricRepository(database)

    ids = [first.id]
    await executions.commit(CommitBatch(deleted_executions=ids, deleted_logs=ids, deleted_metrics=ids))
    await executions.commit(CommitBatch(deleted_executions=[second.id, second.id]))

    assert await executions.load(first.id) is None
    assert await executions.load(second.id) is None
    assert (await logs.find(LogQuery("main"))).results == [log(second.id, 1)]
    assert await metrics.of_execution(first.id) == []
    assert len(await metrics.of_execution(second.id)) == 1


async def test_an_empty_batch_is_nothing(executions: ExecutionRepository) -> None:
    await executions.commit(CommitBatch())


async def test_what_an_execution_has_started_is_found_at_any_depth(executions: ExecutionRepository) -> None:
    def started_by(parent: Execution, *states: StateType) -> Execution:
        trigger = ExecutionTrigger("sub", "type", {"executionId": parent.id})
        return execution(*states, trigger=trigger)

    root, ended = execution(StateType.RUNNING), (StateType.RUNNING, StateType.SUCCESS)
    child, over = started_by(root, *ended), started_by(root, *ended)
    under_way, retried = started_by(child, StateType.RUNNING), started_by(child, StateType.RETRIED)
    busy, stranger = started_by(under_way, *ended), execution(StateType.RUNNING)
    records = [root, child, over, under_way, retried, busy, stranger]
    runs = [task_run(busy.id, 0, StateType.RUNNING), task_run(over.id, 0, *ended)]
    await executions.commit(CommitBatch(created=records, task_runs=runs))

    found = await executions.started_by(root.id)

    assert found == {child.id: False, over.id: False, under_way.id: True, retried.id: True, busy.id: True}
    assert [*found][-1] == busy.id
    assert await executions.started_by(busy.id) == {}


async def test_a_large_batch_is_read_bit_by_bit(
    executions: ExecutionRepository, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Others have their turn on the event loop before its statements are there."""
    monkeypatch.setattr("windhover.util.turn._SECONDS", 0)
    written = execution(StateType.RUNNING)
    runs = [task_run(written.id, position, outputs={"n": position}) for position in range(501)]
    lines = [log(written.id, number) for number in range(1, 502)]
    turns_before_write = turns = 0
    write = executions._database.write

    async def noticed(*args: object) -> None:
        nonlocal turns_before_write
        turns_before_write = turns
        await write(*args)  # type: ignore[arg-type]

    async def take_turns() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    monkeypatch.setattr(executions._database, "write", noticed)
    others = asyncio.create_task(take_turns())
    await executions.commit(CommitBatch(created=[written], task_runs=runs, logs=lines))
    others.cancel()
    assert turns_before_write >= 20
    loaded = await executions.load(written.id)
    assert loaded is not None
    assert loaded[1] == runs
