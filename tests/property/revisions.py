"""Other revisions of random flows: tasks that are gone, new, disabled, or of another type."""

from __future__ import annotations

from dataclasses import replace

from flow_trees import FlowTree, Work
from hypothesis import strategies as st

from windhover.core.flow.parallel import Parallel
from windhover.core.flow.sequential import Sequential
from windhover.model.task import Task
from windhover.plugin.task import TaskDefinition

#: The properties of flow-control tasks that are rows of tasks.
ROWS = ("tasks", "then", "else_", "defaults", "errors", "finally_")


class Reviser:
    """Changes some of the tasks of a flow."""

    def __init__(self, draw: st.DrawFn) -> None:
        self.draw = draw
        self.new = 0

    def flow(self, flow: FlowTree) -> FlowTree:
        return replace(
            flow,
            revision=flow.revision + 1,
            tasks=self.row(flow.tasks) or (self.another(),),
            errors=self.row(flow.errors),
            finally_=self.row(flow.finally_),
            after_execution=self.row(flow.after_execution),
        )

    def row(self, tasks: tuple[Task, ...]) -> tuple[Task, ...]:
        found: list[Task] = []
        for task in tasks:
            change = self.draw(st.integers(0, 15))
            if change == 0:
                found.append(self.another())
            if change == 1:
                continue
            if change == 2:
                task = task.model_copy(update={"disabled": not task.disabled})
            found.append(self.retyped(task) if change == 3 else self.changed(task))
        if found and self.draw(st.integers(0, 7)) == 0:
            found.append(self.another())
        return tuple(found)

    def changed(self, task: Task) -> Task:
        """The same with other tasks inside; a Dag holds no plain row of tasks, and stays as it is."""
        if task.type == "dag":
            return task
        rows = {name: vars(task).get(name) for name in ROWS}
        changes = {name: self.row(row) for name, row in rows.items() if isinstance(row, tuple) and row}
        # A row of tasks that must not be empty keeps what it has.
        return task.model_copy(update={name: row for name, row in changes.items() if row or name != "tasks"})

    def retyped(self, task: Task) -> Task:
        """Another type with the same id."""
        kind = self.draw(st.sampled_from([None, Sequential, Parallel]))
        if kind is None:
            return TaskDefinition(id=task.id, type="work", plugin=Work)
        return kind(id=task.id, type=kind.__name__.lower(), tasks=(self.another(),))

    def another(self) -> Task:
        self.new += 1
        return TaskDefinition(id=f"new{self.new}", type="work", plugin=Work)


@st.composite
def revisions(draw: st.DrawFn, flow: FlowTree) -> FlowTree:
    """The next revision of a flow."""
    return Reviser(draw).flow(flow)
