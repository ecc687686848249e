"""A plain function as a task type.

    @task("my.company.Greet")
    def greet(name: str, polite: bool = False) -> dict[str, str]:
        '''Greet somebody.'''
        return {"greeting": f"{'Dear' if polite else 'Hello'} {name}"}

Documentation page: ``docs/plugins.md``.
"""

from __future__ import annotations

import inspect
import types
from collections.abc import Awaitable, Callable
from typing import Any, get_type_hints

from pydantic import create_model

from windhover.model.task import Task
from windhover.plugin.context import RunContext
from windhover.plugin.definition import yaml_names
from windhover.plugin.documentation import Example
from windhover.plugin.task import Output, RunnableTask

Function = Callable[..., object]
TaskClass = type[RunnableTask[Output | None]]


def task(
    type_name: str,
    *,
    aliases: tuple[str, ...] = (),
    deprecated: bool = False,
    examples: tuple[Example, ...] = (),
) -> Callable[[Function], TaskClass]:
    """Make a function a task type that flows can name.

    Its parameters are the properties of the task, in camelCase, with their types and defaults; its
    docstring is the description. A parameter ``ctx``, or one annotated ``RunContext``, is given the
    context of the run. The function may be ``async``.

    What it returns are the outputs: a dict, an :class:`~windhover.plugin.task.Output` or None; any other
    value becomes the output ``value``.

    The name then stands for the task class; the function is its ``__wrapped__``.

    Raises:
        TypeError: a parameter cannot be a property.
    """

    def make(function: Function) -> TaskClass:
        return _task_class(function, type_name, aliases, deprecated, examples)

    return make


def _task_class(
    function: Function,
    type_name: str,
    aliases: tuple[str, ...],
    deprecated: bool,
    examples: tuple[Example, ...],
) -> TaskClass:
    hints = get_type_hints(function, include_extras=True)
    parameters = inspect.signature(function).parameters
    context = next((name for name in parameters if name == "ctx" or hints.get(name) is RunContext), None)
    properties = {name: parameter for name, parameter in parameters.items() if name != context}
    for parameter in properties.values():
        _check(parameter, type_name)
    namespace: dict[str, Any] = {
        "__module__": function.__module__,
        "__qualname__": function.__qualname__,
        "__doc__": function.__doc__,
        "__annotations__": {name: hints.get(name, Any) for name in properties},
        "__wrapped__": staticmethod(function),
        "type_name": type_name,
        "aliases": aliases,
        "deprecated": deprecated,
        "examples": examples,
        "run": _runner(function, context),
    }
    for name, parameter in properties.items():
        if parameter.default is not parameter.empty:
            namespace[name] = parameter.default
    simple_name = type_name.rpartition(".")[2]
    output = _output_class(hints.get("return"), simple_name)
    base = RunnableTask[output]  # type: ignore[valid-type]
    made: TaskClass = types.new_class(simple_name, (base,), {}, lambda body: body.update(namespace))
    return made


def _check(parameter: inspect.Parameter, type_name: str) -> None:
    name = parameter.name
    if parameter.kind not in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
        raise TypeError(f"{type_name}: a task cannot have the parameter `{parameter}`; name each property")
    if name in yaml_names(Task):
        raise TypeError(f"{type_name}: every task has a property `{name}` already; choose another name")
    if name.startswith("_") or hasattr(RunnableTask, name):
        raise TypeError(f"{type_name}: a property cannot be named `{name}`; choose another name")


def _runner(function: Function, context: str | None) -> Callable[..., object]:
    def arguments(self: RunnableTask[Output | None], ctx: RunContext) -> dict[str, object]:
        values = {name: getattr(self, name) for name in type(self).model_fields}
        return values if context is None else {**values, context: ctx}

    if inspect.iscoroutinefunction(function):

        async def run_async(self: RunnableTask[Output | None], ctx: RunContext) -> object:
            result: Awaitable[object] = function(**arguments(self, ctx))
            return await result

        return run_async

    def run(self: RunnableTask[Output | None], ctx: RunContext) -> object:
        return function(**arguments(self, ctx))

    return run


def _output_class(returned: Any, simple_name: str) -> Any:
    """What documents the outputs: the annotated class, or one with ``value`` for a bare value."""
    if isinstance(returned, type) and issubclass(returned, Output):
        return returned
    if returned in (None, type(None), Any):
        return None
    if isinstance(returned, type) and issubclass(returned, dict):
        return Output
    if getattr(returned, "__origin__", None) is dict:
        return Output
    return create_model(f"{simple_name}Output", __base__=Output, value=(returned, ...))
