"""What a job needs of the outputs of other tasks: those that its templates name, and no more.

It is found once for a definition of a task, so that handing out a job costs the same in an execution with few
outputs and with many.

Documentation page: ``docs/expressions.md``.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator, Mapping

from windhover.expression import (
    ExpressionError,
    Template,
    compile_template,
    has_expression,
    resolve_reads,
)
from windhover.model.execution import JsonValue
from windhover.plugin.task import RunnableTask, TaskDefinition

_Templates = tuple[Template, ...] | None

#: By the identity of a definition, for as long as it lives.
_templates: dict[int, _Templates] = {}


def outputs_read(task: TaskDefinition, variables: Mapping[str, JsonValue]) -> frozenset[str] | None:
    """The tasks whose outputs a task reads; None if it may read those of any.

    That is so where a template renders a text that is made while it runs, shows all variables, looks outputs
    up by a name that is computed, or where the class renders texts of its own. ``variables`` hold the texts
    that templates render, as ``render(vars.greeting)`` does.
    """
    templates = _templates_of(task)
    if templates is None:
        return None
    names: set[str] = set()
    for template in templates:
        reads = resolve_reads(template, variables)
        if reads is None:
            return None
        for path in reads:
            if path[0] == "outputs":
                if len(path) == 1:
                    return None
                names.add(path[1])
    return frozenset(names)


def _templates_of(task: TaskDefinition) -> _Templates:
    """All templates of a task; None where they are not all that it renders."""
    key = id(task)
    try:
        return _templates[key]
    except KeyError:
        found = _templates[key] = _compiled(task)
        weakref.finalize(task, _templates.pop, key, None)
        return found


def _compiled(task: TaskDefinition) -> _Templates:
    if issubclass(task.plugin, RunnableTask) and task.plugin.renders_other_texts:
        return None
    try:
        return tuple(compile_template(text) for text in _texts(task.properties) if has_expression(text))
    except ExpressionError:
        return None  # rendering will fail on it, and names then what there is


def _texts(value: JsonValue | Mapping[str, JsonValue]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for name, item in value.items():
            yield name
            yield from _texts(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _texts(item)
