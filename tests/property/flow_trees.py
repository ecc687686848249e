"""Random flows: nests of every flow-control type around tasks that end as they are told."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import strategies as st

from windhover.core.flow.allow_failure import AllowFailure
from windhover.core.flow.dag import Dag
from windhover.core.flow.for_each import ForEach
from windhover.core.flow.if_ import If
from windhover.core.flow.parallel import Parallel
from windhover.core.flow.sequential import Sequential
from windhover.core.flow.switch import Switch
from windhover.core.flow.working_directory import WorkingDirectory
from windhover.model.sla import Sla
from windhover.model.task import Task
from windhover.plugin.context import RunContext
from windhover.plugin.flowable import FlowableTask
from windhover.plugin.task import RunnableTask, TaskDefinition


class Work(RunnableTask[None]):
    """Ends as the test says."""

    type_name = "test.Work"

    def run(self, ctx: RunContext) -> None: ...


@dataclass
class FlowTree:
    """What the engine reads of a flow."""

    tasks: tuple[Task, ...]
    errors: tuple[Task, ...] = ()
    finally_: tuple[Task, ...] = ()
    after_execution: tuple[Task, ...] = ()
    listeners: tuple[object, ...] = ()
    inputs: tuple[object, ...] = ()
    outputs: tuple[object, ...] = field(default=())
    retry: None = None
    revision: int = 1
    sla: tuple[Sla, ...] = ()
    concurrency: None = None
    variables: dict[str, object] = field(default_factory=dict)

    def task_by_id(self, task_id: str) -> Task | None:
        """The task of this id at any depth, or None."""
        left = [*self.tasks, *self.errors, *self.finally_, *self.after_execution]
        while left:
            task = left.pop()
            if task.id == task_id:
                return task
            if isinstance(task, FlowableTask):
                left.extend(task.nested())
        return None


class Namer:
    def __init__(self) -> None:
        self.count = 0

    def next(self, kind: str) -> str:
        self.count += 1
        return f"{kind}{self.count}"


@st.composite
def flows(draw: st.DrawFn) -> FlowTree:
    namer = Namer()
    return FlowTree(
        tasks=draw_tasks(draw, namer, depth=3, least=1),
        errors=draw_branch(draw, namer),
        finally_=draw_branch(draw, namer),
        after_execution=draw_branch(draw, namer),
    )


def draw_branch(draw: st.DrawFn, namer: Namer) -> tuple[Task, ...]:
    """An errors or finally branch; usually none."""
    if draw(st.integers(0, 3)):
        return ()
    return draw_tasks(draw, namer, depth=1, least=1, most=2)


def draw_tasks(draw: st.DrawFn, namer: Namer, depth: int, least: int = 0, most: int = 3) -> tuple[Task, ...]:
    return tuple(draw_task(draw, namer, depth) for _ in range(draw(st.integers(least, most))))


def draw_task(draw: st.DrawFn, namer: Namer, depth: int) -> Task:
    common = {
        "disabled": draw(st.integers(0, 9)) == 0,
        "run_if": "false" if draw(st.integers(0, 9)) == 0 else "true",
        "allow_failure": draw(st.integers(0, 5)) == 0,
        "allow_warning": draw(st.integers(0, 5)) == 0,
    }
    kind = draw(st.sampled_from(KINDS)) if depth and draw(st.booleans()) else "work"
    common["id"] = namer.next(kind)
    common["type"] = kind
    if kind == "work":
        return TaskDefinition(**common, plugin=Work)
    if draw(st.integers(0, 5)) == 0:
        common["timeout"] = "PT1H"
    common["errors"] = draw_branch(draw, namer) if draw(st.booleans()) else ()
    common["finally_"] = draw_branch(draw, namer) if draw(st.booleans()) else ()
    inside = draw_tasks(draw, namer, 0 if kind == "directory" else depth - 1, least=1)
    if kind == "directory":
        return WorkingDirectory(**common, tasks=inside)
    if kind == "sequential":
        return Sequential(**common, tasks=inside)
    if kind == "allow_failure":
        return AllowFailure(**common, tasks=inside)
    if kind == "parallel":
        return Parallel(**common, tasks=inside, concurrent=draw(st.integers(0, 3)))
    if kind == "for_each":
        values = [f"v{i}" for i in range(draw(st.integers(0, 4)))]
        return ForEach(**common, tasks=inside, values=values, concurrency_limit=draw(st.integers(0, 3)))
    if kind == "if":
        condition = draw(st.sampled_from(["true", "false"]))
        return If(**common, then=inside, else_=draw_tasks(draw, namer, depth - 1), condition=condition)
    if kind == "switch":
        value = draw(st.sampled_from(["a", "b", "none"]))
        # A Switch that finds nothing to run fails in the very step in which its siblings begin, where the
        # model knows no order; that case has an example of its own.
        defaults = draw_tasks(draw, namer, depth - 1, least=int(value != "a"))
        return Switch(**common, value=value, cases={"a": inside}, defaults=defaults)
    before: list[str] = []
    entries = []
    for task in inside:
        entries.append({"task": task, "depends_on": [b for b in before if draw(st.booleans())]})
        before.append(task.id)
    return Dag(**common, tasks=entries, concurrent=draw(st.integers(0, 2)))


KINDS = ["sequential", "allow_failure", "parallel", "for_each", "if", "switch", "dag", "directory"]
