"""Compiled templates, and rendering with them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cached_property, lru_cache

from windhover.expression.access import lookup
from windhover.expression.analysis import Analysis, FunctionCall, analyse
from windhover.expression.compiler import Evaluate, Execute, compile_body, compile_expression
from windhover.expression.errors import EvaluationError, LimitExceededError, TemplateSyntaxError
from windhover.expression.nodes import Body, Print, Raw, Text
from windhover.expression.output import join_output
from windhover.expression.parser import parse
from windhover.expression.scope import Frame, Scope
from windhover.expression.values import is_list, is_map, plain_number, to_text

_CACHE_SIZE = 4096
_MAX_RESOLVED = 1000


class Template:
    """A template, ready to be rendered any number of times and from any thread."""

    def __init__(self, source: str, body: Body) -> None:
        self.source = source
        self.body = body
        statements = body.statements
        self.is_static = all(isinstance(statement, Text | Raw) for statement in statements)
        self.is_sole_expression = len(statements) == 1 and isinstance(statements[0], Print)
        self._text: str | None = None
        self._evaluate: Evaluate | None = None
        self._execute: Execute | None = None
        if self.is_static:
            self._text = "".join(s.text for s in statements if isinstance(s, Text | Raw))
        elif len(statements) == 1 and isinstance(statements[0], Print):
            self._evaluate = compile_expression(source, statements[0].expression)
        else:
            self._execute = compile_body(source, body)

    def __repr__(self) -> str:
        return f"Template({self.source!r})"

    def render(self, scope: Scope) -> str:
        """The template as text. Raises ExpressionError."""
        if self._text is not None:
            return self._text
        if scope.recursive:
            return self.render_recursively(Frame(scope, raw_texts=[]))
        return self.render_in(Frame(scope))

    def render_item(self, scope: Scope) -> str | None:
        """The template as one value of a map or list: as text, but null where all that it prints is null.

        Raises ExpressionError.
        """
        if self._text is not None:
            return self._text if self._text or not self.source else None
        if scope.recursive:
            return self.render(scope)
        frame = Frame(scope)
        try:
            if self._evaluate is not None:
                value = self._evaluate(frame)
                return value if value is None or value.__class__ is str else to_text(value)
            parts: list[object] = []
            if self._execute is not None:
                self._execute(frame, parts.append)
        except RecursionError:
            raise _too_deep() from None
        return None if all(part is None for part in parts) else join_output(frame, parts)

    def evaluate(self, scope: Scope) -> object:
        """The template as a value.

        A sole expression, or whatever else prints exactly one value besides nulls, keeps that value; null
        is what prints nothing. Texts, numbers and booleans side by side are joined to a text. A map or list
        beside other output makes the whole a text that is then read as JSON if it begins with valid JSON.
        Raises ExpressionError.
        """
        if self._text is not None:
            return self._text
        if scope.recursive:
            return self.render(scope)
        frame = Frame(scope)
        try:
            if self._evaluate is not None:
                return plain_number(self._evaluate(frame))
            parts: list[object] = []
            if self._execute is not None:
                self._execute(frame, parts.append)
        except RecursionError:
            raise _too_deep() from None
        return _typed_output(frame, parts)

    def render_in(self, frame: Frame) -> str:
        """The template as text, within a rendering that has begun."""
        try:
            if self._evaluate is not None:
                value = self._evaluate(frame)
                return value if value.__class__ is str else to_text(value)
            if self._execute is not None:
                parts: list[object] = []
                self._execute(frame, parts.append)
                return join_output(frame, parts)
        except RecursionError:
            raise _too_deep() from None
        return self._raw_aside(frame)

    def _raw_aside(self, frame: Frame) -> str:
        if frame.raw_texts is None or self._text is None:
            return self._text or ""
        parts: list[object] = []
        compile_body(self.source, self.body)(frame, parts.append)
        return join_output(frame, parts)

    def render_recursively(self, frame: Frame) -> str:
        """The template as text, rendered again until nothing changes; raw blocks stay as they are."""
        raw_texts: list[str] = []
        text = self.source
        for _ in range(frame.scope.limits.max_passes):
            if "{" not in text:
                break
            template = self if text == self.source else compile_template(text)
            inner = Frame(frame.scope, frame.visible(), frame.budget, raw_texts)
            rendered = template.render_in(inner)
            if rendered == text:
                break
            text = rendered
            frame.budget.check_time()
        else:
            raise EvaluationError("Too many rendering attempts")
        for number, raw in reversed(list(enumerate(raw_texts))):
            text = text.replace(f"\ue000raw{number}\ue001", raw)
        return text

    @cached_property
    def analysis(self) -> Analysis:
        """What the template reads and calls."""
        return analyse(self.body)

    @property
    def reads(self) -> frozenset[tuple[str, ...]]:
        """Every variable path the template reads; a dynamic subscript ends the path."""
        return frozenset(self.analysis.reads)

    @property
    def reads_everything(self) -> bool:
        """Whether the template may read more than ``reads`` says, as with ``printContext()``."""
        return self.analysis.reads_everything

    @property
    def calls(self) -> tuple[FunctionCall, ...]:
        """Calls of functions, with their constant arguments."""
        return tuple(self.analysis.calls)

    @property
    def filters(self) -> frozenset[str]:
        """Names of the filters it uses."""
        return frozenset(self.analysis.filters)


def _too_deep() -> LimitExceededError:
    return LimitExceededError("The expression is nested too deeply")


def _typed_output(frame: Frame, parts: list[object]) -> object:
    parts = [part for part in parts if part is not None]
    if not parts:
        return None
    if len(parts) == 1:
        return plain_number(parts[0])
    text = join_output(frame, parts)
    if any(is_map(part) or is_list(part) for part in parts):
        try:
            return json.JSONDecoder().raw_decode(text.lstrip())[0]
        except (ValueError, RecursionError):
            return text
    return text


def compile_template(text: str) -> Template:
    """The compiled template of a text, from a cache by text.

    Raises TemplateSyntaxError with line, column and what was expected.
    """
    if "{" not in text:
        return Template(text, Body((Text(text),)))  # not kept: results of renderings come here too
    return _compiled(text)


def keep_templates(count: int) -> None:
    """Keep so many compiled templates in memory, 0 for none; those kept so far are forgotten."""
    global _compiled
    _compiled = lru_cache(maxsize=count)(_compile)


def _compile(text: str) -> Template:
    try:
        return Template(text, parse(text))
    except RecursionError:
        raise _too_deep() from None


_compiled = lru_cache(maxsize=_CACHE_SIZE)(_compile)


def has_expression(text: str) -> bool:
    """Whether a text contains ``{{`` or ``{%``, so that it means something to render it."""
    return "{{" in text or "{%" in text


def render_value(value: object, scope: Scope, *, typed: bool = False) -> object:
    """A value with all texts in it rendered, keys of maps included.

    Numbers, booleans, null and dates stay as they are. With ``typed``, a text becomes the value that
    ``Template.evaluate`` gives; without, one in a map or list is null where all that it prints is null.
    Raises ExpressionError.
    """
    if isinstance(value, str):
        if "{" not in value:
            return value
        template = compile_template(value)
        return template.evaluate(scope) if typed else template.render(scope)
    return _render_items(value, scope, typed=typed)


def _render_items(value: object, scope: Scope, *, typed: bool) -> object:
    if isinstance(value, str):
        if "{" not in value:
            return value
        template = compile_template(value)
        return template.evaluate(scope) if typed else template.render_item(scope)
    if is_map(value):
        return {
            render_value(key, scope) if isinstance(key, str) else key: _render_items(item, scope, typed=typed)
            for key, item in value.items()
        }
    if is_list(value):
        return [_render_items(item, scope, typed=typed) for item in value]
    return value


def resolve_reads(template: Template, variables: Mapping[str, object]) -> frozenset[tuple[str, ...]] | None:
    """The paths a template reads, those of the texts it passes to ``render(path)`` included.

    ``variables`` must hold these texts. None if what it reads cannot be told beforehand, as with
    ``printContext()``.
    """
    reads: set[tuple[str, ...]] = set()
    waiting = [template]
    seen: set[str] = set()
    while waiting:
        current = waiting.pop()
        if current.source in seen:
            continue
        seen.add(current.source)
        if current.analysis.opaque or len(seen) > _MAX_RESOLVED:
            return None
        reads |= current.analysis.reads
        for path in current.analysis.rendered:
            waiting += [compile_template(text) for text in _texts_in(_member_at(variables, path))]
    return frozenset(reads)


def _member_at(variables: Mapping[str, object], path: tuple[str, ...]) -> object:
    value: object = variables
    for key in path:
        try:
            value = lookup(value, key)
        except LookupError:
            return None  # Rendering will fail on it, so it leads to nothing more.
    return value


def _texts_in(value: object) -> Iterator[str]:
    """Texts with expressions anywhere in a value, malformed ones left out: they cannot be rendered."""
    if isinstance(value, str):
        if has_expression(value):
            with suppress(TemplateSyntaxError):
                yield compile_template(value).source
    elif is_map(value):
        for key, item in value.items():
            yield from _texts_in(key)
            yield from _texts_in(item)
    elif is_list(value):
        for item in value:
            yield from _texts_in(item)


def render_nested(frame: Frame, value: object, *, recursive: bool) -> object:
    """What ``render(value)`` gives within a rendering: texts rendered, with the variables set so far."""
    if isinstance(value, str):
        if "{" not in value:
            return value
        frame.budget.enter()
        template = compile_template(value)
        if recursive:
            result = template.render_recursively(frame)
        else:
            result = template.render_in(Frame(frame.scope, frame.visible(), frame.budget))
        frame.budget.leave()
        return result
    if is_map(value):
        return {
            render_nested(frame, key, recursive=recursive) if isinstance(key, str) else key: render_nested(
                frame, item, recursive=recursive
            )
            for key, item in value.items()
        }
    if is_list(value):
        return [render_nested(frame, item, recursive=recursive) for item in value]
    return value
