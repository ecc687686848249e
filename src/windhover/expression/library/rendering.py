"""Functions that render templates within a template, and that show what there is."""

from __future__ import annotations

from windhover.expression.errors import EvaluationError, UndefinedError
from windhover.expression.registry import Example, function
from windhover.expression.scope import Frame
from windhover.expression.values import MASK, Secret, is_list, is_map, to_string


def _render(frame: Frame, value: object, *, recursive: bool, name: str) -> object:
    from windhover.expression.template import render_nested

    if frame.scope.recursive:
        raise EvaluationError(f"Function or Macro [{name}] does not exist.")
    try:
        return render_nested(frame, value, recursive=recursive)
    except UndefinedError as error:
        # A fallback stands for a name of the expression it is written in, not for one of another template.
        error.catchable = False
        raise


@function(
    "render",
    "Renders a text that holds expressions, or all texts of a map or list; again and again until nothing "
    "changes, unless `recursive` is false.",
    Example("{{ render(greeting) }}", "Hello Ada", {"greeting": "Hello {{ name }}", "name": "Ada"}),
    needs_frame=True,
)
def render(frame: Frame, to_render: object, recursive: object = True) -> object:
    if not isinstance(recursive, bool):
        raise EvaluationError(
            "The 'render' function expects an optional argument 'recursive' with type boolean."
        )
    return _render(frame, to_render, recursive=recursive, name="render")


@function(
    "renderOnce",
    "Renders a text that holds expressions, once.",
    Example("{{ renderOnce(a) }}", "{{ c }}", {"a": "{{ b }}", "b": "{{ c }}", "c": 1}),
    needs_frame=True,
)
def render_once(frame: Frame, to_render: object) -> object:
    return _render(frame, to_render, recursive=False, name="renderOnce")


@function(
    "block",
    "What a `block` tag further up has printed, again.",
    Example('{% block "post" %}content{% endblock %} {{ block("post") }}', "content content"),
    needs_frame=True,
)
def block(frame: Frame, name: object) -> str:
    render_block = frame.blocks.get(to_string(name))
    if render_block is None:
        return ""
    frame.budget.enter()
    text = render_block(frame)
    frame.budget.leave()
    return text


@function(
    "parent", "The content of an overridden block; templates here have no parent, so this always fails."
)
def parent() -> str:
    raise EvaluationError("Can not use parent function if template does not extend another template.")


def _redacted(value: object) -> object:
    if isinstance(value, Secret):
        return MASK
    if is_map(value):
        return {key: _redacted(item) for key, item in value.items()}
    if is_list(value):
        return [_redacted(item) for item in value]
    return value


@function(
    "printContext",
    "All variables as a map, which prints as JSON; secrets redacted.",
    Example("{{ printContext() }}", '{"a":1}', {"a": 1}),
    needs_frame=True,
    reads_everything=True,
)
def print_context(frame: Frame) -> object:
    return _redacted(frame.visible())


@function(
    "fetchContext",
    "All variables as a map.",
    Example("{{ fetchContext().a }}", "1", {"a": 1}),
    needs_frame=True,
    reads_everything=True,
)
def fetch_context(frame: Frame) -> object:
    return _redacted(frame.visible())
