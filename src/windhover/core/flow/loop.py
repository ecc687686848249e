"""``io.kestra.plugin.core.flow.Loop``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from windhover.core.loop_round import LoopRound, StoreResults
from windhover.core.loop_values import loop_items
from windhover.expression import truthy
from windhover.model.execution import JsonValue, TaskRun
from windhover.model.inputs import FlowOutput
from windhover.model.state import StateType
from windhover.model.task import Task
from windhover.plugin.documentation import Example
from windhover.plugin.flowable import (
    Body,
    Fault,
    FlowableContext,
    FlowableTask,
    Lane,
    OnFailure,
    guess_state,
    tasks_in,
)
from windhover.plugin.nesting import TaskList
from windhover.plugin.task import Output, TaskDefinition


class LoopOutput(Output):
    """What a Loop gives."""

    iteration_count: Annotated[int, Field(description="How many rounds there are, or were.")]
    running_iterations: int
    terminated_iterations: int
    outputs: Annotated[
        list[dict[str, JsonValue]] | None,
        Field(description="Of each round its `item` and its `outputs`, in the order of the values."),
    ] = None
    uri: Annotated[str | None, Field(description="The file that has them, with `fetchType: STORE`.")] = None


class Loop(FlowableTask):
    """Run a group of tasks for each value of a list or a map, or for each line of a file.

    Rounds stand for themselves: in the tasks, `item.value` is the value (as text; a map is its JSON),
    `item.index` its index and `item.key` its key in a map; `outputs.<task>` are those of the same round. What
    a round fails with does not touch the others. `outputs` says what is kept of each round.
    """

    type_name: ClassVar[str] = "io.kestra.plugin.core.flow.Loop"
    output: ClassVar[type[Output] | None] = LoopOutput
    repeats: ClassVar[bool] = True
    concludes: ClassVar[bool] = True
    examples: ClassVar[tuple[Example, ...]] = (
        Example(
            title="Add up what each of three rounds has found",
            code="""
id: shops
type: io.kestra.plugin.core.flow.Loop
values: [north, south, west]
concurrencyLimit: 2
outputs:
  - id: name
    type: STRING
    value: "{{ outputs.describe.value }}"
tasks:
  - id: describe
    type: io.kestra.plugin.core.debug.Return
    format: "{{ item.index }}: {{ item.value }}"
""",
        ),
    )

    values: Annotated[
        str | list[JsonValue] | dict[str, JsonValue],
        Field(description="A list, a map, the JSON text of one, or the URI of a file: a round a line."),
    ]
    concurrency_limit: Annotated[
        int, Field(ge=0, description="How many rounds are under way at once: 1 one by one, 0 all.")
    ] = 0
    transmit_failed: Annotated[bool, Field(description="End as the worst of the rounds did.")] = True
    round_outputs_: Annotated[
        tuple[FlowOutput, ...], Field(alias="outputs", description="What is kept of each round.")
    ] = ()
    fetch_type: Annotated[
        Literal["AUTO", "FETCH", "STORE"],
        Field(description="How results are kept: as the output `outputs`, or as a file, the output `uri`."),
    ] = "AUTO"
    break_when: Annotated[
        str | None,
        Field(
            description="Looked at after each round; when it is true no further round begins. It sees `item` "
            "and of the round `iteration.state` and `iteration.outputs`."
        ),
    ] = None
    tasks: TaskList = ()

    def resolve(self, ctx: FlowableContext) -> JsonValue:
        if self.fetch_type == "STORE":
            return None
        items = loop_items(self.values, ctx)
        return {"values": items.values, "keys": items.keys}

    def body(self, resolved: JsonValue) -> Body:
        if self.fetch_type == "STORE":
            return Body([Lane((self._fetched, self._store), chained=True)])
        return Body(
            _Rounds((self._round,), resolved["values"], resolved["keys"]),
            limit=self.concurrency_limit,
            on_failure=OnFailure.CARRY_ON if self.transmit_failed else OnFailure.IGNORE,
            watched=self.break_when is not None,
        )

    def outputs(self, resolved: JsonValue) -> dict[str, JsonValue]:
        return {} if resolved is None else {"iterationCount": len(resolved["values"])}

    def after_lane(self, resolved: JsonValue, ctx: FlowableContext, started: int) -> JsonValue:
        if not truthy(ctx.render(self.break_when)):
            return None
        keys = resolved["keys"]
        return {
            "values": resolved["values"][:started],
            "keys": None if keys is None else keys[:started],
        }

    def end_state(self, children: Mapping[StateType, int]) -> StateType:
        if self.fetch_type == "STORE" or self.transmit_failed:
            return guess_state(children)
        return StateType.SUCCESS

    def final_outputs(self, resolved: JsonValue, children: Sequence[TaskRun]) -> dict[str, JsonValue]:
        if self.fetch_type == "STORE":
            merged: dict[str, JsonValue] = {}
            for run in children:
                merged |= run.outputs or {}
            merged.pop("outputs", None)
            return merged
        ended = sum(run.state.current.is_terminated for run in children)
        counts: dict[str, JsonValue] = {
            "iterationCount": len(children),
            "runningIterations": len(children) - ended,
            "terminatedIterations": ended,
        }
        if not self.round_outputs_:
            return counts
        in_order = sorted(children, key=lambda run: run.lane)
        return {**counts, "outputs": [_result(run, resolved["keys"]) for run in in_order]}

    def check(self) -> Iterator[Fault]:
        if not self.tasks:
            yield Fault("The 'tasks' property cannot be empty", "tasks")

    def nested(self) -> Iterator[Task]:
        if self.tasks:
            yield self._fetched if self.fetch_type == "STORE" else self._round
        yield from tasks_in(self.errors)
        yield from tasks_in(self.finally_)

    @cached_property
    def _round(self) -> LoopRound:
        return LoopRound(
            id=f"{self.id}_iteration",
            type=f"{self.type}$Iteration",
            tasks=self.tasks,
            results=self.round_outputs_,
        )

    @cached_property
    def _fetched(self) -> Loop:
        """The same loop, as it is when its results become outputs; what follows stores them."""
        return Loop(
            id=f"{self.id}_iterations",
            type=self.type,
            values=self.values,
            concurrency_limit=self.concurrency_limit,
            transmit_failed=self.transmit_failed,
            round_outputs_=self.round_outputs_,
            fetch_type="FETCH",
            break_when=self.break_when,
            tasks=self.tasks,
        )

    @cached_property
    def _store(self) -> TaskDefinition:
        return TaskDefinition(
            id=f"{self.id}_store",
            type=f"{self.type}$Store",
            log_level=self.log_level,
            plugin=StoreResults,
            properties={"results": "{{ previous.outputs.outputs ?? [] }}"},
        )


def _result(run: TaskRun, keys: Sequence[str] | None) -> JsonValue:
    item: dict[str, JsonValue] = {"value": run.value, "iteration": run.iteration}
    if keys is not None:
        item["key"] = keys[run.lane]
    return {"item": item, "outputs": (run.outputs or {}).get("outputs", {})}


class _Rounds(Sequence[Lane]):
    """One lane a value, made when it is looked at."""

    def __init__(self, tasks: tuple[Task, ...], values: Sequence[str], keys: Sequence[str] | None) -> None:
        self._tasks = tasks
        self._values = values
        self._keys = keys

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, index: int) -> Lane:  # type: ignore[override]
        key = None if self._keys is None else self._keys[index]
        return Lane(self._tasks, self._values[index], index, key=key)
