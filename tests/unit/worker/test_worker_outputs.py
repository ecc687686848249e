"""Large outputs, reading them back, and the files a task may reach."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from windhover.core.debug.return_ import Return
from windhover.core.output.output_values import OutputValues
from windhover.engine.spill import STORED_TYPE, StoredValue, holds_stored_values, resolving, stored_value
from windhover.model.execution import JsonValue
from windhover.model.log import LogLevel
from windhover.model.state import StateType
from windhover.plugin.context import RunContext
from windhover.plugin.task import Output, RunnableTask
from windhover.worker import OutputLimits, WorkerSettings
from windhover.worker.inline import InlineWorker


class Made(Output):
    small: str
    large: list[str]


class Making(RunnableTask[Made]):
    """Makes a small and a large output."""

    type_name = "test.Making"
    length: int

    async def run(self, ctx: RunContext) -> Made:
        return Made(small="s", large=["x" * self.length])


@pytest_asyncio.fixture
async def small(tmp_path: Path) -> AsyncIterator[InlineWorker]:
    limits = OutputLimits(spill_above=100, inline_total=150, maximum=1_000)
    async with InlineWorker(tmp_path, settings=WorkerSettings(outputs=limits)) as inline:
        yield inline


async def test_a_large_output_is_stored_and_read_back_by_expressions(small: InlineWorker) -> None:
    made = await small.run(Making, {"length": 200})
    marker = made.outputs["large"]
    assert made.outputs["small"] == "s"
    assert (marker["type"], marker["size"]) == (STORED_TYPE, 204)
    assert marker["uri"].startswith(f"kestra:///company/team/inline/executions/{small.execution_id}/")

    variables = {"outputs": {"making": made.outputs, "loop": {"a": made.outputs}}}
    for path in ("outputs.making", "outputs.loop.a"):
        read = await small.run(
            Return, {"format": f"{{{{ {path}.small }}}}{{{{ {path}.large[0] | length }}}}"}, variables
        )
        assert read.outputs == {"value": "s200"}


async def test_many_outputs_that_are_large_together_are_stored_too(small: InlineWorker) -> None:
    values: dict[str, JsonValue] = {str(number): "x" * 60 for number in range(4)}
    run = await small.run(Values, {"values": values})
    assert holds_stored_values(run.outputs)
    kept = [value for value in run.outputs.values() if stored_value(value) is None]
    assert len(kept) == 2


class Values(RunnableTask[None]):
    """Gives a map as its outputs."""

    type_name = "test.Values"
    values: dict[str, JsonValue]

    async def run(self, ctx: RunContext) -> None:
        return self.values  # type: ignore[return-value]


async def test_outputs_beyond_the_limit_fail_the_run_and_say_what_to_do(small: InlineWorker) -> None:
    run = await small.run(Making, {"length": 2_000})
    assert (run.state, run.outputs) == (StateType.FAILED, {})
    [message] = run.at(LogLevel.ERROR)
    assert "`large` alone is" in message
    assert "outputFiles" in message


async def test_a_forged_marker_reaches_no_foreign_file(small: InlineWorker) -> None:
    uri = "kestra:///company/other/flow/executions/1/tasks/t/r/x.json"
    await small.storage.for_tenant("main").put(uri, b'"secret"')
    marker = StoredValue(uri, 8).marker()
    run = await small.run(Return, {"format": "{{ outputs.a.b }}"}, {"outputs": {"a": {"b": marker}}})
    assert run.state is StateType.FAILED
    assert "secret" not in str(run.outputs)


async def test_a_stored_output_that_is_gone_fails_with_its_uri(small: InlineWorker) -> None:
    uri = f"kestra:///company/team/inline/executions/{small.execution_id}/gone.json"
    marker = StoredValue(uri, 8).marker()
    run = await small.run(Return, {"format": "{{ outputs.a.b }}"}, {"outputs": {"a": {"b": marker}}})
    assert run.state is StateType.FAILED
    assert uri in run.at(LogLevel.ERROR)[0]


def test_a_value_is_loaded_once_and_only_when_it_is_read() -> None:
    loaded = []

    def load(stored: StoredValue) -> JsonValue:
        loaded.append(stored.uri)
        return [1, 2]

    outputs = {"a": {"v": StoredValue("kestra:///a", 5).marker()}, "b": {"v": 1}}
    view = resolving(outputs, load)
    assert view["b"] == {"v": 1}
    assert loaded == []
    assert view["a"]["v"] == [1, 2]
    assert view["a"]["v"] == [1, 2]
    assert loaded == ["kestra:///a"]


@pytest.mark.parametrize(
    "value",
    [
        {"type": STORED_TYPE},
        {"type": STORED_TYPE, "uri": 1, "size": 1},
        {"type": STORED_TYPE, "uri": "u", "size": 1, "more": 1},
        {"type": "other", "uri": "u", "size": 1},
        "text",
    ],
)
def test_what_only_looks_like_a_marker_is_a_value(value: JsonValue) -> None:
    assert stored_value(value) is None
    assert resolving(value, lambda _: pytest.fail("nothing to load")) is value


class Read(Output):
    text: str


class Reading(RunnableTask[Read]):
    """Reads a file of the storage."""

    type_name = "test.Reading"
    uri: str

    async def run(self, ctx: RunContext) -> Read:
        return Read(text=b"".join([chunk async for chunk in ctx.files.open(self.uri)]).decode())


class Writing(RunnableTask[None]):
    """Writes two files of one name."""

    type_name = "test.Writing"

    async def run(self, ctx: RunContext) -> None:
        first = await ctx.files.put(b"1", "same.txt")
        second = await ctx.files.put(b"2", "same.txt")
        return {"first": first, "second": second, "deleted": await ctx.files.delete(first)}  # type: ignore[return-value]


async def test_files_of_one_name_do_not_meet(worker: InlineWorker) -> None:
    made = await worker.run(Writing)
    assert made.outputs["first"] != made.outputs["second"]
    assert made.outputs["deleted"] is True
    read = await worker.run(Reading, {"uri": made.outputs["second"]})
    assert read.outputs == {"text": "2"}


FOREIGN = "kestra:///company/other/flow/executions/1/tasks/t/r/x.txt"


async def test_a_foreign_file_must_have_been_handed_over(worker: InlineWorker) -> None:
    await worker.storage.for_tenant("main").put(FOREIGN, b"given")
    refused = await worker.run(Reading, {"uri": FOREIGN}, {"vars": {"u": FOREIGN}})
    assert refused.state is StateType.FAILED
    assert "belongs to another execution" in refused.at(LogLevel.ERROR)[0]
    given = await worker.run(Reading, {"uri": FOREIGN}, {"inputs": {"files": [FOREIGN]}})
    assert given.outputs == {"text": "given"}


@pytest.mark.parametrize(
    ("uri", "allowed"),
    [
        ("kestra:///company/team/_files/a.txt", True),
        ("kestra:///company/other/_files/a.txt", True),
        ("kestra:///company/team/_files/none.txt", False),
        ("kestra:///company/team/_file_versions/a.txt/1", False),
        ("kestra:///company/team/_files/../x/_files/a.txt", False),
        ("file:///etc/passwd", False),
    ],
)
async def test_files_of_namespaces_are_read_by_their_uri(
    worker: InlineWorker, uri: str, allowed: bool
) -> None:
    for namespace in ("company.team", "company.other"):
        await worker.server.namespace_files.put(namespace, "a.txt", b"x")
    run = await worker.run(Reading, {"uri": uri}, {"vars": {"u": uri}})
    assert (run.state is StateType.SUCCESS) is allowed


async def test_values_keep_their_types_and_expressions_become_text(worker: InlineWorker) -> None:
    run = await worker.run(
        OutputValues,
        {"values": {"n": 1, "t": "{{ inputs.n }}", "l": [{"k": "{{ 1 + 1 }}"}]}},
        {"inputs": {"n": 2}},
    )
    assert run.outputs == {"values": {"n": 1, "t": "2", "l": [{"k": "2"}]}}


async def test_what_is_null_in_maps_is_no_output(worker: InlineWorker) -> None:
    values = {"a": None, "b": {"c": None, "d": [None, {"e": None}]}}
    run = await worker.run(OutputValues, {"values": values})
    assert run.outputs == {"values": {"b": {"d": [None, {}]}}}
