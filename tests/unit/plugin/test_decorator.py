"""A plain function becomes a task type."""

import asyncio
from collections.abc import Callable
from typing import Annotated, Any, cast
from unittest.mock import Mock

import pytest
from pydantic import Field

from windhover.plugin.context import RunContext
from windhover.plugin.decorator import task
from windhover.plugin.definition import bind_properties, validate_properties
from windhover.plugin.kind import PluginKind
from windhover.plugin.problems import InvalidProperties
from windhover.plugin.registry import Registry
from windhover.plugin.schema import schema_for
from windhover.plugin.task import Output, outputs_of
from windhover.plugin.types import Duration


class Greeting(Output):
    the_text: str
    nobody: str | None = None


@task("my.company.Greet", aliases=("my.old.Greet",))
def greet(first_name: str, times: Annotated[int, Field(ge=1)] = 1, wait: Duration | None = None) -> str:
    """Greet somebody."""
    return f"Hello {first_name}! " * times


@task("my.company.Count")
async def count(ctx: RunContext, *, words: list[str]) -> dict[str, int]:
    ctx.logger.info("counting")
    await asyncio.sleep(0)
    return {word: len(word) for word in words}


@task("my.company.Reply")
def reply(context: RunContext) -> Greeting:
    return Greeting(the_text=context.identity.task_id)


def run(cls: Any, **rendered: object) -> dict[str, Any]:
    ctx = Mock()
    ctx.identity.task_id = "t"
    result = bind_properties(cls, rendered).run(cast("RunContext", ctx))
    return outputs_of(asyncio.run(result) if asyncio.iscoroutine(result) else result)


def test_the_parameters_are_the_properties() -> None:
    assert run(greet, firstName="Ada", times="2") == {"value": "Hello Ada! Hello Ada! "}
    with pytest.raises(InvalidProperties) as caught:
        validate_properties(greet, {"times": 0, "name": "x"})
    assert {problem.path for problem in caught.value.problems} == {"firstName", "times", "name"}


def test_async_functions_and_the_context_work() -> None:
    assert run(count, words=["a", "bcd"]) == {"a": 1, "bcd": 3}


def test_outputs_may_be_a_class() -> None:
    assert run(reply) == {"theText": "t"}


def test_it_is_a_type_like_any_other() -> None:
    registry = Registry(discover=False)
    registry.register(greet)

    plugin = registry.find("my.old.Greet")

    assert plugin is not None
    assert plugin.kind is PluginKind.RUNNABLE
    schema = schema_for(plugin)
    assert schema["properties"]["description"] == "Greet somebody."
    assert schema["properties"]["required"] == ["id", "type", "firstName"]
    assert schema["outputs"] is not None
    assert schema["outputs"]["properties"] == {"value": {"type": "string"}}


def test_the_function_is_still_there_to_be_tested() -> None:
    function = cast("Callable[..., str]", greet.__wrapped__)  # type: ignore[attr-defined]
    assert function("Bo") == "Hello Bo! "


def _several(*names: str) -> None: ...
def _taken(timeout: int) -> None: ...
def _reserved(json: int) -> None: ...


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (_several, r"cannot have the parameter `\*names"),
        (_taken, "every task has a property `timeout` already"),
        (_reserved, "a property cannot be named `json`"),
    ],
)
def test_parameters_that_cannot_be_properties_are_refused(
    function: Callable[..., object], message: str
) -> None:
    with pytest.raises(TypeError, match=message):
        task("my.company.Bad")(function)


@pytest.mark.parametrize(
    ("result", "outputs"),
    [
        (None, {}),
        ({"a": 1, "b": None}, {"a": 1, "b": None}),
        (5, {"value": 5}),
        (["a"], {"value": ["a"]}),
        (Greeting(the_text="x"), {"theText": "x"}),
    ],
)
def test_results_are_outputs(result: object, outputs: dict[str, object]) -> None:
    assert outputs_of(result) == outputs


def test_a_result_that_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="object"):
        outputs_of(object())
